package mend

import (
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"
)

// Values as Go has them. SQLite has INT64 and BOOL as int64, FLOAT64 as float64, and anything else as a text that holds
// the type's name and the value, see envelope.
type (
	date      time.Time // at midnight, UTC
	datetime  time.Time // in UTC
	clock     time.Time // of some day, in UTC
	timestamp time.Time
	document  string // JSON
	numeric   struct {
		*big.Rat
		big bool // BIGNUMERIC
	}
	other struct{ text string } // an array, struct, interval or geography, as it is
)

type envelope struct {
	Header string `json:"header"`
	Body   string `json:"body"`
}

// decode reads a value of SQLite's.
func decode(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	e, ok := open(text)
	if !ok {
		return text
	}
	switch e.Header {
	case "string":
		return e.Body
	case "bytes":
		if b, err := base64.StdEncoding.DecodeString(e.Body); err == nil {
			return b
		}
	case "json":
		return document(e.Body)
	case "numeric", "bignumeric":
		if r, ok := new(big.Rat).SetString(e.Body); ok {
			return numeric{r, e.Header == "bignumeric"}
		}
	case "date":
		if t, err := time.Parse(time.DateOnly, e.Body); err == nil {
			return date(t)
		}
	case "datetime":
		if t, err := time.Parse("2006-01-02 15:04:05.999999", strings.Replace(e.Body, "T", " ", 1)); err == nil {
			return datetime(t)
		}
	case "time":
		if t, err := time.Parse("15:04:05.999999", e.Body); err == nil {
			return clock(t)
		}
	case "timestamp":
		if micros, err := strconv.ParseInt(e.Body, 10, 64); err == nil {
			return timestamp(time.UnixMicro(micros).UTC())
		}
	}
	return other{text}
}

// opening begins each envelope: {"header" in base 64.
const opening = "eyJoZWFkZXIi"

// open reads the envelope that a text is, if it is one.
func open(text string) (e envelope, ok bool) {
	if !strings.HasPrefix(text, opening) {
		return e, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return e, false
	}
	if e, ok = openPlain(raw); ok {
		return e, true
	}
	return e, json.Unmarshal(raw, &e) == nil && e.Header != ""
}

// openPlain reads an envelope without anything that JSON escapes, of which most are.
func openPlain(raw []byte) (e envelope, ok bool) {
	rest, begins := strings.CutPrefix(string(raw), `{"header":"`)
	rest, ends := strings.CutSuffix(rest, `"}`)
	header, body, parts := strings.Cut(rest, `","body":"`)
	if !begins || !ends || !parts || header == "" || strings.ContainsFunc(header, escaped) || strings.ContainsFunc(body, escaped) {
		return e, false
	}
	return envelope{header, body}, true
}

// escaped says whether JSON may write a character in another way, or another follows from it.
func escaped(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }

// bodyOf is what the emulator keeps of a value of a type.
func bodyOf(v any, header string) (string, bool) {
	text, _ := v.(string)
	e, ok := open(text)
	return e.Body, ok && e.Header == header
}

func decodeAll(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = decode(arg)
	}
	return out
}

// encode writes a value as the emulator would: it compares some values as texts.
func encode(v any) any {
	var e envelope
	switch v := v.(type) {
	case string:
		e = envelope{"string", v}
	case []byte:
		e = envelope{"bytes", base64.StdEncoding.EncodeToString(v)}
	case document:
		e = envelope{"json", string(v)}
	case date:
		e = envelope{"date", time.Time(v).Format(time.DateOnly)}
	case datetime:
		e = envelope{"datetime", time.Time(v).Format("2006-01-02T15:04:05.999999")}
	case clock:
		e = envelope{"time", time.Time(v).Format("15:04:05.999999")}
	case timestamp:
		e = envelope{"timestamp", strconv.FormatInt(time.Time(v).UnixMicro(), 10)}
	case numeric:
		e = envelope{"numeric", decimal(v.Rat, 9)}
		if v.big {
			e = envelope{"bignumeric", decimal(v.Rat, 38)}
		}
	case other:
		return v.text
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	default:
		return v
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return nil // two strings always encode
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// decimal writes a number with as many digits after the point as it has, and at most so many.
func decimal(r *big.Rat, digits int) string {
	text := r.FloatString(digits)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// anyNull says whether one of the values is NULL.
func anyNull(args []any) bool {
	for _, arg := range args {
		if arg == nil {
			return true
		}
	}
	return false
}

// strict is a mend for functions that give NULL when an argument is NULL: f gets the values decoded, and returns done
// false for what the original is to do.
func strict(f func(args []any) (result any, done bool, err error)) better {
	return func(original scalar) scalar {
		return func(args ...any) (any, error) {
			if anyNull(args) {
				return nil, nil
			}
			result, done, err := f(decodeAll(args))
			if err != nil {
				return nil, err
			}
			if !done {
				return original(args...)
			}
			return encode(result), nil
		}
	}
}
