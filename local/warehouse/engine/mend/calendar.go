package mend

import (
	"errors"
	"fmt"
	"time"

	googlesql "github.com/goccy/go-googlesql"
)

// units are the parts that are always as long, in microseconds. Clocks of a zone may have longer and shorter days, but
// instants differ by days of 24 hours, and times without a zone have no others.
var units = map[string]int64{
	"MICROSECOND": 1, "MILLISECOND": 1e3, "SECOND": 1e6, "MINUTE": 60e6, "HOUR": 3600e6, "DAY": 24 * 3600e6,
}

var weekdays = map[string]time.Weekday{
	"WEEK": time.Sunday, "WEEK_SUNDAY": time.Sunday, "WEEK_MONDAY": time.Monday, "ISOWEEK": time.Monday, "WEEK_TUESDAY": time.Tuesday,
	"WEEK_WEDNESDAY": time.Wednesday, "WEEK_THURSDAY": time.Thursday, "WEEK_FRIDAY": time.Friday, "WEEK_SATURDAY": time.Saturday,
}

// civilTime is the time of a value without a zone.
func civilTime(v any) (time.Time, bool) {
	switch v := v.(type) {
	case date:
		return time.Time(v), true
	case datetime:
		return time.Time(v), true
	case clock:
		return time.Time(v), true
	}
	return time.Time{}, false
}

// onClocks is what clocks show at a time: at an instant in the zone that is given, or in UTC. The result has that zone.
func onClocks(v any, given []any) (t time.Time, ok bool, err error) {
	at, instant := v.(timestamp)
	if !instant {
		t, ok = civilTime(v)
		return t, ok, nil
	}
	l, err := zoneOf(given)
	return time.Time(at).In(l), true, err
}

// zoneOf is the zone that a function is given as its last argument, or UTC.
func zoneOf(given []any) (*time.Location, error) {
	if len(given) == 0 {
		return time.UTC, nil
	}
	name, _ := given[0].(string)
	return zone(name)
}

// floorDiv divides and rounds down.
func floorDiv(a, b int64) int64 {
	if q := a / b; a%b == 0 || (a < 0) == (b < 0) {
		return q
	} else {
		return q - 1
	}
}

func days(t time.Time) int64 { return floorDiv(t.UnixMicro(), units["DAY"]) }

// boundaries numbers the spans of a part since some time, so that a difference counts the boundaries between two times.
func boundaries(t time.Time, part string) (int64, error) {
	if unit, ok := units[part]; ok {
		return floorDiv(t.UnixMicro(), unit), nil
	}
	if first, ok := weekdays[part]; ok {
		return floorDiv(days(t)+4-int64(first), 7), nil // the first day of 1970 was a Thursday
	}
	switch part {
	case "MONTH":
		return int64(t.Year())*12 + int64(t.Month()) - 1, nil
	case "QUARTER":
		return int64(t.Year())*4 + int64(t.Month()-1)/3, nil
	case "YEAR":
		return int64(t.Year()), nil
	case "ISOYEAR":
		year, _ := t.ISOWeek()
		return int64(year), nil
	}
	return 0, fmt.Errorf("unknown date part %s", part)
}

// difference is DATE_DIFF, DATETIME_DIFF and TIME_DIFF.
func difference(args []any) (any, bool, error) {
	a, first := civilTime(args[0])
	b, second := civilTime(args[1])
	part, third := args[2].(string)
	if !first || !second || !third {
		return nil, false, nil
	}
	from, err := boundaries(b, part)
	if err != nil {
		return nil, true, err
	}
	to, err := boundaries(a, part)
	return to - from, true, err
}

// elapsed is TIMESTAMP_DIFF: whole units between two instants.
func elapsed(args []any) (any, bool, error) {
	a, first := args[0].(timestamp)
	b, second := args[1].(timestamp)
	part, third := args[2].(string)
	unit := units[part]
	if !first || !second || !third || unit == 0 {
		return nil, false, nil
	}
	return (time.Time(a).UnixMicro() - time.Time(b).UnixMicro()) / unit, true, nil
}

