package mend

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"
)

// array makes an array of encoded values.
func array(list []any) any {
	if list == nil {
		list = []any{}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return nil // texts and numbers always encode
	}
	return other{encodeAs("array", string(body))}
}

func encodeAs(header, body string) string {
	raw, _ := json.Marshal(envelope{header, body})
	return base64.StdEncoding.EncodeToString(raw)
}

// contents reads an array, or a struct with its names.
func contents(v other) (names []string, values []any, err error) {
	raw, err := base64.StdEncoding.DecodeString(v.text)
	if err != nil {
		return nil, nil, err
	}
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, nil, err
	}
	decoder := stdjson.NewDecoder(strings.NewReader(e.Body))
	decoder.UseNumber()
	switch e.Header {
	case "array":
		err = decoder.Decode(&values)
	case "struct":
		var s struct {
			Keys   []string `json:"keys"`
			Values []any    `json:"values"`
		}
		err = decoder.Decode(&s)
		names, values = s.Keys, s.Values
		if names == nil {
			names = []string{}
		}
	default:
		err = errors.New("neither an array nor a struct")
	}
	for i, v := range values {
		if n, ok := v.(stdjson.Number); ok {
			if values[i], err = strconv.ParseInt(string(n), 10, 64); err != nil {
				values[i], err = n.Float64()
			}
		}
	}
	return names, values, err
}

// exact is the largest whole number up to which JSON's numbers hold every whole number.
const exact = 1 << 53

// jsonOf writes a value as TO_JSON_STRING does.
func jsonOf(v any) (string, error) {
	switch v := decode(v).(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		if v > exact || v < -exact {
			return `"` + strconv.FormatInt(v, 10) + `"`, nil
		}
		return strconv.FormatInt(v, 10), nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return strconv.Quote(strings.TrimPrefix(strings.NewReplacer("Inf", "Infinity").Replace(fmt.Sprint(v)), "+")), nil
		}
		return floatText(v), nil
	case string:
		return quoted(v), nil
	case []byte:
		return `"` + base64.StdEncoding.EncodeToString(v) + `"`, nil
	case document:
		return canonical(string(v)), nil
	case numeric:
		text := decimal(v.Rat, 38)
		if v.IsInt() && new(big.Int).Abs(v.Num()).Cmp(big.NewInt(exact)) <= 0 {
			return text, nil
		}
		return `"` + text + `"`, nil
	case date:
		return time.Time(v).Format(`"2006-01-02"`), nil
	case datetime:
		return time.Time(v).Format(`"2006-01-02T15:04:05`) + fraction(time.Time(v)) + `"`, nil
	case clock:
		return time.Time(v).Format(`"15:04:05`) + fraction(time.Time(v)) + `"`, nil
	case timestamp:
		return time.Time(v).UTC().Format(`"2006-01-02T15:04:05`) + fraction(time.Time(v)) + `Z"`, nil
	case other:
		return jsonOfMany(v)
	}
	return "", fmt.Errorf("a value of type %T has no JSON", v)
}

func jsonOfMany(v other) (string, error) {
	names, values, err := contents(v)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(values))
	for i, value := range values {
		if parts[i], err = jsonOf(value); err != nil {
			return "", err
		}
		if names != nil {
			parts[i] = quoted(names[i]) + ":" + parts[i]
		}
	}
	if names != nil {
		return "{" + strings.Join(parts, ",") + "}", nil
	}
	return "[" + strings.Join(parts, ",") + "]", nil
}

// quoted is a text as a JSON string.
func quoted(text string) string {
	var out bytes.Buffer
	encoder := stdjson.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return `""` // a string always encodes
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// canonical sorts the names of objects and drops spaces; numbers stay as they are written.
func canonical(text string) string {
	decoder := stdjson.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return text
	}
	var out bytes.Buffer
	encoder := stdjson.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(v) != nil {
		return text
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// step is a name or, where it is not negative, an index.
type step struct {
	name  string
	index int
}

// jsonPath reads $.a."b c"['d'][0].
func jsonPath(path string) ([]step, bool) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, false
	}
	var steps []step
	for rest != "" {
		var name string
		switch {
		case strings.HasPrefix(rest, `."`):
			if name, rest, ok = strings.Cut(rest[2:], `"`); !ok {
				return nil, false
			}
			steps = append(steps, step{name, -1})
		case rest[0] == '.':
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			if name, rest = rest[1:end+1], rest[end+1:]; name == "" || name == "*" {
				return nil, false
			}
			steps = append(steps, step{name, -1})
		case strings.HasPrefix(rest, `['`):
			if name, rest, ok = strings.Cut(rest[2:], `']`); !ok {
				return nil, false
			}
			steps = append(steps, step{name, -1})
		default:
			if name, rest, ok = strings.Cut(rest[1:], `]`); !ok {
				return nil, false
			}
			index, err := strconv.Atoi(name)
			if err != nil || index < 0 {
				return nil, false
			}
			steps = append(steps, step{"", index})
		}
	}
	return steps, true
}

// follow finds what a path leads to; nil where there is nothing.
func follow(raw stdjson.RawMessage, steps []step) stdjson.RawMessage {
	for _, s := range steps {
		if s.index >= 0 {
			var list []stdjson.RawMessage
			if stdjson.Unmarshal(raw, &list) != nil || s.index >= len(list) {
				return nil
			}
			raw = list[s.index]
			continue
		}
		var fields map[string]stdjson.RawMessage
		if stdjson.Unmarshal(raw, &fields) != nil {
			return nil
		}
		raw = fields[s.name]
	}
	return raw
}

// jsonScalar is JSON_VALUE and JSON_EXTRACT_SCALAR: a number keeps the digits that it is written with.
func jsonScalar(args []any) (any, bool, error) {
	var text string
	switch v := args[0].(type) {
	case string:
		text = v
	case document:
		text = string(v)
	default:
		return nil, false, nil
	}
	path := "$"
	if len(args) == 2 {
		path, _ = args[1].(string)
	}
	steps, ok := jsonPath(path)
	if !ok || !stdjson.Valid([]byte(text)) {
		return nil, false, nil
	}
	raw := bytes.TrimSpace(follow(stdjson.RawMessage(text), steps))
	var content string
	switch {
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null":
		return nil, true, nil
	case raw[0] == '"':
		if err := stdjson.Unmarshal(raw, &content); err != nil {
			return nil, true, err
		}
		return content, true, nil
	}
	return string(raw), true, nil
}
