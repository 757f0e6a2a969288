package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Filters over many items.

// getter is what the argument attribute of a filter reads of an item: names
// and numbers with dots between.
func getter(attribute Value, fallback Value) (func(Value) (Value, error), error) {
	var parts []Value
	switch attribute := attribute.(type) {
	case nil:
		return func(v Value) (Value, error) { return v, nil }, nil
	case int64:
		parts = []Value{attribute}
	case string:
		for _, part := range strings.Split(attribute, ".") {
			if n, err := strconv.ParseInt(part, 10, 64); err == nil {
				parts = append(parts, n)
			} else {
				parts = append(parts, part)
			}
		}
	default:
		return nil, fmt.Errorf("attribute is a name or a number, not %s", aType(attribute))
	}
	return func(v Value) (Value, error) {
		for _, part := range parts {
			var err error
			if v, err = itemOf(v, part); err != nil {
				return nil, err
			}
			if _, missing := v.(*Undefined); missing && fallback != nil {
				v = fallback
			}
		}
		return v, nil
	}, nil
}

// keyed is a getter that, unless case counts, reads texts without case.
func keyed(attribute Value, caseCounts bool) (func(Value) (Value, error), error) {
	get, err := getter(attribute, nil)
	if err != nil || caseCounts {
		return get, err
	}
	return func(v Value) (Value, error) {
		v, err := get(v)
		return foldCase(v), err
	}, nil
}

func joinedBy(_ *state, in Value, a *Arguments) (Value, error) {
	var separator, attribute Value = "", nil
	if err := a.Take(0, []string{"d", "attribute"}, &separator, &attribute); err != nil {
		return nil, err
	}
	get, err := getter(attribute, nil)
	if err != nil {
		return nil, err
	}
	items, err := Items(in)
	if err != nil {
		return nil, err
	}
	mark, err := plain(separator)
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(items))
	for i, item := range items {
		v, err := get(item)
		if err != nil {
			return nil, err
		}
		if parts[i], err = Text(v); err != nil {
			return nil, err
		}
	}
	return strings.Join(parts, mark), nil
}

// itemsIfAny are the items of what is not false.
func itemsIfAny(in Value) ([]Value, error) {
	if !Truth(in) {
		return nil, nil
	}
	return Items(in)
}

func mapped(s *state, in Value, a *Arguments) (Value, error) {
	items, err := itemsIfAny(in)
	if err != nil {
		return nil, err
	}
	var apply func(Value) (Value, error)
	switch {
	case len(a.Positional) == 0:
		var attribute, fallback Value
		if err := a.Take(0, []string{"attribute", "default"}, &attribute, &fallback); err != nil {
			return nil, err
		}
		if attribute == nil {
			return nil, errors.New("takes the name of a filter, or attribute=")
		}
		if apply, err = getter(attribute, fallback); err != nil {
			return nil, err
		}
	default:
		name, ok := a.Positional[0].(string)
		if !ok {
			return nil, errors.New("takes the name of a filter")
		}
		rest := &Arguments{a.Positional[1:], a.Named}
		apply = func(v Value) (Value, error) { return s.apply(name, v, rest) }
	}
	out := make([]Value, len(items))
	for i, item := range items {
		if out[i], err = apply(item); err != nil {
			return nil, err
		}
	}
	return &generator{out}, nil
}

// chosen makes select, reject, and their like for an attribute.
func chosen(keep, ofAttribute bool) filterFunc {
	return func(s *state, in Value, a *Arguments) (Value, error) {
		items, err := itemsIfAny(in)
		if err != nil {
			return nil, err
		}
		var attribute Value
		rest := a.Positional
		if ofAttribute {
			if len(rest) == 0 {
				return nil, errors.New("takes the name of an attribute")
			}
			attribute, rest = rest[0], rest[1:]
		}
		get, err := getter(attribute, nil)
		if err != nil {
			return nil, err
		}
		name := ""
		if len(rest) > 0 {
			var ok bool
			if name, ok = rest[0].(string); !ok {
				return nil, errors.New("takes the name of a test")
			}
			rest = rest[1:]
		}
		out := &generator{}
		for _, item := range items {
			v, err := get(item)
			if err != nil {
				return nil, err
			}
			holds := Truth(v)
			if name != "" {
				if holds, err = s.holds(name, v, &Arguments{rest, a.Named}); err != nil {
					return nil, err
				}
			}
			if holds == keep {
				out.rest = append(out.rest, item)
			}
		}
		return out, nil
	}
}

