package event

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxDepth is how deep objects and arrays may nest, the event itself counted.
const maxDepth = 64

// A scanner reads one JSON text (RFC 8259), which is known to be UTF-8. It is
// stricter than the RFC demands: a key that occurs twice in an object, at any
// depth, an escaped surrogate without its partner, and nesting beyond maxDepth
// are refused, because readers disagree about what they mean.
//
// Its methods take the position of a token's first byte and return the
// position after its last one, or failed.
type scanner struct {
	data  []byte
	arena []byte   // holds strings that had escapes
	keys  [][]byte // of the objects that are open, innermost last
	fault *Rejection
}

// CheckJSON returns why a text, which is UTF-8, is not JSON as an event must be:
// see scanner. It returns nil for one that is.
func CheckJSON(text []byte) *Rejection {
	s := scanner{data: text}
	if at := s.skip(s.space(0), 0); at >= 0 {
		if at = s.space(at); at < len(text) {
			s.unexpected(at, "the value's end")
		}
	}
	return s.fault
}

// failed is the position returned after a fault.
const failed = -1

// fail notes why the text is not JSON.
func (s *scanner) fail(at int, format string, args ...any) int {
	s.fault = &Rejection{NotJSON, fmt.Sprintf("at byte %d: ", at) + fmt.Sprintf(format, args...)}
	return failed
}

// unexpected notes that the byte at a position cannot stand there.
func (s *scanner) unexpected(at int, wanted string) int {
	if at >= len(s.data) {
		return s.fail(at, "the value ends where %s should be", wanted)
	}
	r, _ := utf8.DecodeRune(s.data[at:])
	return s.fail(at, "%q where %s should be", r, wanted)
}

// peek returns the byte at a position; after the end it is 0, which no token
// begins with.
func (s *scanner) peek(at int) byte {
	if at < len(s.data) {
		return s.data[at]
	}
	return 0
}

