package jinja

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

type filterFunc func(s *state, in Value, a *Arguments) (Value, error)

var filters map[string]filterFunc

func init() {
	text := func(f func(string) Value) filterFunc {
		return func(_ *state, in Value, a *Arguments) (Value, error) {
			if err := a.Take(0, nil); err != nil {
				return nil, err
			}
			text, err := plain(in)
			return f(text), err
		}
	}
	filters = map[string]filterFunc{
		"abs":        absolute,
		"as_bool":    same,
		"as_native":  same,
		"as_number":  same,
		"as_text":    same,
		"attr":       attributeFilter,
		"batch":      batches,
		"capitalize": text(func(t string) Value { return capitalize(t) }),
		"center":     center,
		"count":      lengthOf,
		"d":          orElse,
		"default":    orElse,
		"dictsort":   dictSort,
		"first":      firstOf,
		"float":      toFloat,
		"format":     formatFilter,
		"groupby":    groupBy,
		"indent":     indented,
		"int":        toInt,
		"is_list": func(_ *state, in Value, a *Arguments) (Value, error) {
			_, is := in.(*List)
			return is, a.Take(0, nil)
		},
		"items":      itemsOf,
		"join":       joinedBy,
		"last":       lastOf,
		"length":     lengthOf,
		"list":       toList,
		"lower":      text(func(t string) Value { return lower(t) }),
		"map":        mapped,
		"max":        extreme(1),
		"min":        extreme(-1),
		"reject":     chosen(false, false),
		"rejectattr": chosen(false, true),
		"replace":    replaceFilter,
		"reverse":    reversed,
		"round":      rounded,
		"select":     chosen(true, false),
		"selectattr": chosen(true, true),
		"sort":       sortFilter,
		"string":     text(func(t string) Value { return t }),
		"sum":        summed,
		"title":      text(func(t string) Value { return titleFilter(t) }),
		"tojson":     jsonFilter,
		"trim":       trimmed,
		"unique":     uniqueFilter,
		"upper":      text(func(t string) Value { return upper(t) }),
		"wordcount":  text(func(t string) Value { return int64(len(word.FindAllString(t, -1))) }),
	}
}

// filter passes a value through one filter.
func (s *state) filter(e *filter, in Value) (Value, error) {
	a, err := s.arguments(e.arguments)
	if err != nil {
		return nil, err
	}
	return s.apply(e.name, in, a)
}

func (s *state) apply(name string, in Value, a *Arguments) (Value, error) {
	f := filters[name]
	if f == nil {
		return nil, fmt.Errorf("there is no filter %q here", name)
	}
	v, err := f(s, in, a)
	if err != nil && !isPlaced(err) {
		err = fmt.Errorf("the filter %s: %w", name, err)
	}
	return v, err
}

// plain is the text of a value that is not the JSON of the filter tojson, which
// Jinja2 treats as HTML.
func plain(v Value) (string, error) {
	if _, ok := v.(markup); ok {
		return "", errMarkup
	}
	return Text(v)
}

func same(_ *state, in Value, a *Arguments) (Value, error) { return in, a.Take(0, nil) }

var word = regexp.MustCompile(`[\p{L}\p{N}_]+`)

var startOfWord = regexp.MustCompile(`([-\s({\[<]+)`)

// titleFilter is the filter, which cuts at other places than the method.
func titleFilter(text string) string {
	var out strings.Builder
	at := 0
	for _, found := range append(startOfWord.FindAllStringIndex(text, -1), []int{len(text), len(text)}) {
		if piece := text[at:found[0]]; piece != "" {
			runes := []rune(piece)
			out.WriteString(upper(string(runes[0])) + strings.TrimPrefix(lower("x"+string(runes[1:])), "x"))
		}
		out.WriteString(text[found[0]:found[1]])
		at = found[1]
	}
	return out.String()
}

func attributeFilter(_ *state, in Value, a *Arguments) (Value, error) {
	var name Value
	if err := a.Take(1, []string{"name"}, &name); err != nil {
		return nil, err
	}
	text, ok := name.(string)
	if !ok {
		return nil, errors.New("takes a name")
	}
	if d, ok := in.(*Dict); ok { // attributes only, no items
		if v, err := methodOf(d, text); v != nil || err != nil {
			return v, err
		}
		return &Undefined{What: "the attribute " + quoted(text) + " of a dict"}, nil
	}
	return attributeOf(in, text)
}

func center(_ *state, in Value, a *Arguments) (Value, error) {
	var width Value = int64(80)
	if err := a.Take(0, []string{"width"}, &width); err != nil {
		return nil, err
	}
	text, err := plain(in)
	if err != nil {
		return nil, err
	}
	return justified(centre)(text, &Arguments{[]Value{width}, NewDict()})
}

