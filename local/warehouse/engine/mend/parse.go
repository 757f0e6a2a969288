package mend

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is what a text says of a time, with what it leaves out as it is at the beginning of 1970.
type moment struct {
	year, month, day, hour, minute, second, micros int
	yearDay                                        int // or 0
	pm, twelve                                     bool
	century                                        int // or -1
	zone                                           *time.Location
	unix                                           *int64
}

// parseWith is PARSE_DATE, PARSE_DATETIME, PARSE_TIME and PARSE_TIMESTAMP.
func parseWith(make func(moment, time.Time, *time.Location) any) better {
	return strict(func(args []any) (any, bool, error) {
		layout, first := args[0].(string)
		text, second := args[1].(string)
		if !first || !second {
			return nil, false, nil
		}
		in, err := zoneOf(args[2:])
		if err != nil {
			return nil, true, err
		}
		m := moment{year: 1970, month: 1, day: 1, century: -1}
		rest, err := m.read(strings.TrimLeft(layout, " "), strings.TrimLeft(text, " \t\n"))
		if err == nil && strings.TrimSpace(rest) != "" {
			err = errors.New("illegal text at the end")
		}
		var t time.Time
		if err == nil {
			t, err = m.time()
		}
		if err != nil {
			if strings.HasPrefix(err.Error(), refusedElement) {
				return nil, true, refuse("this element of a time's format")
			}
			return nil, true, fmt.Errorf("Failed to parse input string %q: %w", text, err)
		}
		return make(m, t, in), true, nil
	})
}

const refusedElement = "unknown element"

func asDate(_ moment, t time.Time, _ *time.Location) any {
	return date(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC))
}
func asDatetime(_ moment, t time.Time, _ *time.Location) any { return datetime(t) }
func asClock(_ moment, t time.Time, _ *time.Location) any    { return clock(t) }
func asTimestamp(m moment, t time.Time, in *time.Location) any {
	if m.unix != nil {
		return timestamp(time.Unix(*m.unix, 0).UTC())
	}
	if m.zone != nil {
		in = m.zone
	}
	return timestamp(local(t, in))
}

// time is the civil time, or why there is none such.
func (m *moment) time() (time.Time, error) {
	if m.unix != nil {
		return time.Unix(*m.unix, 0).UTC(), nil
	}
	if m.century >= 0 {
		m.year = m.century*100 + m.year%100
	}
	if m.twelve {
		m.hour %= 12
		if m.pm {
			m.hour += 12
		}
	}
	leap := m.second == 60
	if leap {
		m.second = 59
	}
	t := time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, m.micros*1000, time.UTC)
	if m.yearDay > 0 {
		t = t.AddDate(0, 1-m.month, m.yearDay-m.day)
		if t.Year() != m.year {
			return t, errors.New("no such day")
		}
	} else if t.Day() != m.day || int(t.Month()) != m.month {
		return t, errors.New("no such day")
	}
	if leap {
		t = t.Truncate(time.Second).Add(time.Second)
	}
	return t, nil
}

// read reads a text by a format, and returns what is left of it.
func (m *moment) read(layout, text string) (rest string, err error) {
	for i := 0; i < len(layout) && err == nil; i++ {
		c := layout[i]
		switch {
		case strings.IndexByte(" \t\n\r", c) >= 0:
			text = strings.TrimLeft(text, " \t\n\r")
		case c != '%' || i+1 == len(layout):
			if text == "" || text[0] != c {
				return text, errors.New("it differs from the format")
			}
			text = text[1:]
		default:
			i++
			name := layout[i : i+1]
			if (name == "E" || name == "O") && i+1 < len(layout) {
				size := 2
				if i+2 < len(layout) && (layout[i+2] == 'S' || layout[i+2] == 'Y') && layout[i+1] != 'z' {
					size = 3
				}
				name = layout[i : i+size]
				i += size - 1
			}
			text, err = m.element(name, text)
		}
	}
	return text, err
}

// composed are the elements that stand for several.
var composed = map[string]string{
	"D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "T": "%H:%M:%S", "X": "%H:%M:%S", "x": "%m/%d/%y", "c": "%a %b %e %H:%M:%S %Y",
}

