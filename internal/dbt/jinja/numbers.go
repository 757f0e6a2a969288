package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Filters of numbers.

func absolute(_ *state, in Value, a *Arguments) (Value, error) {
	i, f, isWhole, ok := number(in)
	switch {
	case !ok:
		return nil, fmt.Errorf("takes a number, not %s", aType(in))
	case isWhole && i < 0:
		return operateWhole("-", 0, i)
	case isWhole:
		return i, a.Take(0, nil)
	}
	return math.Abs(f), a.Take(0, nil)
}

func toInt(_ *state, in Value, a *Arguments) (Value, error) {
	var fallback, base Value = int64(0), int64(10)
	if err := a.Take(0, []string{"default", "base"}, &fallback, &base); err != nil {
		return nil, err
	}
	switch v := in.(type) {
	case *Undefined:
		return nil, v.err()
	case string:
		radix, _, _, _ := number(base)
		text := strings.ToLower(strings.TrimFunc(v, isSpace))
		if strings.Contains(text, "_") {
			return nil, errors.New("a number with _ in it is not supported")
		}
		if n, err := strconv.ParseInt(strings.TrimPrefix(text, map[int64]string{16: "0x", 8: "0o", 2: "0b"}[radix]), int(radix), 64); err == nil {
			return n, nil
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && !strings.Contains(text, "x") && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return wholeOf(f)
		}
		return fallback, nil
	}
	i, f, isWhole, ok := number(in)
	switch {
	case !ok, !isWhole && (math.IsInf(f, 0) || math.IsNaN(f)):
		return fallback, nil
	case isWhole:
		return i, nil
	}
	return wholeOf(f)
}

func wholeOf(f float64) (Value, error) {
	if math.Abs(f) >= 1<<63 {
		return nil, errOverflow
	}
	return int64(f), nil
}

func toFloat(_ *state, in Value, a *Arguments) (Value, error) {
	var fallback Value = 0.0
	if err := a.Take(0, []string{"default"}, &fallback); err != nil {
		return nil, err
	}
	if text, ok := in.(string); ok {
		text = strings.ToLower(strings.TrimFunc(text, isSpace))
		if f, err := strconv.ParseFloat(text, 64); (err == nil || math.IsInf(f, 0)) && !strings.ContainsAny(text, "xp_") {
			return f, nil
		}
		return fallback, nil
	}
	if u, ok := in.(*Undefined); ok {
		return nil, u.err()
	}
	if _, f, _, ok := number(in); ok {
		return f, nil
	}
	return fallback, nil
}

func rounded(_ *state, in Value, a *Arguments) (Value, error) {
	var precision, how Value = int64(0), "common"
	if err := a.Take(0, []string{"precision", "method"}, &precision, &how); err != nil {
		return nil, err
	}
	i, f, isWhole, ok := number(in)
	places, _, wholePlaces, ok2 := number(precision)
	if !ok || !ok2 || !wholePlaces {
		return nil, fmt.Errorf("takes numbers, not %s", aType(in))
	}
	if places < 0 || places > 300 {
		return nil, errors.New("a precision below 0 is not supported")
	}
	switch how {
	case "common":
		if isWhole {
			return i, nil
		}
		return strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(places), 64), 64)
	case "ceil", "floor":
		scale := math.Pow(10, float64(places))
		if how == "ceil" {
			return math.Ceil(f*scale) / scale, nil
		}
		return math.Floor(f*scale) / scale, nil
	}
	return nil, errors.New("the method is common, ceil or floor")
}