// floor is the beginning of the span of a part in which a civil time is.
func floor(t time.Time, part string) (time.Time, error) {
	if unit, ok := units[part]; ok {
		return time.UnixMicro(floorDiv(t.UnixMicro(), unit) * unit).UTC(), nil
	}
	day := time.UnixMicro(days(t) * units["DAY"]).UTC()
	if first, ok := weekdays[part]; ok {
		return day.AddDate(0, 0, -int((day.Weekday()-first+7)%7)), nil
	}
	switch part {
	case "MONTH":
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC), nil
	case "QUARTER":
		return time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC), nil
	case "YEAR":
		return time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, time.UTC), nil
	case "ISOYEAR":
		year, _ := t.ISOWeek()
		return floor(time.Date(year, time.January, 4, 0, 0, 0, 0, time.UTC), "ISOWEEK")
	}
	return t, fmt.Errorf("unknown date part %s", part)
}

// truncateTime is DATE_TRUNC, DATETIME_TRUNC and TIME_TRUNC.
func truncateTime(args []any) (any, bool, error) {
	t, ok := civilTime(args[0])
	part, known := args[1].(string)
	if !ok || !known || len(args) != 2 {
		return nil, false, nil
	}
	begin, err := floor(t, part)
	if err != nil {
		return nil, true, err
	}
	return like(args[0], begin), true, nil
}

// like makes a value of the type of another.
func like(v any, t time.Time) any {
	switch v.(type) {
	case date:
		return as(t, googlesql.TypeKindTypeDate)
	case datetime:
		return datetime(t)
	case clock:
		return clock(t)
	}
	return timestamp(t)
}

// extract reads a part of a time.
func extract(args []any) (any, bool, error) {
	part, _ := args[1].(string)
	t, ok, err := onClocks(args[0], args[2:])
	if err != nil || !ok {
		return nil, ok, err
	}
	if result := civilPart(t, part); result != nil {
		return result, true, nil
	}
	return nil, true, fmt.Errorf("unknown date part %s", part)
}

func civilPart(t time.Time, part string) any {
	isoYear, isoWeek := t.ISOWeek()
	numbers := map[string]int{
		"YEAR": t.Year(), "MONTH": int(t.Month()), "DAY": t.Day(), "HOUR": t.Hour(), "MINUTE": t.Minute(), "SECOND": t.Second(),
		"MILLISECOND": t.Nanosecond() / 1e6, "MICROSECOND": t.Nanosecond() / 1e3, "QUARTER": int(t.Month()-1)/3 + 1,
		"DAYOFWEEK": int(t.Weekday()) + 1, "DAYOFYEAR": t.YearDay(), "ISOYEAR": isoYear, "ISOWEEK": isoWeek,
	}
	if n, ok := numbers[part]; ok {
		return int64(n)
	}
	if first, ok := weekdays[part]; ok {
		return int64(weekOfYear(t, first))
	}
	switch part {
	case "DATE":
		return as(t, googlesql.TypeKindTypeDate)
	case "DATETIME":
		return datetime(t)
	case "TIME":
		return clock(t)
	}
	return nil
}

// weekOfYear counts the weeks that begin in the year: the days before the first of them are in week 0.
func weekOfYear(t time.Time, first time.Weekday) int {
	sinceFirst := int((t.Weekday() - first + 7) % 7)
	return (t.YearDay() - 1 - sinceFirst + 7) / 7
}

// extractAs gives EXTRACT's forms with a part of their own the part.
func extractAs(part string) better {
	return strict(func(args []any) (any, bool, error) {
		return extract(append([]any{args[0], part}, args[1:]...))
	})
}

