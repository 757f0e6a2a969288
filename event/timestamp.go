package event

import (
	"math"
	"sort"
	"time"
)

const (
	secondsPerDay    = 24 * 60 * 60
	microsPerSecond  = 1_000_000
	fractionalDigits = 6
)

// A clock turns ISO 8601 date-times into microseconds since 1970-01-01 UTC.
type clock struct {
	location *time.Location
	others   map[string]*clock // of zones that timestamps named

	// The offset in seconds east for local seconds (counted as if they were
	// UTC) at or after from and before until.
	from, until, offset int64
}

// parse reads a calendar date and a time of day of at least hours and minutes,
// both in the extended (2026-11-22T07:30:00) or both in the basic format
// (20261122T073000), with T, t or a space between. Seconds may have a fraction
// after a dot or a comma, of which six digits count. Z, z, ±hh:mm, ±hhmm or
// ±hh may follow, and what parseZone reads; without any of these the time is
// local to the location.
//
// 24:00:00 is the end of the day (ISO 8601-1:2019/Amd 1:2022). Second 60 is
// taken for a leap second, the first moment of the next minute, and only where
// one can be: at the end of a day in UTC.
func (c *clock) parse(text []byte) (micros int64, ok bool) {
	day, rest, extended, ok := parseDate(text)
	if !ok || len(rest) == 0 || rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ' {
		return 0, false
	}
	afterDate := rest
	second, micros, rest, ok := parseTimeOfDay(rest[1:], extended)
	if !ok {
		return 0, false
	}
	seconds := day*secondsPerDay + second.ofDay
	if len(rest) == 0 {
		seconds -= c.offsetAt(seconds)
	} else {
		offset, ok := parseOffset(rest)
		if !ok {
			spaced := text[len(text)-len(afterDate)] == ' '
			if offset, ok = c.parseZone(rest, seconds, spaced); !ok {
				return 0, false
			}
		}
		seconds -= offset
	}
	if second.leap && seconds%secondsPerDay != 0 {
		return 0, false
	}
	return seconds*microsPerSecond + micros, true
}

// parseDate reads the date at the beginning of a text, as days since
// 1970-01-01.
func parseDate(text []byte) (day int64, rest []byte, extended, ok bool) {
	if len(text) < 8 {
		return 0, nil, false, false
	}
	year := pair(text, 0)*100 + pair(text, 2)
	if pair(text, 0)|pair(text, 2) < 0 {
		return 0, nil, false, false
	}
	extended = text[4] == '-'
	month, date, end := pair(text, 4), pair(text, 6), 8
	if extended {
		if len(text) < 10 || text[7] != '-' {
			return 0, nil, false, false
		}
		month, date, end = pair(text, 5), pair(text, 8), 10
	}
	if month < 1 || month > 12 || date < 1 || date > daysIn(year, month) {
		return 0, nil, false, false
	}
	return daysSince1970(year, month, date), text[end:], extended, true
}

// A second is a moment of a day.
type second struct {
	ofDay int64 // since midnight
	leap  bool  // written as second 60
}

// parseTimeOfDay reads the time of day at the beginning of a text.
func parseTimeOfDay(text []byte, extended bool) (s second, micros int64, rest []byte, ok bool) {
	separator := 0
	if extended {
		separator = 1
	}
	if len(text) < 4+separator || extended && text[2] != ':' {
		return s, 0, nil, false
	}
	hour, minute, sec := pair(text, 0), pair(text, 2+separator), 0
	rest = text[4+separator:]
	if hasSeconds(rest, extended) {
		sec = pair(rest, separator)
		rest = rest[2+separator:]
		if len(rest) > 0 && (rest[0] == '.' || rest[0] == ',') {
			if micros, rest = parseFraction(rest[1:]); micros < 0 {
				return s, 0, nil, false
			}
		}
	}
	endOfDay := hour == 24 && minute == 0 && sec == 0 && micros == 0
	if hour < 0 || hour > 23 && !endOfDay || minute < 0 || minute > 59 || sec < 0 || sec > 60 {
		return s, 0, nil, false
	}
	return second{int64(hour*3600 + minute*60 + sec), sec == 60}, micros, rest, true
}

