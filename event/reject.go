package event

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxQuoted is how many bytes of a record a Rejection's detail repeats.
const maxQuoted = 64

func rank(r Reason) int { return slices.Index(Reasons(), r) }

func rejectEncoding(value []byte) *Rejection {
	if encoding := wide(value); encoding != "" {
		return &Rejection{NotUTF8, "the value is in " + encoding + ": write it in UTF-8"}
	}
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

// instead points to an unknown field of the record whose name is another
// spelling of one that is absent: trainId, TRAIN_ID or train-id for train_id.
func (j *Judge) instead(name string) string {
	if len(j.arena) == j.used {
		return ""
	}
	wanted := spelling(name)
	for _, m := range members(append(j.arena[j.used:len(j.arena):len(j.arena)], '}')) {
		if spelling(string(m.name)) == wanted {
			return fmt.Sprintf(", but `%s` is there: names are written as in docs/events.md", shorten(m.name))
		}
	}
	return ""
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "", ".", "")

// spelling returns what the spellings of a name have in common.
func spelling(name string) string {
	return strings.ToLower(separators.Replace(name))
}

// isNumber reports whether a text is a JSON number.
func isNumber(text []byte) bool {
	s := scanner{data: text}
	return len(text) > 0 && startsNumber(text[0]) && s.number(0) == len(text)
}

// wide names the encoding of a text that is in UTF-16 or UTF-32, by its byte
// order mark or by the NULs among its first characters, which are ASCII in
// JSON. It returns "" for others.
func wide(value []byte) string {
	mark := func(text string) bool { return bytes.HasPrefix(value, []byte(text)) }
	nul := func(i int) bool { return i < len(value) && value[i] == 0 }
	switch {
	case len(value) < 2:
		return ""
	case mark("\xff\xfe\x00\x00"), mark("\x00\x00\xfe\xff"), nul(0) && nul(1) && nul(2) && !nul(3), !nul(0) && nul(1) && nul(2) && nul(3):
		return "UTF-32"
	case mark("\xff\xfe"), mark("\xfe\xff"), nul(0) && !nul(1) && (nul(2) || len(value) == 2), !nul(0) && nul(1) && (nul(3) || len(value) == 2):
		return "UTF-16"
	}
	return ""
}
