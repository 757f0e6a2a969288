package jinja

// A group is one of those that groupby makes: a pair whose parts have names.
type group struct {
	key   Value
	items *List
}

// Items are the key and the list.
func (g *group) Items() []Value { return []Value{g.key, g.items} }

// Item is one of the two by its number.
func (g *group) Item(at Value) (Value, bool) {
	v, err := itemAt(&Tuple{g.Items()}, at.(int64))
	return v, err == nil
}

// Attribute is grouper or list.
func (g *group) Attribute(name string) (Value, bool) {
	switch name {
	case "grouper":
		return g.key, true
	case "list":
		return g.items, true
	}
	return nil, false
}

func groupBy(_ *state, in Value, a *Arguments) (Value, error) {
	var attribute, fallback, caseCounts Value = nil, nil, false
	if err := a.Take(1, []string{"attribute", "default", "case_sensitive"}, &attribute, &fallback, &caseCounts); err != nil {
		return nil, err
	}
	get, err := getter(attribute, fallback)
	if err != nil {
		return nil, err
	}
	key := func(v Value) (Value, error) {
		v, err := get(v)
		if Truth(caseCounts) {
			return v, err
		}
		return foldCase(v), err
	}
	items, err := Items(in)
	if err != nil {
		return nil, err
	}
	if items, err = sorted(items, false, key); err != nil {
		return nil, err
	}
	out := NewList()
	var last Value
	for i, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		if i == 0 || !Equal(k, last) {
			shown, _ := get(item)
			out.Items = append(out.Items, &group{shown, NewList()})
			last = k
		}
		g := out.Items[len(out.Items)-1].(*group)
		g.items.Items = append(g.items.Items, item)
	}
	return out, nil
}
