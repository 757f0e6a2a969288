package event

// moments reads the timestamps of one event after the other, which mostly are
// of one day and written in one way.
type moments struct {
	date     [2]uint64 // the text up to the time of day, as words, of the day that is known
	midnight int64     // of that day, in seconds since 1970-01-01 as if it were in UTC
	zone     uint64    // an offset and the quotation mark behind it
	offset   int64     // what it is, in seconds east
}

// The text of a date, up to the T, is a word and three bytes of the next one;
// an offset with its quotation mark is seven bytes.
const (
	restOfDate = 1<<24 - 1
	offsetMask = 1<<56 - 1
)

// at reads a timestamp as clock.parse does, if it is written
// 2026-11-22T07:30:00, with or without a fraction, and Z, ±hh:mm or nothing
// behind it. It returns failed for others.
func (m *moments) at(data []byte, at int, c *clock) (micros int64, end int) {
	const length = len(`"2026-11-22T07:30:00`)
	end = at + length
	if end >= len(data) || data[at] != '"' {
		return 0, failed
	}
	if m.date != [2]uint64{wordAt(data, at+1), wordAt(data, at+9) & restOfDate} && !m.readDate(data, at+1) {
		return 0, failed
	}
	ofDay := timeOfDay(wordAt(data, end-8))
	if ofDay < 0 {
		return 0, failed
	}
	seconds := m.midnight + ofDay
	if data[end] == '.' {
		var rest []byte
		if micros, rest = parseFraction(data[end+1:]); micros < 0 || len(rest) == 0 {
			return 0, failed
		}
		end = len(data) - len(rest)
	}
	switch data[end] {
	case '"':
		seconds -= c.offsetAt(seconds)
	case 'Z':
		end++
	default:
		zone := wordAt(data, end) & offsetMask
		if zone != m.zone && !m.readZone(data, end) {
			return 0, failed
		}
		seconds -= m.offset
		end += 6
	}
	if end >= len(data) || data[end] != '"' {
		return 0, failed
	}
	return seconds*microsPerSecond + micros, end + 1
}

// readDate makes the date at a position the one that is known. A time follows.
func (m *moments) readDate(data []byte, at int) bool {
	day, rest, extended, ok := parseDate(data[at:])
	if !ok || !extended || len(rest) == 0 || rest[0] != 'T' {
		return false
	}
	m.date = [2]uint64{wordAt(data, at), wordAt(data, at+8) & restOfDate}
	m.midnight = day * secondsPerDay
	return true
}

// readZone makes the offset at a position the one that is known.
func (m *moments) readZone(data []byte, at int) bool {
	if at+7 > len(data) {
		return false
	}
	offset, ok := parseOffset(data[at : at+6])
	if ok && data[at+6] == '"' {
		m.zone, m.offset = wordAt(data, at)&offsetMask, offset
		return true
	}
	return false
}

// timeOfDay returns the second of the day that a word of the form 07:30:00 is,
// or -1 for another word, also for a leap second and the end of the day.
func timeOfDay(word uint64) int64 {
	const (
		zeros  = 0x30303a30303a3030 // 00:00:00
		limits = 0x76767f76767f7676 // what brings more than a digit, and more than 0 for a colon, to 0x80
	)
	digits := word ^ zeros
	if (digits|(digits+limits))&highs != 0 {
		return -1
	}
	pairs := digits*10 + digits>>8
	hour, minute, second := int64(pairs&0xff), int64(pairs>>24&0xff), int64(pairs>>48&0xff)
	if hour > 23 || minute > 59 || second > 59 {
		return -1
	}
	return hour*3600 + minute*60 + second
}
