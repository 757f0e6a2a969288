package event

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxQuoted is how many bytes of a record a Rejection's detail repeats.
const maxQuoted = 64

func rank(r Reason) int { return slices.Index(Reasons(), r) }

func rejectEncoding(value []byte) *Rejection {
	at := 0
	for {
		r, size := utf8.DecodeRune(value[at:])
		if r == utf8.RuneError && size == 1 {
			return &Rejection{NotUTF8, fmt.Sprintf("at byte %d: 0x%02x is not UTF-8", at, value[at])}
		}
		at += size
	}
}

// kindOf names the kind of JSON value that begins with a byte.
func kindOf(c byte) string {
	switch {
	case c == '"':
		return "a string"
	case startsNumber(c):
		return "a number"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == 'n':
		return "null"
	}
	return "a truth value"
}

// kind names the kind of JSON value that a column takes.
func (t Type) kind() string {
	switch t {
	case Int64:
		return "a whole number"
	case Float64:
		return "a number"
	case Timestamp:
		return "a string with a timestamp"
	}
	return "a string"
}

func quote(text []byte) string { return strconv.Quote(shorten(text)) }

// shorten returns the text, or its beginning with an ellipsis.
func shorten(text []byte) string {
	if len(text) <= maxQuoted {
		return string(text)
	}
	end := maxQuoted
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return string(text[:end]) + "…"
}
