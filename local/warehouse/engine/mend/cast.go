package mend

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	googlesql "github.com/goccy/go-googlesql"
	"github.com/goccy/go-json"
)

type kind = googlesql.TypeKind

// castType reads the emulator's description of a type.
func castType(description any) (kind, bool) {
	text, ok := decode(description).(string)
	if !ok {
		return 0, false
	}
	if known, ok := castTypes.Load(text); ok {
		return known.(kind), true
	}
	var t struct {
		Kind int `json:"kind"`
	}
	if json.Unmarshal([]byte(text), &t) != nil {
		return 0, false
	}
	castTypes.Store(text, kind(t.Kind))
	return kind(t.Kind), true
}

var castTypes sync.Map // of kinds, by description

// cast gets the value, the type that it has, the one that it is to have, and whether a failure gives NULL.
func cast(original scalar) scalar {
	return func(args ...any) (any, error) {
		if len(args) != 4 || args[0] == nil {
			return original(args...)
		}
		from, known := castType(args[1])
		to, ok := castType(args[2])
		if !known || !ok {
			return original(args...)
		}
		result, done, err := castNested(original, to, args)
		if !done {
			result, done, err = convert(decode(args[0]), from, to)
		}
		switch {
		case err == nil && !done:
			return original(args...)
		case err != nil && args[3] == int64(1):
			return nil, nil
		case err != nil:
			return nil, err
		}
		if f, ok := result.(float64); ok && math.IsNaN(f) {
			return nil, refuse(noNaN)
		}
		return encode(result), nil
	}
}

// convert is CAST. done is false for what the emulator does well.
func convert(v any, from, to kind) (result any, done bool, err error) {
	switch to {
	case googlesql.TypeKindTypeString:
		return toText(v, from)
	case googlesql.TypeKindTypeInt64:
		return toWhole(v)
	case googlesql.TypeKindTypeDouble:
		return toFloat(v)
	case googlesql.TypeKindTypeNumeric:
		return toNumeric(v)
	case googlesql.TypeKindTypeBool:
		return toBool(v)
	case googlesql.TypeKindTypeBytes:
		if text, ok := v.(string); ok {
			return []byte(text), true, nil
		}
	case googlesql.TypeKindTypeDate, googlesql.TypeKindTypeDatetime, googlesql.TypeKindTypeTime, googlesql.TypeKindTypeTimestamp:
		return toTime(v, to)
	}
	return nil, false, nil
}

func toText(v any, from kind) (any, bool, error) {
	switch v := v.(type) {
	case []byte:
		if !utf8.Valid(v) {
			return nil, true, errors.New("Invalid UTF-8 in a cast of BYTES to STRING; use SAFE_CONVERT_BYTES_TO_STRING")
		}
		return string(v), true, nil
	case int64:
		if from == googlesql.TypeKindTypeBool {
			return strconv.FormatBool(v != 0), true, nil
		}
		return strconv.FormatInt(v, 10), true, nil
	case float64:
		return floatText(v), true, nil
	case numeric:
		return decimal(v.Rat, 38), true, nil
	case date:
		return time.Time(v).Format(time.DateOnly), true, nil
	case datetime:
		return time.Time(v).Format(time.DateTime) + fraction(time.Time(v)), true, nil
	case clock:
		return time.Time(v).Format(time.TimeOnly) + fraction(time.Time(v)), true, nil
	case timestamp:
		return timestampText(time.Time(v)), true, nil
	}
	return nil, false, nil
}

// floatText writes a number with 15 digits, or with 17 where it does not read back the same otherwise.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	case f == 0:
		return "0" // without a sign
	}
	text := strconv.FormatFloat(f, 'g', 15, 64)
	if same, err := strconv.ParseFloat(text, 64); err == nil && same == f {
		return text
	}
	return strconv.FormatFloat(f, 'g', 17, 64)
}