// space skips white space.
func (s *scanner) space(at int) int {
	for at < len(s.data) && s.data[at] <= ' ' && isSpace(s.data[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isDigit(c byte) bool { return c-'0' <= 9 }

func startsNumber(c byte) bool { return isDigit(c) || c == '-' }

// skip checks a value of any kind; depth is that of what holds it.
func (s *scanner) skip(at, depth int) int {
	switch c := s.peek(at); {
	case c == '"':
		used := len(s.arena)
		_, at = s.text(at)
		s.arena = s.arena[:used]
		return at
	case startsNumber(c):
		return s.number(at)
	case c == '{':
		return s.object(at, depth+1)
	case c == '[':
		return s.array(at, depth+1)
	case c == 't':
		return s.literal(at, "true")
	case c == 'f':
		return s.literal(at, "false")
	case c == 'n':
		return s.literal(at, "null")
	}
	return s.unexpected(at, "a value")
}

func (s *scanner) literal(at int, word string) int {
	if end := at + len(word); end <= len(s.data) && string(s.data[at:end]) == word {
		return end
	}
	return s.unexpected(at, "a value")
}

func (s *scanner) number(at int) int {
	if s.peek(at) == '-' {
		at++
	}
	switch c := s.peek(at); {
	case c == '0':
		at++
	case isDigit(c):
		at = s.digits(at)
	default:
		return s.unexpected(at, "a digit")
	}
	if s.peek(at) == '.' {
		if at++; !isDigit(s.peek(at)) {
			return s.unexpected(at, "a digit")
		}
		at = s.digits(at)
	}
	if c := s.peek(at); c == 'e' || c == 'E' {
		at++
		if c := s.peek(at); c == '+' || c == '-' {
			at++
		}
		if !isDigit(s.peek(at)) {
			return s.unexpected(at, "a digit")
		}
		at = s.digits(at)
	}
	return at
}

func (s *scanner) digits(at int) int {
	for at < len(s.data) && isDigit(s.data[at]) {
		at++
	}
	return at
}

func (s *scanner) array(at, depth int) int {
	if depth > maxDepth {
		return s.fail(at, "nested deeper than %d levels", maxDepth)
	}
	at = s.space(at + 1)
	if s.peek(at) == ']' {
		return at + 1
	}
	for {
		if at = s.skip(at, depth); at < 0 {
			return failed
		}
		at = s.space(at)
		switch s.peek(at) {
		case ']':
			return at + 1
		case ',':
			at = s.space(at + 1)
		default:
			return s.unexpected(at, "a comma or the array's end")
		}
	}
}

// object checks an object without looking at its members.
func (s *scanner) object(at, depth int) int {
	if depth > maxDepth {
		return s.fail(at, "nested deeper than %d levels", maxDepth)
	}
	first := len(s.keys)
	at, more := s.open(at)
	for more {
		key, value := s.key(at)
		if value < 0 {
			return failed
		}
		s.keys = append(s.keys, key)
		if at = s.skip(value, depth); at < 0 {
			return failed
		}
		at, more = s.next(at)
	}
	if at < 0 || s.repeated(first) {
		return failed
	}
	s.keys = s.keys[:first]
	return at
}

// open goes into an object: to its first member if there is more, else to what
// follows the object.
func (s *scanner) open(at int) (end int, more bool) {
	at = s.space(at + 1)
	if s.peek(at) == '}' {
		return at + 1, false
	}
	return at, true
}

// key reads a member's name and returns the position of its value.
func (s *scanner) key(at int) ([]byte, int) {
	if s.peek(at) != '"' {
		return nil, s.unexpected(at, "a key")
	}
	key, at := s.text(at)
	if at < 0 {
		return nil, failed
	}
	return key, s.colon(at)
}

// colon returns the position of the value of the member whose name ends at a
// position.
func (s *scanner) colon(at int) int {
	if s.peek(at) != ':' {
		if at = s.space(at); s.peek(at) != ':' {
			return s.unexpected(at, "a colon")
		}
	}
	return s.space(at + 1)
}

// next goes on after a member's value: to the object's next member if there
// is more, else to what follows the object.
func (s *scanner) next(at int) (end int, more bool) {
	at = s.space(at)
	switch s.peek(at) {
	case ',':
		return s.space(at + 1), true
	case '}':
		return at + 1, false
	}
	return s.unexpected(at, "a comma or the object's end"), false
}

// repeated reports whether a key occurs twice among those from first on, which
// it sorts.
func (s *scanner) repeated(first int) bool {
	keys := s.keys[first:]
	if len(keys) < 2 {
		return false
	}
	slices.SortFunc(keys, bytes.Compare)
	for i := range keys[1:] {
		if bytes.Equal(keys[i], keys[i+1]) {
			s.failRepeated(keys[i])
			return true
		}
	}
	return false
}

func (s *scanner) failRepeated(key []byte) int {
	s.fault = &Rejection{NotJSON, "key " + quote(key) + " occurs twice in an object"}
	return failed
}

// plain marks the bytes that stand for themselves within a string.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

// text reads a string. What it returns is a part of the data or, where there
// were escapes, of the arena.
func (s *scanner) text(at int) ([]byte, int) {
	start := at + 1
	data := s.data
	for i := plainUntil(data, start); i < len(data); i++ {
		if c := data[i]; !plain[c] {
			if c == '"' {
				return data[start:i:i], i + 1
			}
			return s.unescape(start, i)
		}
	}
	return nil, s.unexpected(len(data), "the string's end")
}

// unescape reads a string that begins after its quote at start. The position
// is that of the first byte that is not yet looked at.
func (s *scanner) unescape(start, at int) ([]byte, int) {
	used := len(s.arena)
	for {
		s.arena = append(s.arena, s.data[start:at]...)
		switch c := s.peek(at); {
		case c == '"':
			return s.arena[used:len(s.arena):len(s.arena)], at + 1
		case c == '\\':
			if at = s.escape(at); at < 0 {
				return nil, failed
			}
		case at >= len(s.data):
			return nil, s.unexpected(at, "the string's end")
		default:
			return nil, s.fail(at, "the control character 0x%02x must be escaped", c)
		}
		for start = at; at < len(s.data) && plain[s.data[at]]; {
			at++
		}
	}
}

// escape appends what an escape sequence stands for to the arena.
func (s *scanner) escape(at int) int {
	c := s.peek(at + 1)
	if c == 'u' {
		return s.escapedRune(at)
	}
	const letters, bytes = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range len(letters) {
		if c == letters[i] {
			s.arena = append(s.arena, bytes[i])
			return at + 2
		}
	}
	return s.unexpected(at+1, "an escape")
}

// escapedRune appends what \uXXXX, or a surrogate pair of them, stands for.
func (s *scanner) escapedRune(at int) int {
	r := s.hex(at)
	if r < 0 {
		return s.fail(at, "\\u without four hexadecimal digits")
	}
	end := at + 6
	if r>>11 == 0xd800>>11 {
		low := s.hex(end)
		if r >= 0xdc00 || low>>10 != 0xdc00>>10 {
			return s.fail(at, "\\u%04x is half of a surrogate pair, the other half is missing", r)
		}
		r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
		end += 6
	}
	s.arena = utf8.AppendRune(s.arena, r)
	return end
}

// hex returns the code unit that \uXXXX at a position stands for, or -1.
func (s *scanner) hex(at int) rune {
	if at+6 > len(s.data) || s.data[at] != '\\' || s.data[at+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range s.data[at+2 : at+6] {
		r <<= 4
		switch {
		case isDigit(c):
			r |= rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r |= rune(c|0x20-'a') + 10
		default:
			return -1
		}
	}
	return r
}
