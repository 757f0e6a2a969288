package mend

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

// lastDay is LAST_DAY of the span of a part in which a date is.
func lastDay(args []any) (any, bool, error) {
	t, ok := civilTime(args[0])
	part := "MONTH"
	if len(args) > 1 {
		part, _ = args[1].(string)
	}
	begin, err := floor(t, part)
	if err != nil || !ok {
		return nil, ok, err
	}
	if _, week := weekdays[part]; week {
		return date(begin.AddDate(0, 0, 6)), true, nil
	}
	next := map[string]time.Time{"MONTH": begin.AddDate(0, 1, 0), "QUARTER": begin.AddDate(0, 3, 0), "YEAR": begin.AddDate(1, 0, 0)}[part]
	if part == "ISOYEAR" {
		next, _ = floor(begin.AddDate(0, 0, 53*7), part) // a year has 52 or 53 weeks
	}
	if next.IsZero() {
		return nil, false, nil
	}
	return date(next.AddDate(0, 0, -1)), true, nil
}

// addMonths adds months: of a day that the month has not, it takes the last.
func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// dateSteps is GENERATE_DATE_ARRAY.
func dateSteps(args []any) (any, bool, error) {
	from, first := args[0].(date)
	to, second := args[1].(date)
	if !first || !second || len(args) != 4 {
		return nil, false, nil
	}
	step, isNumber := args[2].(int64)
	part, isText := args[3].(string)
	days := map[string]int{"DAY": 1, "WEEK": 7}[part]
	months := map[string]int{"MONTH": 1, "QUARTER": 3, "YEAR": 12}[part]
	if !isNumber || !isText || days+months == 0 {
		return nil, false, nil
	}
	if step == 0 {
		return nil, true, errors.New("Sequence step cannot be 0.")
	}
	var list []any
	for i := 0; ; i++ {
		at := addMonths(time.Time(from), i*int(step)*months).AddDate(0, 0, i*int(step)*days)
		if step > 0 && at.After(time.Time(to)) || step < 0 && at.Before(time.Time(to)) {
			return array(list), true, nil
		}
		if len(list) == 1<<20 {
			return nil, true, errors.New("Cannot generate an array with more than 1048576 elements")
		}
		list = append(list, encode(date(at)))
	}
}

var intervalBody = regexp.MustCompile(`^(-?)(\d+)-(\d+) (-?\d+) (-?)(\d+):(\d+):(\d+)(?:\.(\d{1,6}))?$`)

// interval is an INTERVAL in its three parts.
type interval struct {
	months, days int
	micros       int64
}

func readInterval(v any) (interval, bool) {
	body, ok := bodyOf(v, "interval")
	m := intervalBody.FindStringSubmatch(body)
	if !ok || m == nil {
		return interval{}, false
	}
	n := func(i int) int { value, _ := strconv.Atoi(m[i]); return value }
	fraction, _ := strconv.Atoi((m[9] + "000000")[:6])
	i := interval{n(2)*12 + n(3), n(4), ((int64(n(6))*60+int64(n(7)))*60+int64(n(8)))*1e6 + int64(fraction)}
	if m[1] != "" {
		i.months = -i.months
	}
	if m[5] != "" {
		i.micros = -i.micros
	}
	return i, true
}

// withInterval adds an INTERVAL of months to a DATE or DATETIME, or takes it away. Others the emulator does well.
func withInterval(sign int, rest better) better {
	return func(original scalar) scalar {
		then := rest(original)
		return func(args ...any) (any, error) {
			if len(args) != 2 || anyNull(args) {
				return then(args...)
			}
			a, b := decode(args[0]), args[1]
			if _, first := readInterval(args[0]); first && sign > 0 {
				a, b = decode(args[1]), args[0]
			}
			by, isInterval := readInterval(b)
			t, isCivil := civilTime(a)
			if _, isClock := a.(clock); !isInterval || !isCivil || isClock || by.months == 0 {
				return then(args...)
			}
			t = addMonths(t, sign*by.months).AddDate(0, 0, sign*by.days).Add(time.Duration(int64(sign)*by.micros) * time.Microsecond)
			return encode(datetime(t)), nil
		}
	}
}

// forward refuses a RANGE that ends before it begins.
func forward(args []any) (any, bool, error) {
	moment := func(v any) (time.Time, bool) {
		if at, ok := v.(timestamp); ok {
			return time.Time(at), true
		}
		return civilTime(v)
	}
	begin, first := moment(args[0])
	end, second := moment(args[1])
	if first && second && !begin.Before(end) {
		return nil, true, errors.New("Range start element must be smaller than range end element")
	}
	return nil, false, nil
}

// unlessNull is a mend for functions of which a NULL means something: the original gets it.
func unlessNull(f func(args []any) (any, bool, error)) better {
	return func(original scalar) scalar {
		mended := strict(f)(original)
		return func(args ...any) (any, error) {
			if anyNull(args) {
				return original(args...)
			}
			return mended(args...)
		}
	}
}

// quarters is DATE_SUB and DATETIME_SUB: a quarter is three months.
func quarters(original scalar) scalar {
	return func(args ...any) (any, error) {
		if n, ok := args[1].(int64); ok && len(args) == 3 && decode(args[2]) == "QUARTER" && n < 1e6 && n > -1e6 {
			return original(args[0], 3*n, encode("MONTH"))
		}
		return original(args...)
	}
}
