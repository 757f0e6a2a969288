package mend

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// position is STRPOS: where a text begins in another, in characters or, of BYTES, in bytes.
func position(args []any) (any, bool, error) {
	list, _, ok := texts(args...)
	if !ok {
		return nil, false, nil
	}
	before, _, found := strings.Cut(list[0], list[1])
	if !found {
		return int64(0), true, nil
	}
	return int64(utf8.RuneCountInString(before)) + 1, true, nil
}

// part is SUBSTR: from a position on, which is counted from the end when it is negative.
func part(args []any) (any, bool, error) {
	list, isBytes, ok := texts(args[0])
	from, isNumber := args[1].(int64)
	if !ok || !isNumber {
		return nil, false, nil
	}
	text := []rune(list[0])
	size := int64(len(text))
	length := size
	if len(args) == 3 {
		if length, _ = args[2].(int64); length < 0 {
			return nil, true, errors.New("Third argument in SUBSTR() cannot be negative")
		}
	}
	if from < 0 {
		from += size + 1
	}
	begin := min(max(from, 1)-1, size)
	return back(string(text[begin:begin+min(length, size-begin)]), isBytes), true, nil
}

// numbers reads the whole numbers after the first two arguments, or takes what is given for them.
func numbers(args []any, given ...int64) []int64 {
	for i := range given {
		if i+2 < len(args) {
			given[i], _ = args[i+2].(int64)
		}
	}
	return given
}

// occurrence is INSTR: where a text occurs for the nth time from a position on, backwards from a negative one.
func occurrence(args []any) (any, bool, error) {
	list, _, ok := texts(args[:2]...)
	if !ok {
		return nil, false, nil
	}
	n := numbers(args, 1, 1)
	from, nth := n[0], n[1]
	if from == 0 || nth < 1 {
		return nil, true, errors.New("INSTR: the position must not be 0, and the occurrence must be positive")
	}
	text, sought := []rune(list[0]), list[1]
	step, at := int64(1), from-1
	if from < 0 {
		step, at = -1, int64(len(text))+from
	}
	for ; at >= 0 && at < int64(len(text)); at += step {
		if strings.HasPrefix(string(text[at:min(int64(len(text)), at+int64(len(sought)))]), sought) {
			if nth--; nth == 0 {
				return at + 1, true, nil
			}
		}
	}
	return int64(0), true, nil
}

// regexpPosition is REGEXP_INSTR: where the nth match from a position on begins, or ends.
func regexpPosition(args []any) (any, bool, error) {
	list, _, ok := texts(args[:2]...)
	if !ok {
		return nil, false, nil
	}
	n := numbers(args, 1, 1, 0)
	from, nth, end := n[0], n[1], n[2]
	if from < 1 || nth < 1 || end != 0 && end != 1 {
		return nil, true, errors.New("REGEXP_INSTR: the position and the occurrence must be positive, and the last argument 0 or 1")
	}
	compiled, err := pattern(list[1])
	if err != nil {
		return nil, true, err
	}
	if compiled.NumSubexp() > 1 {
		return nil, true, errors.New("REGEXP_INSTR: the regular expression has more than 1 capturing group")
	}
	characters := []rune(list[0])
	if from > int64(len(characters)) {
		return int64(0), true, nil
	}
	text := string(characters[from-1:])
	found := compiled.FindAllStringSubmatchIndex(text, int(nth))
	if int64(len(found)) < nth {
		return int64(0), true, nil
	}
	match := found[nth-1]
	at := match[len(match)-2+int(end)]
	return from + int64(utf8.RuneCountInString(text[:max(at, 0)])), true, nil
}
