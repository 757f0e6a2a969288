package jinja

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// markup is what the filter tojson gives: Jinja2 takes it for HTML, and would
// escape what is joined to it.
type markup string

func (m markup) String() string { return string(m) }

var errMarkup = errors.New("the text of the filter tojson can only be printed: use the function tojson(…), which gives a string")

func jsonFilter(_ *state, in Value, a *Arguments) (Value, error) {
	if err := a.Take(0, nil); err != nil {
		return nil, fmt.Errorf("an indent is not supported: %w", err)
	}
	text, err := JSON(in, true)
	if err != nil {
		return nil, err
	}
	return markup(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(text)), nil
}

// JSON is a value as Python's json.dumps writes it.
func JSON(v Value, sortKeys bool) (string, error) {
	var out strings.Builder
	err := writeJSON(&out, v, sortKeys, 0)
	return out.String(), err
}

func writeJSON(out *strings.Builder, v Value, sortKeys bool, depth int) error {
	if depth > deepest {
		return errors.New("a list or dict that holds itself has no JSON")
	}
	switch v := v.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case int64:
		out.WriteString(strconv.FormatInt(v, 10))
	case float64:
		out.WriteString(jsonFloat(v))
	case string:
		writeJSONString(out, v)
	case *List:
		return writeJSONItems(out, v.Items, sortKeys, depth)
	case *Tuple:
		return writeJSONItems(out, v.Items, sortKeys, depth)
	case *Dict:
		return writeJSONDict(out, v, sortKeys, depth)
	case *Undefined:
		return v.err()
	default:
		return fmt.Errorf("%s has no JSON", aType(v))
	}
	return nil
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

func writeJSONItems(out *strings.Builder, items []Value, sortKeys bool, depth int) error {
	out.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			out.WriteString(", ")
		}
		if err := writeJSON(out, item, sortKeys, depth+1); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

func writeJSONDict(out *strings.Builder, d *Dict, sortKeys bool, depth int) error {
	keys := d.Keys()
	if sortKeys {
		var err error
		if keys, err = sorted(keys, false, func(v Value) (Value, error) { return v, nil }); err != nil {
			return err
		}
	}
	out.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			out.WriteString(", ")
		}
		switch key := key.(type) {
		case string:
			writeJSONString(out, key)
		case nil, bool, int64, float64:
			out.WriteByte('"')
			must(writeJSON(out, key, sortKeys, depth))
			out.WriteByte('"')
		default:
			return fmt.Errorf("%s is not a key in JSON", aType(key))
		}
		out.WriteString(": ")
		value, _ := d.Get(key)
		if err := writeJSON(out, value, sortKeys, depth+1); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func writeJSONString(out *strings.Builder, text string) {
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == '\b':
			out.WriteString(`\b`)
		case r == '\f':
			out.WriteString(`\f`)
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(out, `\u%04x\u%04x`, high, low)
		case r < ' ' || r > '~':
			fmt.Fprintf(out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}

// FromJSON reads JSON as Python's json.loads does.
func FromJSON(text string) (Value, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	v, err := decodeJSON(decoder)
	if err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("there is more behind the JSON")
	}
	return v, nil
}

func decodeJSON(decoder *json.Decoder) (Value, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		if n, err := token.Int64(); err == nil {
			return n, nil
		}
		if !strings.ContainsAny(token.String(), ".eE") {
			return nil, errOverflow
		}
		return token.Float64()
	case json.Delim:
		if token == '[' {
			list := NewList()
			for decoder.More() {
				item, err := decodeJSON(decoder)
				if err != nil {
					return nil, err
				}
				list.Items = append(list.Items, item)
			}
			_, err = decoder.Token()
			return list, err
		}
		d := NewDict()
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := decodeJSON(decoder)
			if err != nil {
				return nil, err
			}
			must(d.Set(key, value))
		}
		_, err = decoder.Token()
		return d, err
	}
	return token, nil
}

// ValueOf makes a value of what Go has: maps by the order of their keys.
func ValueOf(v any) Value {
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64:
		return int64(v)
	case []string:
		list := NewList()
		for _, item := range v {
			list.Items = append(list.Items, item)
		}
		return list
	case []any:
		list := NewList()
		for _, item := range v {
			list.Items = append(list.Items, ValueOf(item))
		}
		return list
	case map[string]any:
		d := NewDict()
		keys := sortedKeys(v)
		slices.Sort(keys)
		for _, key := range keys {
			must(d.Set(key, ValueOf(v[key])))
		}
		return d
	}
	return v
}

// Go makes of a value what Go has: maps, slices, texts, numbers.
func Go(v Value) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v, nil
	case *List:
		return goItems(v.Items)
	case *Tuple:
		return goItems(v.Items)
	case *Dict:
		out := map[string]any{}
		for _, key := range v.Keys() {
			name, ok := key.(string)
			if !ok {
				return nil, errors.New("the keys of a dict are strings here")
			}
			value, _ := v.Get(key)
			var err error
			if out[name], err = Go(value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *Undefined:
		return nil, v.err()
	case fmt.Stringer:
		return v.String(), nil
	case interface{ Items() []Value }:
		return goItems(v.Items())
	}
	return nil, fmt.Errorf("%s is not data", aType(v))
}

func goItems(items []Value) (any, error) {
	out := make([]any, len(items))
	for i, item := range items {
		var err error
		if out[i], err = Go(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}
