package jinja

import "errors"

func dictMethods() map[string]method {
	viewOf := func(kind string) method {
		return func(of Value, a *Arguments) (Value, error) { return &view{of.(*Dict), kind}, a.Take(0, nil) }
	}
	return map[string]method{
		"items":  viewOf("items"),
		"keys":   viewOf("keys"),
		"values": viewOf("values"),
		"clear": func(of Value, a *Arguments) (Value, error) {
			*of.(*Dict) = *NewDict()
			return nil, a.Take(0, nil)
		},
		"copy": func(of Value, a *Arguments) (Value, error) { return of.(*Dict).Copy(), a.Take(0, nil) },
		"get":  func(of Value, a *Arguments) (Value, error) { return getOr(of.(*Dict), a, nil) },
		"pop":  popKey,
		"popitem": func(of Value, a *Arguments) (Value, error) {
			d := of.(*Dict)
			if err := a.Take(0, nil); err != nil || d.Len() == 0 {
				return nil, errors.Join(err, errors.New("the dict has no item"))
			}
			key := d.keys[d.Len()-1]
			value, _ := d.Get(key)
			d.Delete(key)
			return &Tuple{[]Value{key, value}}, nil
		},
		"setdefault": func(of Value, a *Arguments) (Value, error) {
			d := of.(*Dict)
			value, err := getOr(d, a, nil)
			if err != nil {
				return nil, err
			}
			return value, d.Set(a.Positional[0], value)
		},
		"update": updateMethod,
	}
}

// getOr is the entry of the first argument, or else the second argument.
func getOr(d *Dict, a *Arguments, fallback Value) (Value, error) {
	if len(a.Positional) < 1 || len(a.Positional) > 2 || a.Named.Len() > 0 {
		return nil, errors.New("takes a key and, where there may be none, a default")
	}
	if _, err := hash(a.Positional[0]); err != nil {
		return nil, err
	}
	if value, ok := d.Get(a.Positional[0]); ok {
		return value, nil
	}
	if len(a.Positional) == 2 {
		return a.Positional[1], nil
	}
	return fallback, nil
}

func popKey(of Value, a *Arguments) (Value, error) {
	d := of.(*Dict)
	missing := &Undefined{}
	value, err := getOr(d, a, missing)
	if err != nil {
		return nil, err
	}
	if value == Value(missing) {
		return nil, errors.New("the dict has no such key")
	}
	d.Delete(a.Positional[0])
	return value, nil
}

func updateMethod(of Value, a *Arguments) (Value, error) {
	d := of.(*Dict)
	if len(a.Positional) > 1 {
		return nil, errors.New("takes one argument without a name at most")
	}
	if len(a.Positional) == 1 {
		if err := update(d, a.Positional[0]); err != nil {
			return nil, err
		}
	}
	return nil, update(d, a.Named)
}
