package jinja

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

func upper(text string) string { return cases.Upper(language.Und).String(text) }
func lower(text string) string { return cases.Lower(language.Und).String(text) }

// capitalize begins a text with a capital and has the rest small.
func capitalize(text string) string {
	if text == "" {
		return ""
	}
	_, size := utf8.DecodeRuneInString(text)
	return titleOf(text[:size]) + strings.TrimPrefix(lower("x"+text[size:]), "x")
}

// titleOf is a letter as it begins a word: ß gives Ss.
func titleOf(letter string) string {
	r, _ := utf8.DecodeRuneInString(letter)
	if title := unicode.ToTitle(r); title != r {
		return string(title)
	}
	capital := []rune(upper(letter))
	return string(capital[0]) + lower(string(capital[1:]))
}

// title is the method: each letter behind what is none is a capital.
func title(text string) string {
	var out strings.Builder
	inWord := false
	for _, r := range text {
		isCased := unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
		switch {
		case isCased && inWord:
			out.WriteString(lower(string(r)))
		case isCased:
			out.WriteString(titleOf(string(r)))
		default:
			out.WriteRune(r)
		}
		inWord = isCased
	}
	return out.String()
}

// onText makes a method of a function of a text.
func onText(f func(string) Value) method {
	return func(of Value, a *Arguments) (Value, error) {
		return f(of.(string)), a.Take(0, nil)
	}
}

// onTexts makes a method of a function of a text and another.
func onTexts(f func(text, other string) (Value, error)) method {
	return func(of Value, a *Arguments) (Value, error) {
		var other Value
		if err := a.Take(1, []string{"the first"}, &other); err != nil {
			return nil, err
		}
		text, ok := other.(string)
		if !ok {
			return nil, fmt.Errorf("takes a string, not %s", aType(other))
		}
		return f(of.(string), text)
	}
}

// every reports whether a text is not empty and each letter is such a one.
func every(is func(rune) bool) method {
	return onText(func(text string) Value {
		return text != "" && strings.IndexFunc(text, func(r rune) bool { return !is(r) }) < 0
	})
}

// cased reports whether a text has letters with a case, all of the one.
func cased(text string, other func(rune) bool, is func(rune) bool) bool {
	return strings.IndexFunc(text, is) >= 0 && strings.IndexFunc(text, func(r rune) bool { return other(r) || unicode.IsTitle(r) }) < 0
}

func isUpper(text string) bool { return cased(text, unicode.IsLower, unicode.IsUpper) }
func isLower(text string) bool { return cased(text, unicode.IsUpper, unicode.IsLower) }

// stripped makes strip and its like.
func stripped(left, right bool) method {
	return func(of Value, a *Arguments) (Value, error) {
		var chars Value
		if err := a.Take(0, []string{"chars"}, &chars); err != nil {
			return nil, err
		}
		return strip(of.(string), chars, left, right)
	}
}

func strip(text string, chars Value, left, right bool) (Value, error) {
	goes := isSpace
	switch chars := chars.(type) {
	case nil:
	case string:
		goes = func(r rune) bool { return strings.ContainsRune(chars, r) }
	default:
		return nil, fmt.Errorf("takes a string, not %s", aType(chars))
	}
	if left {
		text = strings.TrimLeftFunc(text, goes)
	}
	if right {
		text = strings.TrimRightFunc(text, goes)
	}
	return text, nil
}

// split cuts a text at a separator, or at white space.
func split(fromRight bool) method {
	return func(of Value, a *Arguments) (Value, error) {
		var separator, count Value = nil, int64(-1)
		if err := a.Take(0, []string{"sep", "maxsplit"}, &separator, &count); err != nil {
			return nil, err
		}
		n, _, isWhole, ok := number(count)
		if !ok || !isWhole {
			return nil, errors.New("maxsplit is not a whole number")
		}
		cut := func(text string) (before, after string, ok bool) {
			if separator == nil {
				return cutSpace(text, fromRight)
			}
			mark := separator.(string)
			at := strings.Index(text, mark)
			if fromRight {
				at = strings.LastIndex(text, mark)
			}
			if at < 0 {
				return text, "", false
			}
			return text[:at], text[at+len(mark):], true
		}
		if mark, ok := separator.(string); separator != nil && (!ok || mark == "") {
			return nil, errors.New("the separator is not a string with something in it")
		}
		return splitBy(of.(string), cut, n, fromRight, separator == nil), nil
	}
}

func cutSpace(text string, fromRight bool) (before, after string, ok bool) {
	if fromRight {
		at := strings.LastIndexFunc(text, isSpace)
		if at < 0 {
			return text, "", false
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		return strings.TrimRightFunc(text[:at], isSpace), text[at+size:], true
	}
	at := strings.IndexFunc(text, isSpace)
	if at < 0 {
		return text, "", false
	}
	return text[:at], strings.TrimLeftFunc(text[at:], isSpace), true
}

func splitBy(text string, cut func(string) (string, string, bool), n int64, fromRight, atSpace bool) Value {
	if atSpace {
		if !fromRight {
			text = strings.TrimLeftFunc(text, isSpace)
		}
		if fromRight || n < 0 {
			text = strings.TrimRightFunc(text, isSpace)
		}
		if text == "" {
			return NewList()
		}
	}
	var parts []Value
	for ; n != 0; n-- {
		before, after, ok := cut(text)
		if !ok {
			break
		}
		if fromRight {
			parts, text = append(parts, after), before
		} else {
			parts, text = append(parts, before), after
		}
		if atSpace && text == "" {
			break
		}
	}
	if !atSpace || text != "" {
		parts = append(parts, text)
	}
	if fromRight {
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
	}
	return &List{parts}
}

// affixed makes startswith and endswith, which take a string or a tuple.
func affixed(has func(text, affix string) bool) method {
	return func(of Value, a *Arguments) (Value, error) {
		if len(a.Positional) != 1 || a.Named.Len() > 0 {
			return nil, errors.New("takes one argument here")
		}
		candidates := []Value{a.Positional[0]}
		if several, ok := a.Positional[0].(*Tuple); ok {
			candidates = several.Items
		}
		for _, candidate := range candidates {
			affix, ok := candidate.(string)
			if !ok {
				return nil, fmt.Errorf("takes a string or a tuple of them, not %s", aType(candidate))
			}
			if has(of.(string), affix) {
				return true, nil
			}
		}
		return false, nil
	}
}

// runesBefore is the place of a byte in a text, in characters.
func runesBefore(text string, at int) int64 {
	if at < 0 {
		return -1
	}
	return int64(utf8.RuneCountInString(text[:at]))
}

// justified fills a text up to a width.
func justified(place func(width, fill int) (left, right int)) method {
	return func(of Value, a *Arguments) (Value, error) {
		var width, fill Value = nil, " "
		if err := a.Take(1, []string{"width", "fillchar"}, &width, &fill); err != nil {
			return nil, err
		}
		n, _, isWhole, ok := number(width)
		char, isText := fill.(string)
		if !ok || !isWhole || n > most || !isText || utf8.RuneCountInString(char) != 1 {
			return nil, errors.New("takes a width and one character")
		}
		text := of.(string)
		missing := int(n) - utf8.RuneCountInString(text)
		if missing <= 0 {
			return text, nil
		}
		left, right := place(int(n), missing)
		return strings.Repeat(char, left) + text + strings.Repeat(char, right), nil
	}
}

// centre is how Python divides what is missing.
func centre(width, missing int) (left, right int) {
	left = missing/2 + missing&width&1
	return left, missing - left
}
