package mend

import (
	"errors"
	"math"
)

// nullIfAny is a mend for functions that fail on NULL, and do the rest well.
var nullIfAny = strict(func([]any) (any, bool, error) { return nil, false, nil })

// only is the mend of ARRAY[ORDINAL(…)]: at the place that the gateway writes behind subqueries it is the only element.
func only(args []any) (any, bool, error) {
	list, ok := args[0].(other)
	if place, isNumber := args[1].(int64); !ok || !isNumber || place != math.MinInt64+1 {
		return nil, false, nil
	}
	_, values, err := contents(list)
	switch {
	case err != nil || len(values) == 0:
		return nil, true, err
	case len(values) > 1:
		return nil, true, errors.New("Scalar subquery produced more than one element")
	}
	return decode(values[0]), true, nil
}

// isInArray is IN UNNEST: NULL where nothing is equal and something is NULL.
func isInArray(original scalar) scalar {
	return func(args ...any) (any, error) {
		list, ok := decode(args[1]).(other)
		if !ok {
			return encode(false), nil // an array that is NULL has no elements
		}
		_, values, err := contents(list)
		if err != nil || len(values) == 0 {
			return encode(false), err
		}
		if args[0] == nil {
			return nil, nil
		}
		var known []any
		for _, v := range values {
			if v != nil {
				known = append(known, v)
			}
		}
		result, err := encode(hasNumber(known, args[0])), error(nil)
		if _, ok := number(args[0]); !ok {
			result, err = original(args[0], encode(array(known)))
		}
		if err == nil && len(known) < len(values) && isFalse(result) {
			return nil, nil
		}
		return result, err
	}
}

// hasNumber says whether a number is in a list, of whichever type the numbers are kept.
func hasNumber(list []any, sought any) bool {
	n, isWhole := sought.(int64)
	f, _ := number(sought)
	for _, v := range list {
		if m, ok := v.(int64); ok && isWhole {
			if m == n {
				return true
			}
		} else if g, ok := number(v); ok && f == g {
			return true
		}
	}
	return false
}

func isFalse(v any) bool { return v == int64(0) || v == false }

// between is BETWEEN: a bound that is NULL leaves open what the other does not decide.
func isBetween(original scalar) scalar {
	return func(args ...any) (any, error) {
		if args[0] == nil || args[1] == nil && args[2] == nil {
			return nil, nil
		}
		known := []any{args[0], args[1], args[2]}
		for i := 1; i < 3; i++ {
			if known[i] == nil {
				known[i] = args[0]
			}
		}
		result, err := original(known...)
		if err != nil || isFalse(result) || !anyNull(args) {
			return result, err
		}
		return nil, nil
	}
}

// isTruth is IS TRUE and IS FALSE, which are never NULL.
func isTruth(original scalar) scalar {
	return func(args ...any) (any, error) {
		if args[0] == nil {
			return encode(false), nil
		}
		return original(args...)
	}
}

// structsEqual compares structs field by field: one that differs decides, and one that is NULL leaves it open.
func structsEqual(same bool) better {
	return func(original scalar) scalar {
		return func(args ...any) (any, error) {
			if anyNull(args) {
				return nil, nil
			}
			if equal, sure := compared(args[0], args[1]); sure {
				return encode(equal == same), nil
			}
			a, okA := fieldsOf(args[0])
			b, okB := fieldsOf(args[1])
			if !okA || !okB || len(a) != len(b) {
				return original(args...)
			}
			open := false
			for i := range a {
				equal, err := structsEqual(same)(original)(encode(decode(a[i])), encode(decode(b[i])))
				switch {
				case err != nil:
					return nil, err
				case equal == nil:
					open = true
				case isFalse(equal) == same:
					return encode(!same), nil
				}
			}
			if open {
				return nil, nil
			}
			return encode(same), nil
		}
	}
}

func fieldsOf(v any) (values []any, ok bool) {
	many, ok := decode(v).(other)
	if !ok {
		return nil, false
	}
	names, values, err := contents(many)
	return values, err == nil && names != nil
}
