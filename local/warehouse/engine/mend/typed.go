package mend

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// The gateway gives the functions that write JSON a struct of the value and of its type as TYPEOF writes it.
const valueField, typeField = "__v", "__t"

// typedValue reads such a struct.
func typedValue(v any) (value any, typ string, ok bool) {
	many, ok := v.(other)
	if !ok {
		return nil, "", false
	}
	names, values, err := contents(many)
	if err != nil || len(names) != 2 || names[0] != valueField || names[1] != typeField {
		return nil, "", false
	}
	typ, ok = decode(values[1]).(string)
	return values[0], typ, ok
}

// typedJSON writes a value as JSON, given its type.
func typedJSON(v any, typ string) (string, error) {
	v = decode(v)
	if v == nil {
		return "null", nil
	}
	n, isNumber := v.(int64)
	truth, isBool := v.(bool)
	switch {
	case isBool:
		return strconv.FormatBool(truth), nil
	case typ == "BOOL" && isNumber:
		return map[bool]string{true: "true", false: "false"}[n != 0], nil
	case strings.HasPrefix(typ, "FLOAT") || typ == "DOUBLE":
		if isNumber {
			return jsonOf(float64(n))
		}
	case strings.HasPrefix(typ, "ARRAY<") || strings.HasPrefix(typ, "STRUCT<"):
		many, ok := v.(other)
		if !ok {
			break
		}
		return typedParts(many, typ)
	}
	return jsonOf(encode(v))
}

func typedParts(many other, typ string) (string, error) {
	names, values, err := contents(many)
	if err != nil {
		return "", err
	}
	inner := strings.TrimSuffix(typ[strings.Index(typ, "<")+1:], ">")
	types := []string{inner}
	if names != nil {
		if types = fieldTypes(inner); len(types) != len(values) {
			return "", errors.New("a struct's fields and its type differ")
		}
	}
	parts := make([]string, len(values))
	for i, value := range values {
		if names == nil {
			if parts[i], err = typedJSON(value, inner); err != nil {
				return "", err
			}
			continue
		}
		part, err := typedJSON(value, types[i])
		if err != nil {
			return "", err
		}
		parts[i] = quoted(unnamed.ReplaceAllString(names[i], "")) + ":" + part
	}
	if names == nil {
		return "[" + strings.Join(parts, ",") + "]", nil
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

// unnamed is the emulator's name of a field that has none.
var unnamed = regexp.MustCompile(`^_field_[0-9]+$`)

// fieldTypes reads the types of a STRUCT's fields, with names or without.
func fieldTypes(text string) []string {
	var types []string
	depth, start, inName := 0, 0, false
	add := func(field string) {
		field = strings.TrimSpace(field)
		if rest, ok := strings.CutPrefix(field, "`"); ok {
			_, field, _ = strings.Cut(rest, "`")
		} else if before, after, ok := strings.Cut(field, " "); ok && !strings.ContainsAny(before, "<(") {
			field = after
		}
		types = append(types, strings.TrimSpace(field))
	}
	for i, c := range text {
		switch {
		case c == '`':
			inName = !inName
		case inName:
		case c == '<' || c == '(':
			depth++
		case c == '>' || c == ')':
			depth--
		case c == ',' && depth == 0:
			add(text[start:i])
			start = i + 1
		}
	}
	if strings.TrimSpace(text) != "" {
		add(text[start:])
	}
	return types
}

// jsonString is TO_JSON_STRING, but not the pretty form.
func jsonString(original scalar) scalar {
	return func(args ...any) (any, error) {
		value, typ, typed := typedValue(decode(args[0]))
		if len(args) == 2 && args[1] == int64(1) {
			return nil, refuse("the pretty form of TO_JSON_STRING")
		}
		if !typed {
			return original(args...)
		}
		text, err := typedJSON(value, typ)
		if err != nil {
			return nil, err
		}
		return encode(text), nil
	}
}

// toJSON is TO_JSON.
func toJSON(original scalar) scalar {
	return func(args ...any) (any, error) {
		value, typ, typed := typedValue(decode(args[0]))
		if !typed || len(args) > 1 && args[1] == int64(1) {
			return original(args...)
		}
		if text, ok := decode(value).(document); ok {
			return encode(text), nil
		}
		if value == nil {
			return encode(document("null")), nil
		}
		text, err := typedJSON(value, typ)
		if err != nil {
			return nil, err
		}
		return encode(document(wideNumbers(value, text))), nil
	}
}

// wideNumbers leaves a large whole number a number, as TO_JSON does.
func wideNumbers(value any, text string) string {
	if _, ok := decode(value).(int64); ok {
		return strings.Trim(text, `"`)
	}
	return text
}

// sortedObject is JSON_OBJECT with its names in order, as JSON values have them.
func sortedObject(original scalar) scalar {
	return func(args ...any) (any, error) {
		result, err := original(args...)
		if text, ok := decode(result).(document); ok && err == nil {
			return encode(document(canonical(string(text)))), nil
		}
		return result, err
	}
}
