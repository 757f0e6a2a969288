package mend

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

var offsetPattern = regexp.MustCompile(`^([+-])(\d{1,2})(?::(\d{1,2}))?$`)

var zones sync.Map // of *time.Location, by name

// zone finds a time zone by its name or by its offset from UTC, as in -8, +05:30 or UTC-8.
func zone(name string) (*time.Location, error) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	var found *time.Location
	if m := offsetPattern.FindStringSubmatch(strings.TrimPrefix(name, "UTC")); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi("0" + m[3])
		seconds := hours*3600 + minutes*60
		if hours > 14 || minutes > 59 {
			return nil, fmt.Errorf("Invalid time zone: %s", name)
		}
		if m[1] == "-" {
			seconds = -seconds
		}
		found = time.FixedZone("", seconds)
	} else {
		var err error
		if found, err = time.LoadLocation(name); err != nil || name == "" || name == "Local" {
			return nil, fmt.Errorf("Invalid time zone: %s", name)
		}
	}
	zones.Store(name, found)
	return found, nil
}

// parsedTime is a time that was written as text.
type parsedTime struct {
	civil time.Time // in UTC, whatever the zone
	date  bool      // has a date
	zone  string    // or ""
}

var timePattern = regexp.MustCompile(`^(?:(\d{4})-(\d{1,2})-(\d{1,2}))?(?:([ Tt])?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{0,9}))?)?([Zz]|[+-]\d{1,2}(?::\d{1,2})?| [A-Za-z][A-Za-z0-9_/+:-]*)?$`)

// parseTime reads the canonical forms of a date, a time, a datetime and a timestamp.
func parseTime(text string) (parsedTime, error) {
	m := timePattern.FindStringSubmatch(strings.TrimSpace(text))
	invalid := fmt.Errorf("Invalid time: '%s'", text)
	hasDate, hasTime := m != nil && m[1] != "", m != nil && m[5] != ""
	if !hasDate && !hasTime || hasDate && hasTime != (m[4] != "") || !hasDate && m[4] != "" {
		return parsedTime{}, invalid
	}
	n := func(i int) int {
		value, _ := strconv.Atoi("0" + m[i])
		return value
	}
	year, month, day := n(1), n(2), n(3)
	if !hasDate {
		year, month, day = 1970, 1, 1
	}
	micros := n2((m[8] + "000000")[:6])
	second := n(7)
	leap := second == 60
	if leap {
		second = 59
	}
	t := time.Date(year, time.Month(month), day, n(5), n(6), second, micros*1000, time.UTC)
	if t.Year() != year || int(t.Month()) != month || t.Day() != day || t.Hour() != n(5) || t.Minute() != n(6) || t.Second() != second || year < 1 {
		return parsedTime{}, invalid
	}
	if leap {
		t = t.Add(time.Second).Truncate(time.Second)
	}
	name := strings.TrimSpace(m[9])
	if strings.EqualFold(name, "Z") {
		name = "UTC"
	}
	return parsedTime{t, hasDate, name}, nil
}

func n2(digits string) int {
	value, _ := strconv.Atoi(digits)
	return value
}

// in is the instant, in the zone that the text names, or in the given one.
func (p parsedTime) in(given *time.Location) (time.Time, error) {
	if p.zone != "" {
		var err error
		if given, err = zone(p.zone); err != nil {
			return time.Time{}, err
		}
	}
	return local(p.civil, given), nil
}

// local is the instant at which clocks in a zone show a civil time.
func local(civil time.Time, l *time.Location) time.Time {
	return time.Date(civil.Year(), civil.Month(), civil.Day(), civil.Hour(), civil.Minute(), civil.Second(), civil.Nanosecond(), l).UTC()
}

// inUTC is a time in UTC at which clocks there show what clocks show at t in its zone.
func inUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// fraction writes the part of a second, in three or six digits, or nothing.
func fraction(t time.Time) string {
	micros := t.Nanosecond() / 1000
	switch {
	case micros == 0:
		return ""
	case micros%1000 == 0:
		return fmt.Sprintf(".%03d", micros/1000)
	}
	return fmt.Sprintf(".%06d", micros)
}

// timestampText writes an instant with its offset from UTC, which has minutes only where it must.
func timestampText(t time.Time) string {
	text := t.Format(time.DateTime) + fraction(t)
	_, seconds := t.Zone()
	if seconds%3600 == 0 {
		return text + t.Format("-07")
	}
	return text + t.Format("-07:00")
}