func lengthOf(_ *state, in Value, a *Arguments) (Value, error) {
	n, err := length(in)
	return int64(n), errors.Join(err, a.Take(0, nil))
}

func orElse(_ *state, in Value, a *Arguments) (Value, error) {
	var fallback, falseToo Value = "", false
	if err := a.Take(0, []string{"default_value", "boolean"}, &fallback, &falseToo); err != nil {
		return nil, err
	}
	if _, ok := in.(*Undefined); ok || Truth(falseToo) && !Truth(in) {
		return fallback, nil
	}
	return in, nil
}

func firstOf(_ *state, in Value, a *Arguments) (Value, error) {
	if err := a.Take(0, nil); err != nil {
		return nil, err
	}
	if g, ok := in.(*generator); ok && len(g.rest) > 0 {
		item := g.rest[0]
		g.rest = g.rest[1:]
		return item, nil
	}
	items, err := Items(in)
	if err != nil || len(items) == 0 {
		return &Undefined{What: "the first of no items"}, err
	}
	return items[0], nil
}

func lastOf(_ *state, in Value, a *Arguments) (Value, error) {
	if err := a.Take(0, nil); err != nil {
		return nil, err
	}
	if _, ok := in.(*generator); ok {
		return nil, errors.New("put the filter list before it")
	}
	items, err := Items(in)
	if err != nil || len(items) == 0 {
		return &Undefined{What: "the last of no items"}, err
	}
	return items[len(items)-1], nil
}

func formatFilter(_ *state, in Value, a *Arguments) (Value, error) {
	text, err := plain(in)
	if err != nil {
		return nil, err
	}
	if a.Named.Len() > 0 && len(a.Positional) > 0 {
		return nil, errors.New("takes values with names or without, not both")
	}
	if a.Named.Len() > 0 {
		return formatted(text, a.Named)
	}
	return formatted(text, &Tuple{a.Positional})
}

func indented(_ *state, in Value, a *Arguments) (Value, error) {
	var width, first, blank Value = int64(4), false, false
	if err := a.Take(0, []string{"width", "first", "blank"}, &width, &first, &blank); err != nil {
		return nil, err
	}
	text, err := plain(in)
	if err != nil {
		return nil, err
	}
	if _, ok := in.(string); !ok {
		return nil, fmt.Errorf("takes a string, not %s", aType(in))
	}
	margin, ok := width.(string)
	if n, _, isWhole, isNumber := number(width); isNumber && isWhole && n <= most {
		margin, ok = strings.Repeat(" ", int(max(0, n))), true
	}
	if !ok {
		return nil, errors.New("the width is a number or a string")
	}
	out := lines(text + "\n")
	for i := range out {
		if (i > 0 || Truth(first)) && (out[i] != "" || Truth(blank) || i == 0) {
			out[i] = margin + out[i]
		}
	}
	return strings.Join(out, "\n"), nil
}

func replaceFilter(_ *state, in Value, a *Arguments) (Value, error) {
	var old, new, count Value
	if err := a.Take(2, []string{"old", "new", "count"}, &old, &new, &count); err != nil {
		return nil, err
	}
	text, err := plain(in)
	if err != nil {
		return nil, err
	}
	if count == nil {
		count = int64(-1)
	}
	from, err := plain(old)
	if err != nil {
		return nil, err
	}
	to, err := plain(new)
	if err != nil {
		return nil, err
	}
	return replaced(text, from, to, count)
}

func trimmed(_ *state, in Value, a *Arguments) (Value, error) {
	var chars Value
	if err := a.Take(0, []string{"chars"}, &chars); err != nil {
		return nil, err
	}
	text, err := plain(in)
	if err != nil {
		return nil, err
	}
	return strip(text, chars, true, true)
}

func reversed(_ *state, in Value, a *Arguments) (Value, error) {
	if err := a.Take(0, nil); err != nil {
		return nil, err
	}
	items, err := Items(in)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	if _, ok := in.(string); ok {
		text := ""
		for _, item := range items {
			text += item.(string)
		}
		return text, nil
	}
	if _, ok := in.(*generator); ok {
		return &List{items}, nil
	}
	return &generator{items}, nil
}

func toList(_ *state, in Value, a *Arguments) (Value, error) {
	items, err := Items(in)
	return &List{slices.Clone(items)}, errors.Join(err, a.Take(0, nil))
}

func itemsOf(_ *state, in Value, a *Arguments) (Value, error) {
	switch in := in.(type) {
	case *Undefined:
		return &generator{}, nil
	case *Dict:
		return &generator{(&view{in, "items"}).Items()}, a.Take(0, nil)
	}
	return nil, fmt.Errorf("takes a dict, not %s", aType(in))
}