func toWhole(v any) (any, bool, error) {
	switch v := v.(type) {
	case float64:
		rounded := math.Round(v)
		if !(rounded >= -(1<<63) && rounded < 1<<63) {
			return nil, true, fmt.Errorf("Illegal conversion of non-finite or too large floating point number to an integer: %v", v)
		}
		return int64(rounded), true, nil
	case numeric:
		whole := roundAway(v.Rat)
		if !whole.IsInt64() {
			return nil, true, errOverflow
		}
		return whole.Int64(), true, nil
	case string:
		digits, base := strings.TrimSpace(v), 10
		sign := ""
		if strings.HasPrefix(digits, "-") || strings.HasPrefix(digits, "+") {
			sign, digits = digits[:1], digits[1:]
		}
		if len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X") {
			digits, base = digits[2:], 16
		}
		n, err := strconv.ParseInt(sign+digits, base, 64)
		if err != nil || strings.HasPrefix(digits, "+") || strings.HasPrefix(digits, "-") {
			return nil, true, fmt.Errorf("Bad int64 value: %s", v)
		}
		return n, true, nil
	}
	return nil, false, nil
}

func toFloat(v any) (any, bool, error) {
	switch v := v.(type) {
	case string:
		text := strings.ToLower(strings.TrimSpace(v))
		f, err := strconv.ParseFloat(text, 64)
		if errors.Is(err, strconv.ErrRange) && !math.IsInf(f, 0) {
			err = nil
		}
		if err != nil || strings.ContainsAny(text, "_xp") {
			return nil, true, fmt.Errorf("Bad double value: %s", v)
		}
		return f, true, nil
	case numeric:
		f, _ := v.Float64()
		return f, true, nil
	case int64:
		return float64(v), true, nil
	}
	return nil, false, nil
}

func toNumeric(v any) (any, bool, error) {
	var r *big.Rat
	switch v := v.(type) {
	case string:
		var err error
		if r, err = parseDecimal(strings.TrimSpace(v)); err != nil {
			return nil, true, fmt.Errorf("Invalid NUMERIC value: %s", v)
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, true, errors.New("Illegal conversion of non-finite floating point number to numeric")
		}
		r = new(big.Rat).SetFloat64(v)
	case int64:
		r = new(big.Rat).SetInt64(v)
	case numeric:
		r = v.Rat
	default:
		return nil, false, nil
	}
	n, err := newNumeric(r)
	return n, true, err
}

// parseDecimal reads a decimal number, with an exponent or without.
func parseDecimal(text string) (*big.Rat, error) {
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" || len(text) > 100 {
		return nil, errors.New("no number")
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > 100 || n < -100 {
			return nil, errors.New("no number")
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, errors.New("no number")
	}
	return r, nil
}

func toBool(v any) (any, bool, error) {
	switch v := v.(type) {
	case int64:
		return v != 0, true, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true":
			return true, true, nil
		case "false":
			return false, true, nil
		}
		return nil, true, fmt.Errorf("Bad bool value: %s", v)
	}
	return nil, false, nil
}

func toTime(v any, to kind) (any, bool, error) {
	var t time.Time
	switch v := v.(type) {
	case string:
		return textToTime(v, to)
	case date:
		t = time.Time(v)
	case datetime:
		t = time.Time(v)
	case timestamp:
		t = time.Time(v).UTC()
	case clock:
		t = time.Time(v)
	default:
		return nil, false, nil
	}
	return as(t, to), true, nil
}

// as makes a value of a type of a time in UTC.
func as(t time.Time, to kind) any {
	switch to {
	case googlesql.TypeKindTypeDate:
		return date(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC))
	case googlesql.TypeKindTypeDatetime:
		return datetime(t)
	case googlesql.TypeKindTypeTime:
		return clock(t)
	}
	return timestamp(t)
}

func textToTime(text string, to kind) (any, bool, error) {
	p, err := parseTime(text)
	switch {
	case err != nil:
	case to == googlesql.TypeKindTypeTimestamp && p.date:
		at, err := p.in(time.UTC)
		if err == nil {
			return timestamp(at), true, nil
		}
	case to == googlesql.TypeKindTypeDatetime && p.date && p.zone == "":
		return datetime(p.civil), true, nil
	case to == googlesql.TypeKindTypeDate && p.date && p.zone == "":
		return as(p.civil, to), true, nil
	case to == googlesql.TypeKindTypeTime && !p.date && p.zone == "":
		return clock(p.civil), true, nil
	}
	names := map[kind]string{
		googlesql.TypeKindTypeDate: "date", googlesql.TypeKindTypeDatetime: "datetime string", googlesql.TypeKindTypeTime: "time string", googlesql.TypeKindTypeTimestamp: "timestamp",
	}
	return nil, true, fmt.Errorf("Invalid %s: '%s'", names[to], text)
}
