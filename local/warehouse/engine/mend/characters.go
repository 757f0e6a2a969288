package mend

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// trimmed is TRIM, LTRIM and RTRIM of BYTES.
func trimmed(trim func(text, cutset string) string) better {
	return strict(func(args []any) (any, bool, error) {
		list, isBytes, ok := texts(args...)
		if !ok || !isBytes || len(list) != 2 {
			return nil, false, nil
		}
		return back(trim(list[0], list[1]), true), true, nil
	})
}

// character is CHR.
func character(args []any) (any, bool, error) {
	n, ok := args[0].(int64)
	if !ok {
		return nil, false, nil
	}
	r, err := codePoint(n)
	if n == 0 {
		return "", true, nil
	}
	return string(r), true, err
}

func codePoint(n int64) (rune, error) {
	if n < 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, fmt.Errorf("Invalid codepoint %d", n)
	}
	return rune(n), nil
}

// characters is CODE_POINTS_TO_STRING.
func characters(args []any) (any, bool, error) {
	list, ok := args[0].(other)
	if !ok {
		return nil, false, nil
	}
	_, values, err := contents(list)
	if err != nil || anyNull(values) {
		return nil, true, err
	}
	var out strings.Builder
	for _, v := range values {
		n, _ := v.(int64)
		r, err := codePoint(n)
		if err != nil {
			return nil, true, err
		}
		out.WriteRune(r)
	}
	return out.String(), true, nil
}

// joined is ARRAY_TO_STRING of BYTES.
func joined(args []any) (any, bool, error) {
	list, ok := args[0].(other)
	separator, isBytes := args[1].([]byte)
	if !ok || !isBytes {
		return nil, false, nil
	}
	_, values, err := contents(list)
	if err != nil {
		return nil, true, err
	}
	var parts [][]byte
	for _, v := range values {
		part, known := decode(v).([]byte)
		if !known && len(args) > 2 {
			part, known = args[2].([]byte)
		}
		if known {
			parts = append(parts, part)
		}
	}
	return bytes.Join(parts, separator), true, nil
}

// regexpExtractAll refuses an expression with more than one group, as REGEXP_EXTRACT_ALL does.
func regexpExtractAll(args []any) (any, bool, error) {
	list, _, ok := texts(args...)
	if !ok {
		return nil, false, nil
	}
	compiled, err := pattern(list[1])
	if err == nil && compiled.NumSubexp() > 1 {
		err = errors.New("Regular expressions passed into extraction functions must not have more than 1 capturing group")
	}
	return nil, err != nil, err
}