func (m *moment) element(name, text string) (rest string, err error) {
	if layout, ok := composed[name]; ok {
		return m.read(layout, text)
	}
	numbers := map[string]struct {
		into           *int
		digits, lo, hi int
	}{
		"Y": {&m.year, 4, 1, 9999}, "E4Y": {&m.year, 4, 1, 9999}, "m": {&m.month, 2, 1, 12}, "d": {&m.day, 2, 1, 31}, "e": {&m.day, 2, 1, 31},
		"H": {&m.hour, 2, 0, 23}, "k": {&m.hour, 2, 0, 23}, "I": {&m.hour, 2, 1, 12}, "l": {&m.hour, 2, 1, 12}, "M": {&m.minute, 2, 0, 59},
		"S": {&m.second, 2, 0, 60}, "j": {&m.yearDay, 3, 1, 366}, "C": {&m.century, 2, 0, 99},
	}
	if n, ok := numbers[name]; ok {
		m.twelve = m.twelve || name == "I" || name == "l"
		*n.into, rest, err = digits(strings.TrimLeft(text, " "), n.digits, n.lo, n.hi)
		return rest, err
	}
	switch name {
	case "y":
		m.year, rest, err = digits(text, 2, 0, 99)
		if m.year += 1900; m.year < 1969 {
			m.year += 100
		}
		return rest, err
	case "b", "B", "h":
		n, rest, err := named(text, func(i int) string { return time.Month(i + 1).String() }, 12)
		m.month = n + 1
		return rest, err
	case "a", "A":
		_, rest, err := named(text, func(i int) string { return time.Weekday(i).String() }, 7)
		return rest, err
	case "p", "P":
		if len(text) < 2 || !strings.EqualFold(text[:2], "am") && !strings.EqualFold(text[:2], "pm") {
			return text, errors.New("neither AM nor PM")
		}
		m.pm = strings.EqualFold(text[:2], "pm")
		return text[2:], nil
	case "n", "t":
		return strings.TrimLeft(text, " \t\n\r"), nil
	case "%":
		return strings.TrimPrefix(text, "%"), nil
	case "s":
		end := len(text) - len(strings.TrimLeft(text, "-0123456789"))
		seconds, err := strconv.ParseInt(text[:end], 10, 64)
		m.unix = &seconds
		return text[end:], err
	case "z", "Ez":
		return m.offset(text)
	case "Z":
		end := strings.IndexAny(text+" ", " ")
		m.zone, err = zone(strings.TrimSuffix(text[:end], ","))
		return text[end:], err
	}
	if len(name) == 3 && name[0] == 'E' && name[2] == 'S' {
		return m.fraction(text)
	}
	return text, fmt.Errorf("%s %%%s", refusedElement, name)
}

// fraction reads seconds with a fraction.
func (m *moment) fraction(text string) (rest string, err error) {
	if m.second, text, err = digits(text, 2, 0, 60); err != nil || !strings.HasPrefix(text, ".") {
		return text, err
	}
	rest = strings.TrimLeft(text[1:], "0123456789")
	m.micros, _ = strconv.Atoi((text[1:len(text)-len(rest)] + "000000")[:6])
	return rest, nil
}

// offset reads an offset from UTC, as in +0100, +01:00 and Z.
func (m *moment) offset(text string) (rest string, err error) {
	if strings.HasPrefix(text, "Z") || strings.HasPrefix(text, "z") {
		m.zone = time.UTC
		return text[1:], nil
	}
	if text == "" || text[0] != '+' && text[0] != '-' {
		return text, errors.New("no offset from UTC")
	}
	hours, rest, err := digits(text[1:], 2, 0, 14)
	if err != nil {
		return rest, err
	}
	minutes := 0
	if after := strings.TrimPrefix(rest, ":"); after != "" && after[0] >= '0' && after[0] <= '9' {
		minutes, rest, err = digits(after, 2, 0, 59)
	}
	seconds := hours*3600 + minutes*60
	if text[0] == '-' {
		seconds = -seconds
	}
	m.zone = time.FixedZone("", seconds)
	return rest, err
}

// digits reads a number of so many digits at most.
func digits(text string, most, lo, hi int) (n int, rest string, err error) {
	end := 0
	for end < len(text) && end < most && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, err = strconv.Atoi(text[:end])
	if err != nil || n < lo || n > hi {
		return n, text, errors.New("a number is missing or out of range")
	}
	return n, text[end:], nil
}

// named reads a name in full or by its first three letters.
func named(text string, name func(int) string, many int) (n int, rest string, err error) {
	for i := range many {
		for _, known := range []string{name(i), name(i)[:3]} {
			if len(text) >= len(known) && strings.EqualFold(text[:len(known)], known) {
				return i, text[len(known):], nil
			}
		}
	}
	return 0, text, errors.New("no such name")
}
