package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// methods are those of each type.
var methods map[string]map[string]method

// unknownMethods are those that Python has besides.
var unknownMethods = map[string][]string{
	"string": {"encode", "expandtabs", "format_map", "isdecimal", "isidentifier", "isnumeric", "isprintable", "istitle", "maketrans", "translate"},
	"dict":   {"fromkeys"},
	"int":    {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag", "numerator", "real", "to_bytes"},
	"float":  {"as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "real"},
}

func init() {
	methods = map[string]map[string]method{
		"string": stringMethods(),
		"list":   listMethods(),
		"tuple":  {"count": countOf, "index": indexIn},
		"dict":   dictMethods(),
		"float": {"is_integer": func(of Value, a *Arguments) (Value, error) {
			f := of.(float64)
			return f == float64(int64(f)), a.Take(0, nil)
		}},
	}
}

func stringMethods() map[string]method {
	justify := func(left, right bool) method {
		return justified(func(width, missing int) (int, int) {
			switch {
			case left && right:
				return centre(width, missing)
			case left:
				return 0, missing
			}
			return missing, 0
		})
	}
	return map[string]method{
		"capitalize": onText(func(text string) Value { return capitalize(text) }),
		"casefold":   onText(func(text string) Value { return strings.ReplaceAll(lower(text), "ß", "ss") }),
		"center":     justify(true, true),
		"count":      onTexts(func(text, other string) (Value, error) { return int64(strings.Count(text, other)), nil }),
		"endswith":   affixed(strings.HasSuffix),
		"find":       onTexts(func(text, other string) (Value, error) { return runesBefore(text, strings.Index(text, other)), nil }),
		"format":     formatMethod,
		"index":      onTexts(func(text, other string) (Value, error) { return placeIn(text, strings.Index(text, other)) }),
		"isalnum":    every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isalpha":    every(unicode.IsLetter),
		"isascii":    onText(func(text string) Value { return strings.IndexFunc(text, func(r rune) bool { return r > 127 }) < 0 }),
		"isdigit":    every(unicode.IsDigit),
		"islower":    onText(func(text string) Value { return isLower(text) }),
		"isspace":    every(isSpace),
		"isupper":    onText(func(text string) Value { return isUpper(text) }),
		"join":       joinMethod,
		"ljust":      justify(true, false),
		"lower":      onText(func(text string) Value { return lower(text) }),
		"lstrip":     stripped(true, false),
		"partition": onTexts(func(text, mark string) (Value, error) {
			return partitioned(text, mark, strings.Index(text, mark), true)
		}),
		"removeprefix": onTexts(func(text, affix string) (Value, error) { return strings.TrimPrefix(text, affix), nil }),
		"removesuffix": onTexts(func(text, affix string) (Value, error) { return strings.TrimSuffix(text, affix), nil }),
		"replace":      replaceMethod,
		"rfind":        onTexts(func(text, other string) (Value, error) { return runesBefore(text, strings.LastIndex(text, other)), nil }),
		"rindex":       onTexts(func(text, other string) (Value, error) { return placeIn(text, strings.LastIndex(text, other)) }),
		"rjust":        justify(false, true),
		"rpartition": onTexts(func(text, mark string) (Value, error) {
			return partitioned(text, mark, strings.LastIndex(text, mark), false)
		}),
		"rsplit": split(true),
		"rstrip": stripped(false, true),
		"split":  split(false),
		"splitlines": onText(func(text string) Value {
			out := NewList()
			for _, line := range lines(text) {
				out.Items = append(out.Items, line)
			}
			return out
		}),
		"startswith": affixed(strings.HasPrefix),
		"strip":      stripped(true, true),
		"swapcase":   onText(func(text string) Value { return swapped(text) }),
		"title":      onText(func(text string) Value { return title(text) }),
		"upper":      onText(func(text string) Value { return upper(text) }),
		"zfill":      zfill,
	}
}

func swapped(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsUpper(r):
			out.WriteString(lower(string(r)))
		default:
			out.WriteString(upper(string(r)))
		}
	}
	return out.String()
}

func placeIn(text string, at int) (Value, error) {
	if at < 0 {
		return nil, errors.New("the string does not have what is looked for")
	}
	return runesBefore(text, at), nil
}

func partitioned(text, mark string, at int, first bool) (Value, error) {
	switch {
	case mark == "":
		return nil, errors.New("the separator is empty")
	case at < 0 && first:
		return &Tuple{[]Value{text, "", ""}}, nil
	case at < 0:
		return &Tuple{[]Value{"", "", text}}, nil
	}
	return &Tuple{[]Value{text[:at], mark, text[at+len(mark):]}}, nil
}

func replaceMethod(of Value, a *Arguments) (Value, error) {
	var old, new, count Value = nil, nil, int64(-1)
	if a.Named.Len() > 0 {
		return nil, errors.New("takes no named arguments")
	}
	if err := a.Take(2, []string{"old", "new", "count"}, &old, &new, &count); err != nil {
		return nil, err
	}
	return replaced(of.(string), old, new, count)
}

func replaced(text string, old, new, count Value) (Value, error) {
	from, ok := old.(string)
	to, ok2 := new.(string)
	n, _, isWhole, ok3 := number(count)
	if !ok || !ok2 || !ok3 || !isWhole {
		return nil, errors.New("replace takes two strings and, where not all are meant, a number")
	}
	if n < 0 {
		n = -1
	}
	if len(to) > 0 && float64(len(to))*float64(strings.Count(text, from)) > most {
		return nil, errOverflow
	}
	return strings.Replace(text, from, to, int(n)), nil
}