func hasSeconds(rest []byte, extended bool) bool {
	if extended {
		return len(rest) >= 3 && rest[0] == ':'
	}
	return len(rest) >= 2 && isDigit(rest[0])
}

// parseFraction reads the digits of a fraction of a second; micros is -1 if
// there are none.
func parseFraction(text []byte) (micros int64, rest []byte) {
	count := 0
	for count < len(text) && isDigit(text[count]) {
		if count < fractionalDigits {
			micros = micros*10 + int64(text[count]-'0')
		}
		count++
	}
	if count == 0 {
		return -1, nil
	}
	if count < fractionalDigits {
		micros *= int64(tens[fractionalDigits-count])
	}
	return micros, text[count:]
}

// parseOffset reads the offset that ends a timestamp, in seconds east.
func parseOffset(text []byte) (seconds int64, ok bool) {
	if text[0] == 'Z' || text[0] == 'z' {
		return 0, len(text) == 1
	}
	if text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	hour, minute := -1, 0
	switch {
	case len(text) == 3:
		hour = pair(text, 1)
	case len(text) == 5:
		hour, minute = pair(text, 1), pair(text, 3)
	case len(text) == 6 && text[3] == ':':
		hour, minute = pair(text, 1), pair(text, 4)
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	seconds = int64(hour*3600 + minute*60)
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// pair returns the number that two digits make, or a negative one.
func pair(text []byte, at int) int {
	tens, ones := text[at]-'0', text[at+1]-'0'
	if tens > 9 || ones > 9 {
		return math.MinInt32
	}
	return int(tens)*10 + int(ones)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts the days in years that begin in March, where the leap
// day is the last.
func daysSince1970(year, month, date int) int64 {
	const daysTo1970 = 719_468 // from 0000-03-01
	if month < 3 {
		year--
		month += 12
	}
	leaps := floorDiv(year, 4) - floorDiv(year, 100) + floorDiv(year, 400)
	return int64(year*365 + leaps + (153*(month-3)+2)/5 + date - 1 - daysTo1970)
}

// floorDiv divides and rounds down; the year before 0000-03-01 is -1.
func floorDiv(n, by int) int {
	if n < 0 {
		return (n - by + 1) / by
	}
	return n / by
}

// offsetAt returns the location's offset at a local second. Where clocks are
// put back and a local time occurs twice, the earlier moment counts; where
// they are put forward and it does not occur, the offset before the change.
// Both say: local times see a change at moment t from t + the larger of the two
// offsets on.
//
// It goes by days, because Time.ZoneBounds is wrong on the last day of some
// leap years (https://go.dev/issue/81583).
func (c *clock) offsetAt(local int64) int64 {
	if c.from <= local && local < c.until {
		return c.offset
	}
	day := local - (local%secondsPerDay+secondsPerDay)%secondsPerDay
	first, last := day-secondsPerDay, day+2*secondsPerDay // farther than any offset reaches
	before, after := c.offsetOf(first), c.offsetOf(last)
	c.from, c.until, c.offset = day, day+secondsPerDay, before
	if before == after {
		return before
	}
	change := first + int64(sort.Search(int(last-first), func(i int) bool {
		return c.offsetOf(first+int64(i)) != before
	}))
	if seen := change + max(before, after); local < seen {
		c.until = min(c.until, seen)
	} else {
		c.from, c.offset = max(c.from, seen), after
	}
	return c.offset
}

// offsetOf returns the location's offset at a second since 1970-01-01 UTC.
func (c *clock) offsetOf(second int64) int64 {
	_, offset := time.Unix(second, 0).In(c.location).Zone()
	return int64(offset)
}
