package mend

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// compared says whether two values are equal, without making values of what SQLite holds. sure is false where that takes
// more than their bytes: the emulator then decides. A join asks this of each pair of rows.
func compared(a, b any) (equal, sure bool) {
	switch a := a.(type) {
	case int64:
		b, ok := b.(int64)
		return a == b, ok
	case string:
		if b, ok := b.(string); ok {
			return comparedTexts(a, b)
		}
	}
	return false, false
}

func comparedTexts(a, b string) (equal, sure bool) {
	f, ok := formOf(a)
	if !ok || !strings.HasPrefix(b, f.opening) {
		return false, false
	}
	if a == b {
		return true, true
	}
	var memory [2][256]byte
	x, okX := f.body(memory[0][:], a)
	y, okY := f.body(memory[1][:], b)
	switch {
	case !okX || !okY:
		return false, false
	case f.name == "string":
		return string(x) == string(y), true
	case f.name == "datetime" && (min(len(x), len(y)) < 11 || x[10] != y[10]): // T or a space between date and time
		return false, false
	}
	return string(x) == string(y), len(x) == len(y) // otherwise one may have zeros that the other leaves out
}

// form is how values of a type are written, which are compared by that: the type, what is before the body, and as much
// of that in base 64 as does not depend on the body.
type form struct{ name, before, opening string }

var forms = formsNamed("string", "timestamp", "date", "datetime", "time")

func formsNamed(names ...string) (list []form) {
	for _, name := range names {
		before := `{"header":"` + name + `","body":"`
		opening := base64.StdEncoding.EncodeToString([]byte(before[:len(before)/3*3])) // three bytes are four letters
		list = append(list, form{name, before, opening})
	}
	return list
}

func formOf(text string) (form, bool) {
	for _, f := range forms {
		if strings.HasPrefix(text, f.opening) {
			return f, true
		}
	}
	return form{}, false
}

// body reads the body of an envelope into memory. ok is false where it has no room or JSON writes anything in two ways.
func (f form) body(memory []byte, text string) (body []byte, ok bool) {
	if base64.StdEncoding.DecodedLen(len(text)) > len(memory) {
		return nil, false
	}
	n, err := base64.StdEncoding.Decode(memory, []byte(text))
	if err != nil || n < len(f.before)+len(`"}`) || string(memory[:len(f.before)]) != f.before || string(memory[n-2:n]) != `"}` {
		return nil, false
	}
	body = memory[len(f.before) : n-2]
	for _, c := range body {
		if c < ' ' || c == '"' || c == '\\' {
			return nil, false
		}
	}
	return body, utf8.Valid(body)
}

// among says whether a value is in a list, and whether that is sure.
func among(sought any, list []any) (found, sure bool) {
	for _, v := range list {
		if equal, sure := compared(sought, v); equal || !sure {
			return equal, sure
		}
	}
	return false, true
}