func joinMethod(of Value, a *Arguments) (Value, error) {
	var over Value
	if err := a.Take(1, []string{"iterable"}, &over); err != nil {
		return nil, err
	}
	if u, ok := over.(*Undefined); ok {
		return nil, u.err()
	}
	items, err := Items(over)
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(items))
	for i, item := range items {
		text, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("joins strings, and item %d is %s", i, aType(item))
		}
		parts[i] = text
	}
	return strings.Join(parts, of.(string)), nil
}

func zfill(of Value, a *Arguments) (Value, error) {
	text := of.(string)
	sign := ""
	if text != "" && (text[0] == '-' || text[0] == '+') {
		sign, text = text[:1], text[1:]
	}
	pad := justified(func(_, missing int) (int, int) { return missing, 0 })
	if len(a.Positional) != 1 || a.Named.Len() > 0 {
		return nil, errors.New("takes a width")
	}
	width, err := operate("-", a.Positional[0], int64(len(sign)))
	if err != nil {
		return nil, err
	}
	out, err := pad(text, &Arguments{[]Value{width, "0"}, NewDict()})
	if err != nil {
		return nil, err
	}
	return sign + out.(string), nil
}

// onList makes a method that changes a list, of a function of its one
// argument.
func onList(f func(list *List, v Value) error) method {
	return func(of Value, a *Arguments) (Value, error) {
		var v Value
		if err := a.Take(1, []string{"the item"}, &v); err != nil {
			return nil, err
		}
		return nil, f(of.(*List), v)
	}
}

func listMethods() map[string]method {
	return map[string]method{
		"append": onList(func(list *List, v Value) error {
			list.Items = append(list.Items, v)
			return nil
		}),
		"extend": onList(func(list *List, v Value) error {
			items, err := Items(v)
			list.Items = append(list.Items, items...)
			return err
		}),
		"remove": onList(func(list *List, v Value) error {
			at := slices.IndexFunc(list.Items, func(item Value) bool { return Equal(item, v) })
			if at < 0 {
				return errors.New("the list does not have the item")
			}
			list.Items = slices.Delete(slices.Clone(list.Items), at, at+1)
			return nil
		}),
		"clear": func(of Value, a *Arguments) (Value, error) {
			of.(*List).Items = nil
			return nil, a.Take(0, nil)
		},
		"copy": func(of Value, a *Arguments) (Value, error) {
			return &List{slices.Clone(of.(*List).Items)}, a.Take(0, nil)
		},
		"reverse": func(of Value, a *Arguments) (Value, error) {
			list := of.(*List)
			list.Items = slices.Clone(list.Items)
			slices.Reverse(list.Items)
			return nil, a.Take(0, nil)
		},
		"sort":   sortMethod,
		"insert": insertMethod,
		"pop":    popMethod,
		"count":  countOf,
		"index":  indexIn,
	}
}

func sortMethod(of Value, a *Arguments) (Value, error) {
	var reverse, key Value = false, nil
	if len(a.Positional) > 0 {
		return nil, errors.New("takes named arguments only")
	}
	if err := a.Take(0, []string{"reverse", "key"}, &reverse, &key); err != nil {
		return nil, err
	}
	if key != nil {
		return nil, errors.New("a key is not supported: use the filter sort with attribute")
	}
	list := of.(*List)
	items, err := sorted(list.Items, Truth(reverse), func(v Value) (Value, error) { return v, nil })
	if err == nil {
		list.Items = items
	}
	return nil, err
}

func insertMethod(of Value, a *Arguments) (Value, error) {
	var at, v Value
	if err := a.Take(2, []string{"the place", "the item"}, &at, &v); err != nil {
		return nil, err
	}
	i, _, isWhole, ok := number(at)
	if !ok || !isWhole {
		return nil, errors.New("the place is not a whole number")
	}
	list := of.(*List)
	n := int64(len(list.Items))
	if i < 0 {
		i += n
	}
	list.Items = slices.Insert(slices.Clone(list.Items), int(max(0, min(n, i))), v)
	return nil, nil
}

func popMethod(of Value, a *Arguments) (Value, error) {
	var at Value = int64(-1)
	if err := a.Take(0, []string{"the place"}, &at); err != nil {
		return nil, err
	}
	list := of.(*List)
	i, _, isWhole, ok := number(at)
	n := int64(len(list.Items))
	if i < 0 {
		i += n
	}
	if !ok || !isWhole || i < 0 || i >= n {
		return nil, errors.New("the list has no such item")
	}
	item := list.Items[i]
	list.Items = slices.Delete(slices.Clone(list.Items), int(i), int(i)+1)
	return item, nil
}

func countOf(of Value, a *Arguments) (Value, error) {
	var v Value
	if err := a.Take(1, []string{"the item"}, &v); err != nil {
		return nil, err
	}
	items, err := Items(of)
	n := int64(0)
	for _, item := range items {
		if Equal(item, v) {
			n++
		}
	}
	return n, err
}

func indexIn(of Value, a *Arguments) (Value, error) {
	var v Value
	if err := a.Take(1, []string{"the item"}, &v); err != nil {
		return nil, err
	}
	items, err := Items(of)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(items, func(item Value) bool { return Equal(item, v) })
	if at < 0 {
		return nil, errors.New("it does not have the item")
	}
	return int64(at), nil
}
