package jinja

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var percent = regexp.MustCompile(`%(?:\((\w+)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?(.?)`)

// formatted is text % values.
func formatted(text string, values Value) (Value, error) {
	given := []Value{values}
	if t, ok := values.(*Tuple); ok {
		given = t.Items
	}
	dict, isDict := values.(*Dict)
	used := 0
	var fault error
	out := percent.ReplaceAllStringFunc(text, func(match string) string {
		parts := percent.FindStringSubmatch(match)
		if parts[5] == "%" {
			return "%"
		}
		var v Value
		switch {
		case fault != nil:
			return ""
		case parts[1] != "":
			found := false
			if isDict {
				v, found = dict.Get(parts[1])
			}
			if !found {
				fault = fmt.Errorf("%s: there is no such entry", match)
				return ""
			}
		case used >= len(given):
			fault = errors.New("there are not enough values for the % in the string")
			return ""
		default:
			v = given[used]
			used++
		}
		piece, err := converted(v, parts[2], parts[3], parts[4], parts[5])
		if err != nil {
			fault = fmt.Errorf("%s: %w", match, err)
		}
		return piece
	})
	switch values.(type) {
	case *Dict, *List, *numbers: // Python does not count these
		return out, fault
	}
	if fault == nil && used < len(given) {
		fault = errors.New("there are more values than % in the string")
	}
	return out, fault
}

// converted is one value in a % format.
func converted(v Value, flags, width, precision, verb string) (string, error) {
	places := -1
	if precision != "" {
		places, _ = strconv.Atoi(precision)
	}
	least, _ := strconv.Atoi(width)
	if least > 1000 || places > 100 {
		return "", errOverflow
	}
	if strings.Contains(flags, "#") {
		return "", errors.New("the flag # is not supported")
	}
	i, f, isWhole, isNumber := number(v)
	text, isNumeric := "", true
	switch verb {
	case "s", "r":
		isNumeric = false
		var err error
		if text, err = Text(v); verb == "r" {
			text, err = repr(v, 0)
		}
		if err != nil {
			return "", err
		}
		if places >= 0 {
			text = string([]rune(text)[:min(places, utf8.RuneCountInString(text))])
		}
	case "d", "i", "u":
		if !isNumber {
			return "", fmt.Errorf("a number is needed, not %s", aType(v))
		}
		if !isWhole {
			i = int64(f)
		}
		text = strconv.FormatInt(i, 10)
		if places >= 0 {
			return "", errors.New("a precision of a whole number is not supported")
		}
	case "f", "F", "e", "E":
		if !isNumber {
			return "", fmt.Errorf("a number is needed, not %s", aType(v))
		}
		if places < 0 {
			places = 6
		}
		text = strconv.FormatFloat(f, strings.ToLower(verb)[0], places, 64)
	case "x":
		if !isNumber || !isWhole || i < 0 {
			return "", fmt.Errorf("a whole number is needed, not %s", aType(v))
		}
		text = strconv.FormatInt(i, 16)
	default:
		return "", errors.New("the conversion is not supported")
	}
	if isNumeric {
		text = signed(text, flags)
	}
	return filled(text, flags, least, isNumeric), nil
}

func signed(text, flags string) string {
	switch {
	case strings.HasPrefix(text, "-"):
		return text
	case strings.Contains(flags, "+"):
		return "+" + text
	case strings.Contains(flags, " "):
		return " " + text
	}
	return text
}

func filled(text, flags string, width int, isNumeric bool) string {
	missing := width - utf8.RuneCountInString(text)
	switch {
	case missing <= 0:
		return text
	case strings.Contains(flags, "-"):
		return text + strings.Repeat(" ", missing)
	case strings.Contains(flags, "0") && isNumeric:
		sign := ""
		if strings.ContainsAny(text[:1], "+- ") {
			sign, text = text[:1], text[1:]
		}
		return sign + strings.Repeat("0", missing) + text
	}
	return strings.Repeat(" ", missing) + text
}

var field = regexp.MustCompile(`\{\{|\}\}|\{(\w*)((?:\.\w+|\[\w+\])*)(![rs])?(?::([^{}]*))?\}|[{}]`)

// formatMethod is text.format(values).
func formatMethod(of Value, a *Arguments) (Value, error) {
	next := 0
	var fault error
	out := field.ReplaceAllStringFunc(of.(string), func(match string) string {
		switch match {
		case "{{", "}}":
			return match[:1]
		case "{", "}":
			fault = errors.New("a single brace in the format")
			return ""
		}
		parts := field.FindStringSubmatch(match)
		v, err := fieldOf(parts[1], a, &next)
		if err == nil && (parts[2] != "" || parts[3] != "") {
			err = errors.New("attributes and conversions in a format are not supported")
		}
		text := ""
		if err == nil {
			text, err = specified(v, parts[4])
		}
		if err != nil && fault == nil {
			fault = fmt.Errorf("%s: %w", match, err)
		}
		return text
	})
	return out, fault
}

func fieldOf(name string, a *Arguments, next *int) (Value, error) {
	if name == "" {
		name = strconv.Itoa(*next)
		*next++
	}
	if at, err := strconv.Atoi(name); err == nil {
		if at >= len(a.Positional) {
			return nil, errors.New("there are not enough values")
		}
		return a.Positional[at], nil
	}
	if v, ok := a.Named.Get(name); ok {
		return v, nil
	}
	return nil, errors.New("there is no such value")
}

var specification = regexp.MustCompile(`^(?:([<>^]))?(0?)(\d*)(,?)(?:\.(\d+))?([sdfeE]?)$`)

// specified is a value as the part of a field behind the colon says.
func specified(v Value, spec string) (string, error) {
	if spec == "" {
		return Text(v)
	}
	parts := specification.FindStringSubmatch(spec)
	if parts == nil || parts[4] != "" {
		return "", errors.New("the format is not supported")
	}
	_, _, isWhole, isNumber := number(v)
	verb := parts[6]
	_, isText := v.(string)
	switch {
	case verb == "" && isText, verb == "s" && isText:
		verb = "s"
	case verb == "" && isNumber && isWhole && parts[5] == "", verb == "d" && isWhole:
		verb = "d"
	case isNumber && verb != "" && verb != "s" && verb != "d":
	default:
		return "", fmt.Errorf("the format does not fit %s", aType(v))
	}
	if verb == "s" && parts[2] != "" {
		return "", errors.New("the format is not supported")
	}
	flags := parts[2]
	if verb == "s" && parts[1] == "" || parts[1] == "<" {
		flags = "-"
	}
	if _, isBool := v.(bool); isBool {
		return "", errors.New("the format of a bool is not supported")
	}
	if parts[1] == "^" {
		text, err := converted(v, "", "", parts[5], verb)
		width, _ := strconv.Atoi(parts[3])
		missing := max(0, width-utf8.RuneCountInString(text))
		return strings.Repeat(" ", missing/2) + text + strings.Repeat(" ", missing-missing/2), err
	}
	return converted(v, flags, parts[3], parts[5], verb)
}