// keyedItems are the items of a filter that tells them apart by an attribute, and
// what it compares of each.
func keyedItems(in Value, a *Arguments) (items []Value, key func(Value) (Value, error), err error) {
	var caseCounts, attribute Value = false, nil
	if err := a.Take(0, []string{"case_sensitive", "attribute"}, &caseCounts, &attribute); err != nil {
		return nil, nil, err
	}
	if key, err = keyed(attribute, Truth(caseCounts)); err != nil {
		return nil, nil, err
	}
	items, err = Items(in)
	return items, key, err
}

// extreme makes min (-1) and max (1).
func extreme(direction int) filterFunc {
	return func(_ *state, in Value, a *Arguments) (Value, error) {
		items, key, err := keyedItems(in, a)
		if err != nil || len(items) == 0 {
			return &Undefined{What: "the smallest or greatest of no items"}, err
		}
		best := items[0]
		bestKey, err := key(best)
		for _, item := range items[1:] {
			k, fault := key(item)
			n, fault2 := order(k, bestKey)
			if err = errors.Join(err, fault, fault2); n*direction > 0 {
				best, bestKey = item, k
			}
		}
		return best, err
	}
}

func sortFilter(_ *state, in Value, a *Arguments) (Value, error) {
	var reverse, caseCounts, attribute Value = false, false, nil
	if err := a.Take(0, []string{"reverse", "case_sensitive", "attribute"}, &reverse, &caseCounts, &attribute); err != nil {
		return nil, err
	}
	var keys []func(Value) (Value, error)
	several := []Value{attribute}
	if text, ok := attribute.(string); ok {
		several = nil
		for _, part := range strings.Split(text, ",") {
			several = append(several, part)
		}
	}
	for _, one := range several {
		key, err := keyed(one, Truth(caseCounts))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	items, err := Items(in)
	if err != nil {
		return nil, err
	}
	out, err := sorted(items, Truth(reverse), func(v Value) (Value, error) {
		parts := NewList()
		for _, key := range keys {
			part, err := key(v)
			if err != nil {
				return nil, err
			}
			parts.Items = append(parts.Items, part)
		}
		return parts, nil
	})
	return &List{out}, err
}

func uniqueFilter(_ *state, in Value, a *Arguments) (Value, error) {
	items, key, err := keyedItems(in, a)
	if err != nil {
		return nil, err
	}
	seen, out := NewDict(), &generator{}
	for _, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		if _, known := seen.Get(k); known {
			continue
		}
		if err := seen.Set(k, true); err != nil {
			return nil, err
		}
		out.rest = append(out.rest, item)
	}
	return out, nil
}

func summed(_ *state, in Value, a *Arguments) (Value, error) {
	var attribute, start Value = nil, int64(0)
	if err := a.Take(0, []string{"attribute", "start"}, &attribute, &start); err != nil {
		return nil, err
	}
	if _, ok := start.(string); ok {
		return nil, errors.New("texts are joined by the filter join")
	}
	get, err := getter(attribute, nil)
	if err != nil {
		return nil, err
	}
	items, err := Items(in)
	if err != nil {
		return nil, err
	}
	total := start
	for _, item := range items {
		v, err := get(item)
		if err != nil {
			return nil, err
		}
		if total, err = operate("+", total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func dictSort(_ *state, in Value, a *Arguments) (Value, error) {
	var caseCounts, by, reverse Value = false, "key", false
	if err := a.Take(0, []string{"case_sensitive", "by", "reverse"}, &caseCounts, &by, &reverse); err != nil {
		return nil, err
	}
	d, ok := in.(*Dict)
	at := slices.Index([]Value{"key", "value"}, by)
	if !ok || at < 0 {
		return nil, errors.New("takes a dict, and by is key or value")
	}
	items, err := sorted((&view{d, "items"}).Items(), Truth(reverse), func(v Value) (Value, error) {
		part := v.(*Tuple).Items[at]
		if Truth(caseCounts) {
			return part, nil
		}
		return foldCase(part), nil
	})
	return &List{items}, err
}

func batches(_ *state, in Value, a *Arguments) (Value, error) {
	var count, fill Value
	if err := a.Take(1, []string{"linecount", "fill_with"}, &count, &fill); err != nil {
		return nil, err
	}
	n, _, isWhole, ok := number(count)
	items, err := Items(in)
	if !ok || !isWhole || n < 1 || n > most || err != nil {
		return nil, errors.Join(errors.New("takes a number of items"), err)
	}
	out := &generator{}
	for part := range slices.Chunk(items, int(n)) {
		piece := NewList(part...)
		for fill != nil && len(piece.Items) < int(n) {
			piece.Items = append(slices.Clone(piece.Items), fill)
		}
		out.rest = append(out.rest, piece)
	}
	return out, nil
}
