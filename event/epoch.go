package event

import "fmt"

// An EpochUnit is the unit of timestamps that producers write as numbers: they
// count it from 1970-01-01 UTC. The zero EpochUnit reads no numbers.
type EpochUnit string

// The units.
const (
	Seconds      EpochUnit = "s"
	Milliseconds EpochUnit = "ms"
	Microseconds EpochUnit = "us"
	Nanoseconds  EpochUnit = "ns"
)

// EpochUnits returns all units.
func EpochUnits() []EpochUnit {
	return []EpochUnit{Seconds, Milliseconds, Microseconds, Nanoseconds}
}

// digits returns the power of ten that makes microseconds of the unit.
func (u EpochUnit) digits() int64 {
	switch u {
	case Seconds:
		return 6
	case Milliseconds:
		return 3
	case Nanoseconds:
		return -3
	}
	return 0
}

// maxMicros bounds moments, at about the year 148,000, so that there is room
// to calculate with them.
const maxMicros = 1 << 62

// parse returns the microseconds of a JSON number that counts the unit;
// smaller parts are cut off. fits is false beyond maxMicros.
func (u EpochUnit) parse(text []byte) (micros int64, fits bool) {
	digits := text
	negative := digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	whole, point := u.digits(), false // digits of the result, from those of the number
	end := len(digits)
	for i, c := range digits {
		if c == '.' {
			point = true
		} else if !isDigit(c) {
			whole += parseExponent(digits[i+1:])
			end = i
			break
		} else if !point {
			whole++
		}
	}
	var n int64
	for _, c := range digits[:end] {
		if c == '.' {
			continue
		}
		if whole <= 0 {
			break
		}
		if n > (maxMicros-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
		whole--
	}
	for ; whole > 0 && n > 0; whole-- {
		if n > maxMicros/10 {
			return 0, false
		}
		n *= 10
	}
	if negative {
		n = -n
	}
	return n, true
}

// ReadEpoch makes the judge read timestamps that are numbers, in the unit.
func (j *Judge) ReadEpoch(unit EpochUnit) { j.epoch = unit }

// count says that the timestamp f is a number.
func (j *Judge) count(f *field, text []byte) Value {
	if j.epoch == "" {
		j.refuse(WrongType, "field %q is a number, not %s; if it counts from 1970, set STATION_EPOCH_UNIT to its unit (s, ms, us or ns)",
			f.Name, f.Type.kind())
		return Value{}
	}
	micros, fits := j.epoch.parse(text)
	if !fits {
		j.refuse(AbsurdTimestamp, "field %q is %s, which as %s since 1970 is beyond all dates", f.Name, shorten(text), j.epoch)
	} else if !j.plausible(micros) {
		j.refuseMoment(f, micros, fmt.Sprintf("%s, which as %s since 1970 is %s", shorten(text), j.epoch, date(micros)))
	}
	return TimeValue(micros)
}
