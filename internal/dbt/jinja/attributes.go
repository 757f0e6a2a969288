package jinja

import (
	"fmt"
	"slices"
)

// attributeOf is what a dot gives.
func attributeOf(of Value, name string) (Value, error) {
	if u, ok := of.(*Undefined); ok {
		return nil, u.err()
	}
	if _, ok := of.(markup); ok {
		return nil, errMarkup
	}
	if o, ok := of.(Object); ok {
		if v, found := o.Attribute(name); found {
			return v, nil
		}
		if r, ok := of.(Refuser); ok {
			return nil, r.Refuse(name)
		}
		return &Undefined{What: "the attribute " + quoted(name)}, nil
	}
	if v, err := methodOf(of, name); v != nil || err != nil {
		return v, err
	}
	if d, ok := of.(*Dict); ok {
		if v, found := d.Get(name); found {
			return v, nil
		}
	}
	return &Undefined{What: "the attribute " + quoted(name) + " of " + aType(of)}, nil
}

// itemOf is what a subscript gives.
func itemOf(of, at Value) (Value, error) {
	switch of := of.(type) {
	case *Undefined:
		return nil, of.err()
	case markup:
		return nil, errMarkup
	case *Dict:
		if v, found := of.Get(at); found {
			return v, nil
		}
	case *List, *Tuple, string, *numbers:
		if i, _, isWhole, ok := number(at); ok && isWhole {
			return itemAt(of, i)
		}
	case interface{ Item(Value) (Value, bool) }:
		if v, found := of.Item(at); found {
			return v, nil
		}
	}
	if name, ok := at.(string); ok {
		return attributeOf(of, name)
	}
	text, err := repr(at, 0)
	if err != nil {
		return nil, err
	}
	return &Undefined{What: "the item " + text + " of " + aType(of)}, nil
}

func itemAt(of Value, i int64) (Value, error) {
	items, err := Items(of)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		i += int64(len(items))
	}
	if i < 0 || i >= int64(len(items)) {
		return &Undefined{What: fmt.Sprintf("the item %d of %d", i, len(items))}, nil
	}
	return items[i], nil
}

func (s *state) subscript(e *subscript) (Value, error) {
	of, err := s.eval(e.of)
	if err != nil {
		return nil, err
	}
	if part, ok := e.at.(*slice); ok {
		return s.slice(of, part)
	}
	at, err := s.eval(e.at)
	if err != nil {
		return nil, err
	}
	return itemOf(of, at)
}

// slice is what [from:to:step] gives.
func (s *state) slice(of Value, e *slice) (Value, error) {
	if u, ok := of.(*Undefined); ok {
		return nil, u.err()
	}
	bounds := []Value{nil, nil, nil}
	for i, bound := range []expression{e.from, e.to, e.step} {
		if bound == nil {
			continue
		}
		v, err := s.eval(bound)
		if err != nil {
			return nil, err
		}
		if _, _, isWhole, ok := number(v); v != nil && (!ok || !isWhole) {
			return nil, fmt.Errorf("a slice takes whole numbers, not %s", aType(v))
		}
		bounds[i] = v
	}
	switch of.(type) {
	case string, *List, *Tuple:
	default:
		return nil, fmt.Errorf("a slice of %s is not supported: make a list of it with the filter list", aType(of))
	}
	items, err := Items(of)
	if err != nil {
		return nil, err
	}
	picked, err := sliced(items, bounds)
	if err != nil {
		return nil, err
	}
	switch of.(type) {
	case string:
		text := ""
		for _, item := range picked {
			text += item.(string)
		}
		return text, nil
	case *Tuple:
		return &Tuple{picked}, nil
	}
	return &List{picked}, nil
}

func sliced(items []Value, bounds []Value) ([]Value, error) {
	n := int64(len(items))
	step := int64(1)
	if bounds[2] != nil {
		step, _, _, _ = number(bounds[2])
	}
	if step == 0 {
		return nil, fmt.Errorf("the step of a slice is 0")
	}
	step = max(-n-1, min(n+1, step))
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(v Value, fallback int64) int64 {
		if v == nil {
			return fallback
		}
		i, _, _, _ := number(v)
		if i < 0 {
			i += n
		}
		return max(low, min(high, i))
	}
	from, to := bound(bounds[0], low), bound(bounds[1], high)
	if step < 0 {
		from, to = bound(bounds[0], high), bound(bounds[1], low)
	}
	var picked []Value
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		picked = append(picked, items[i])
		if len(picked) > len(items) {
			break
		}
	}
	return picked, nil
}

// A bound is a method with the value it belongs to.
type bound struct {
	of     Value
	method method
}

type method func(of Value, a *Arguments) (Value, error)

// Call calls the method.
func (b *bound) Call(a *Arguments) (Value, error) { return b.method(b.of, a) }

// methodOf is a method of a value; nil where its type has none of that name. One
// that Python has and this package does not is an error.
func methodOf(of Value, name string) (Value, error) {
	kind := typeName(of)
	if m := methods[kind][name]; m != nil {
		return &bound{of, m}, nil
	}
	if slices.Contains(unknownMethods[kind], name) {
		return nil, fmt.Errorf("the method %s of %s is not supported", name, aType(of))
	}
	return nil, nil
}

// Methods are the names of the methods of a type: string, list, tuple, dict,
// int or float.
func Methods(kind string) []string { return sortedKeys(methods[kind]) }

// UnknownMethods are those that Python has and this package refuses.
func UnknownMethods(kind string) []string { return unknownMethods[kind] }