// newDate is DATE.
func newDate(args []any) (any, bool, error) {
	switch v := args[0].(type) {
	case int64:
		if len(args) != 3 {
			return nil, false, nil
		}
		month, _ := args[1].(int64)
		day, _ := args[2].(int64)
		t := time.Date(int(v), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
		if int64(t.Year()) != v || int64(t.Month()) != month || int64(t.Day()) != day || v < 1 || v > 9999 {
			return nil, true, errors.New("Input calculates to invalid date")
		}
		return date(t), true, nil
	case timestamp:
		t, _, err := onClocks(v, args[1:])
		return as(t, googlesql.TypeKindTypeDate), true, err
	case string:
		return textToTime(v, googlesql.TypeKindTypeDate)
	}
	return nil, false, nil
}

// newDatetime is DATETIME of its parts.
func newDatetime(args []any) (any, bool, error) {
	switch v := args[0].(type) {
	case timestamp:
		t, _, err := onClocks(v, args[1:])
		return datetime(t), true, err
	case string:
		return textToTime(v, googlesql.TypeKindTypeDatetime)
	case datetime:
		return v, true, nil
	}
	if len(args) != 6 {
		return nil, false, nil
	}
	n := make([]int, 6)
	for i := range n {
		part, ok := args[i].(int64)
		if !ok {
			return nil, false, nil
		}
		n[i] = int(part)
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	if t.Year() != n[0] || int(t.Month()) != n[1] || t.Day() != n[2] || t.Hour() != n[3] || t.Minute() != n[4] || t.Second() != n[5] || n[0] < 1 || n[0] > 9999 {
		return nil, true, errors.New("Input calculates to invalid datetime")
	}
	return datetime(t), true, nil
}

// newTime is TIME.
func newTime(args []any) (any, bool, error) {
	switch v := args[0].(type) {
	case timestamp:
		t, _, err := onClocks(v, args[1:])
		return clock(t), true, err
	case int64:
		if len(args) == 3 {
			minute, _ := args[1].(int64)
			second, _ := args[2].(int64)
			if v < 0 || v > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
				return nil, true, errors.New("Input calculates to invalid time")
			}
		}
	}
	return nil, false, nil
}

// newTimestamp is TIMESTAMP.
func newTimestamp(args []any) (any, bool, error) {
	l, err := zoneOf(args[1:])
	if err != nil {
		return nil, true, err
	}
	switch v := args[0].(type) {
	case string:
		p, err := parseTime(v)
		if err == nil && p.date && (p.zone == "" || len(args) == 1) {
			at, err := p.in(l)
			return timestamp(at), true, err
		}
		return nil, true, fmt.Errorf("Invalid timestamp: '%s'", v)
	case date, datetime:
		t, _ := civilTime(v)
		return timestamp(local(t, l)), true, nil
	case timestamp:
		return v, true, nil
	}
	return nil, false, nil
}

// timestampString is STRING of a time.
func timestampString(args []any) (any, bool, error) {
	switch v := args[0].(type) {
	case timestamp:
		t, _, err := onClocks(v, args[1:])
		return timestampText(t), true, err
	case document:
		return textOfJSON(v)
	case date, datetime, clock:
		return toText(v, 0)
	}
	return nil, false, nil
}

// between lists the times from one to another, by a step.
func between(args []any) (any, bool, error) {
	from, first := args[0].(timestamp)
	to, second := args[1].(timestamp)
	step, third := args[2].(int64)
	part, fourth := args[3].(string)
	unit := units[part]
	if !first || !second || !third || !fourth || unit == 0 {
		return nil, false, nil
	}
	if step == 0 {
		return nil, true, errors.New("Sequence step cannot be 0.")
	}
	var list []any
	last := time.Time(to).UnixMicro()
	for at := time.Time(from).UnixMicro(); step > 0 && at <= last || step < 0 && at >= last; at += step * unit {
		if len(list) == 1<<20 {
			return nil, true, errors.New("Cannot generate an array with more than 1048576 elements")
		}
		list = append(list, encode(timestamp(time.UnixMicro(at).UTC())))
	}
	return array(list), true, nil
}
