package mend

import (
	"fmt"
	"time"
)

// mixing are the functions of which two numbers have one type. The emulator keeps whole FLOAT64 inside of an ARRAY or
// STRUCT as whole numbers, and then cuts the other number off.
var mixing = []string{
	"add", "subtract", "multiply", "safe_add", "safe_subtract", "safe_multiply", "equal", "not_equal", "less", "less_or_equal", "greater",
	"greater_or_equal", "between", "in", "greatest", "least", "is_distinct_from", "is_not_distinct_from", "nullif",
}

// dividing are the functions that divide no whole numbers.
var dividing = []string{"divide", "safe_divide", "ieee_divide"}

// useFloats has numbers of two types compared and calculated with as FLOAT64.
func useFloats() error {
	for _, name := range mixing {
		if err := replace(name, func(f scalar) scalar {
			return func(args ...any) (any, error) { return f(alike(args)...) }
		}); err != nil {
			return err
		}
	}
	for _, name := range dividing {
		if err := replace(name, func(f scalar) scalar {
			return func(args ...any) (any, error) { return f(floats(args)...) }
		}); err != nil {
			return err
		}
	}
	return nil
}

// alike makes whole numbers FLOAT64 where one of the numbers is.
func alike(args []any) []any {
	for _, arg := range args {
		if _, ok := arg.(float64); ok {
			return floats(args)
		}
	}
	return args
}

func floats(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = arg
		if n, ok := arg.(int64); ok {
			out[i] = float64(n)
		}
	}
	return out
}

// nullUnlessEqual is NULLIF: with NULL nothing is equal.
func nullUnlessEqual(original scalar) scalar {
	return func(args ...any) (any, error) {
		if len(args) == 2 && args[1] == nil {
			return args[0], nil
		}
		return original(args...)
	}
}

// groupKey is what GROUP BY and DISTINCT tell values apart by: the emulator's has no fractions of seconds.
func groupKey(v any) (any, error) {
	switch v := decode(v).(type) {
	case timestamp:
		return time.Time(v).UTC().Format("2006-01-02T15:04:05.000000Z"), nil
	case datetime:
		return time.Time(v).Format("2006-01-02T15:04:05.000000"), nil
	case clock:
		return time.Time(v).Format("15:04:05.000000"), nil
	case date:
		return time.Time(v).Format(time.DateOnly), nil
	case numeric:
		return decimal(v.Rat, 38), nil
	case document:
		return nil, fmt.Errorf("JSON cannot be grouped by")
	case other:
		if body, ok := bodyOf(v.text, "interval"); ok {
			return nil, refuse("GROUP BY and DISTINCT of an INTERVAL, such as " + body)
		}
		return v.text, nil
	default:
		return v, nil
	}
}
