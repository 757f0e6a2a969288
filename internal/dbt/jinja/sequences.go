package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A generator is what map, select and their like give: it can be gone through
// once.
type generator struct{ rest []Value }

// Items takes all that is left.
func (g *generator) Items() []Value {
	items := g.rest
	g.rest = nil
	return items
}

// A view is what keys, values and items of a dict give.
type view struct {
	of   *Dict
	kind string
}

// Items are those of the dict now.
func (v *view) Items() []Value {
	items := make([]Value, v.of.Len())
	for i, key := range v.of.Keys() {
		value, _ := v.of.Get(key)
		switch v.kind {
		case "keys":
			items[i] = key
		case "values":
			items[i] = value
		default:
			items[i] = &Tuple{[]Value{key, value}}
		}
	}
	return items
}

// numbers are what range gives.
type numbers struct{ from, to, step int64 }

// mostNumbers is Jinja2's own limit.
const mostNumbers = 100_000

func newNumbers(a *Arguments) (Value, error) {
	if a.Named.Len() > 0 || len(a.Positional) < 1 || len(a.Positional) > 3 {
		return nil, errors.New("takes one to three whole numbers")
	}
	var bounds []int64
	for _, v := range a.Positional {
		i, _, isWhole, ok := number(v)
		if !ok || !isWhole {
			return nil, fmt.Errorf("takes whole numbers, not %s", aType(v))
		}
		bounds = append(bounds, i)
	}
	n := &numbers{0, bounds[0], 1}
	if len(bounds) > 1 {
		n.from, n.to = bounds[0], bounds[1]
	}
	if len(bounds) > 2 {
		n.step = bounds[2]
	}
	if n.step == 0 {
		return nil, errors.New("the step is 0")
	}
	if n.count() > mostNumbers {
		return nil, fmt.Errorf("more than %d numbers", mostNumbers)
	}
	return n, nil
}

func (n *numbers) count() float64 {
	span := float64(n.to) - float64(n.from)
	return max(0, span/float64(n.step))
}

// Items are the numbers.
func (n *numbers) Items() []Value {
	var items []Value
	for i := n.from; n.step > 0 && i < n.to || n.step < 0 && i > n.to; i += n.step {
		items = append(items, i)
	}
	return items
}

func (n *numbers) String() string {
	if n.step != 1 {
		return fmt.Sprintf("range(%d, %d, %d)", n.from, n.to, n.step)
	}
	return fmt.Sprintf("range(%d, %d)", n.from, n.to)
}

// Same compares the numbers of two ranges.
func (n *numbers) Same(other Value) bool {
	o, ok := other.(*numbers)
	return ok && sameItems(n.Items(), o.Items())
}

// length is Python's len.
func length(v Value) (int, error) {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v), nil
	case *List:
		return len(v.Items), nil
	case *Tuple:
		return len(v.Items), nil
	case *Dict:
		return v.Len(), nil
	case *view:
		return v.of.Len(), nil
	case *numbers:
		return len(v.Items()), nil
	case *Undefined:
		return 0, nil
	case interface{ Len() int }:
		return v.Len(), nil
	}
	return 0, fmt.Errorf("%s has no length", aType(v))
}

// globals are the names that Jinja2 itself defines.
var globals map[string]Value

func init() {
	globals = map[string]Value{
		"range":     Func(newNumbers),
		"dict":      Func(newDict),
		"namespace": Func(newNamespace),
		"cycler":    Func(newCycler),
		"joiner":    Func(newJoiner),
	}
}

// Globals are the names that Jinja2 itself defines.
func Globals() []string { return sortedKeys(globals) }

func newDict(a *Arguments) (Value, error) {
	d := NewDict()
	if len(a.Positional) > 1 {
		return nil, errors.New("takes one argument without a name at most")
	}
	if len(a.Positional) == 1 {
		if err := update(d, a.Positional[0]); err != nil {
			return nil, err
		}
	}
	return d, update(d, a.Named)
}

// update takes over the entries of a dict, or pairs.
func update(d *Dict, from Value) error {
	if more, ok := from.(*Dict); ok {
		for _, key := range more.Keys() {
			value, _ := more.Get(key)
			must(d.Set(key, value))
		}
		return nil
	}
	if u, ok := from.(*Undefined); ok {
		return u.err()
	}
	pairs, err := Items(from)
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		entry, err := Items(pair)
		if err != nil || len(entry) != 2 {
			return errors.New("a dict is made of another or of pairs")
		}
		if err := d.Set(entry[0], entry[1]); err != nil {
			return err
		}
	}
	return nil
}

func newNamespace(a *Arguments) (Value, error) {
	d, err := newDict(a)
	if err != nil {
		return nil, err
	}
	return &Namespace{d.(*Dict)}, nil
}

// A cycler gives its items in turn.
type cycler struct {
	items []Value
	at    int
}

func newCycler(a *Arguments) (Value, error) {
	if len(a.Positional) == 0 || a.Named.Len() > 0 {
		return nil, errors.New("takes items to cycle through")
	}
	return &cycler{items: a.Positional}, nil
}

// Attribute is one of next, reset and current.
func (c *cycler) Attribute(name string) (Value, bool) {
	switch name {
	case "next":
		return Func(func(*Arguments) (Value, error) {
			item := c.items[c.at]
			c.at = (c.at + 1) % len(c.items)
			return item, nil
		}), true
	case "reset":
		return Func(func(*Arguments) (Value, error) {
			c.at = 0
			return nil, nil
		}), true
	case "current":
		return c.items[c.at], true
	}
	return nil, false
}

func newJoiner(a *Arguments) (Value, error) {
	var separator Value = ", "
	if err := a.Take(0, []string{"sep"}, &separator); err != nil {
		return nil, err
	}
	used := false
	return Func(func(*Arguments) (Value, error) {
		if used {
			return separator, nil
		}
		used = true
		return "", nil
	}), nil
}

// sorted sorts by a key; equal ones keep their order.
func sorted(items []Value, reverse bool, key func(Value) (Value, error)) ([]Value, error) {
	type entry struct{ item, key Value }
	entries := make([]entry, len(items))
	for i, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		entries[i] = entry{item, k}
	}
	var fault error
	slices.SortStableFunc(entries, func(a, b entry) int {
		n, err := order(a.key, b.key)
		if err != nil && fault == nil {
			fault = err
		}
		if reverse {
			return -n
		}
		return n
	})
	out := make([]Value, len(entries))
	for i, e := range entries {
		out[i] = e.item
	}
	return out, fault
}

// foldCase is what compares texts without regard to case.
func foldCase(v Value) Value {
	if text, ok := v.(string); ok {
		return lower(text)
	}
	return v
}

func sortedKeys[V any](of map[string]V) []string {
	var keys []string
	for key := range of {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// lines are those of a text, as Python cuts it.
func lines(text string) []string {
	var out []string
	for text != "" {
		at := strings.IndexFunc(text, func(r rune) bool {
			return r >= 0x0a && r <= 0x0d || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
		})
		if at < 0 {
			return append(out, text)
		}
		out = append(out, text[:at])
		_, size := utf8.DecodeRuneInString(text[at:])
		if strings.HasPrefix(text[at:], "\r\n") {
			size = 2
		}
		text = text[at+size:]
	}
	return out
}

// Once is a value whose items can be gone through once.
func Once(items []Value) Value { return &generator{items} }
