package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Value is one of Python's, as far as templates have them: nil (None), bool,
// int64, float64, string, *List, *Tuple, *Dict, *Undefined, a Callable or an
// Object.
type Value = any

// A List can change: all that hold it see that.
type List struct{ Items []Value }

// A Tuple cannot change.
type Tuple struct{ Items []Value }

// NewList returns a list of values.
func NewList(items ...Value) *List { return &List{Items: items} }

// A Dict keeps the order in which its keys came.
type Dict struct {
	keys   []Value
	values map[any]Value
}

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{values: map[any]Value{}} }

// noneKey, tupleKey and objectKey stand for keys that Go's maps do not take.
type (
	noneKey   struct{}
	tupleKey  string
	objectKey string
)

// hash is the key of a dict's map: 1, 1.0 and true are the same one.
func hash(key Value) (any, error) {
	switch key := key.(type) {
	case nil:
		return noneKey{}, nil
	case bool:
		if key {
			return int64(1), nil
		}
		return int64(0), nil
	case float64:
		if key == math.Trunc(key) && math.Abs(key) < 1<<62 {
			return int64(key), nil
		}
		return key, nil
	case int64, string:
		return key, nil
	case interface{ Key() string }:
		return objectKey(key.Key()), nil
	case *Tuple:
		var text strings.Builder
		for _, item := range key.Items {
			inner, err := hash(item)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&text, "%T%v,", inner, inner)
		}
		return tupleKey(text.String()), nil
	}
	return nil, fmt.Errorf("%s cannot be a key", aType(key))
}

// Set sets one entry; a new one comes last.
func (d *Dict) Set(key, value Value) error {
	at, err := hash(key)
	if err != nil {
		return err
	}
	if _, known := d.values[at]; !known {
		d.keys = append(d.keys, key)
	}
	d.values[at] = value
	return nil
}

// Get returns an entry.
func (d *Dict) Get(key Value) (Value, bool) {
	at, err := hash(key)
	if err != nil {
		return nil, false
	}
	value, ok := d.values[at]
	return value, ok
}

// Delete removes an entry.
func (d *Dict) Delete(key Value) {
	at, err := hash(key)
	if _, known := d.values[at]; err != nil || !known {
		return
	}
	delete(d.values, at)
	for i, other := range d.keys {
		if same, _ := hash(other); same == at {
			d.keys = append(d.keys[:i:i], d.keys[i+1:]...)
			return
		}
	}
}

// Keys are the keys in their order.
func (d *Dict) Keys() []Value { return d.keys }

// Len is the number of entries.
func (d *Dict) Len() int { return len(d.keys) }

// Copy is a dict with the same entries.
func (d *Dict) Copy() *Dict {
	copied := NewDict()
	for _, key := range d.keys {
		value, _ := d.Get(key)
		must(copied.Set(key, value))
	}
	return copied
}

// must panics on what only a mistake in this package can cause.
func must(err error) {
	if err != nil {
		panic("jinja: " + err.Error())
	}
}

// An Undefined is the value of a name that nothing defines. A silent one
// prints nothing: that of an if without else, and those of a lenient template.
type Undefined struct {
	What   string
	silent bool
}

// err says what is undefined.
func (u *Undefined) err() error { return fmt.Errorf("%s is undefined", u.What) }

// An Object has attributes, which a subscript finds, too.
type Object interface {
	Attribute(name string) (Value, bool)
}

// A Refuser is an Object that says why it has no attribute of a name; other
// objects' attributes are undefined then.
type Refuser interface {
	Refuse(name string) error
}

// A Callable is called by ().
type Callable interface {
	Call(*Arguments) (Value, error)
}

// A Func is a function of the context.
type Func func(*Arguments) (Value, error)

// Call calls it.
func (f Func) Call(a *Arguments) (Value, error) { return f(a) }

// Arguments are those of one call.
type Arguments struct {
	Positional []Value
	Named      *Dict // never nil; its keys are strings
}

// Take assigns the arguments to names, in their order, as Python does for
// a function that has these parameters; what is not given stays as it is.
func (a *Arguments) Take(least int, names []string, into ...*Value) error {
	if len(a.Positional) > len(names) {
		return fmt.Errorf("takes %d arguments at most, and %d are given", len(names), len(a.Positional))
	}
	given := map[string]bool{}
	for i, value := range a.Positional {
		*into[i], given[names[i]] = value, true
	}
	for _, key := range a.Named.Keys() {
		name, _ := key.(string)
		at := indexOf(names, name)
		if at < 0 {
			return fmt.Errorf("takes no argument named %q", name)
		}
		if given[name] {
			return fmt.Errorf("is given the argument %q twice", name)
		}
		*into[at], _ = a.Named.Get(name)
		given[name] = true
	}
	for _, name := range names[:least] {
		if !given[name] {
			return fmt.Errorf("needs the argument %q", name)
		}
	}
	return nil
}

func indexOf(names []string, name string) int {
	for i, other := range names {
		if other == name {
			return i
		}
	}
	return -1
}

// An Error says where in which template something failed.
type Error struct {
	File string
	Line int
	Err  error
}

func (e *Error) Error() string {
	return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// isPlaced reports whether an error says already where.
func isPlaced(err error) bool { return errors.As(err, new(*Error)) }

// typeName is Python's word for a value's type.
func typeName(v Value) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "string"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *Undefined:
		return "undefined value"
	case Callable:
		return "function"
	}
	return "object"
}

// aType is the type's name as a sentence has it.
func aType(v Value) string {
	switch name := typeName(v); name[0] {
	case 'N':
		return "none"
	case 'i', 'o', 'u':
		return "an " + name
	default:
		return "a " + name
	}
}

// Truth is what if makes of a value.
func Truth(v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *List:
		return len(v.Items) > 0
	case *Tuple:
		return len(v.Items) > 0
	case *Dict:
		return v.Len() > 0
	case *Undefined:
		return false
	}
	return true
}

// Text is a value as it is printed.
func Text(v Value) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case *Undefined:
		if v.silent {
			return "", nil
		}
		return "", v.err()
	case fmt.Stringer:
		return v.String(), nil
	}
	return repr(v, 0)
}

// deepest is how far lists and dicts go into each other: one that holds itself
// has no end.
const deepest = 100

// repr is a value as Python shows it in a list.
func repr(v Value, depth int) (string, error) {
	if depth > deepest {
		return "", errors.New("a list or dict that holds itself cannot be printed")
	}
	switch v := v.(type) {
	case nil:
		return "None", nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return floatText(v), nil
	case string:
		return quoted(v), nil
	case *List:
		inner, err := reprs(v.Items, depth)
		return "[" + inner + "]", err
	case *Tuple:
		inner, err := reprs(v.Items, depth)
		if len(v.Items) == 1 {
			inner += ","
		}
		return "(" + inner + ")", err
	case *numbers:
		return v.String(), nil
	case *group:
		return repr(&Tuple{v.Items()}, depth)
	case *view:
		inner, err := reprs(v.Items(), depth)
		return "dict_" + v.kind + "([" + inner + "])", err
	case *Dict:
		parts := make([]string, v.Len())
		for i, key := range v.Keys() {
			value, _ := v.Get(key)
			name, err := repr(key, depth+1)
			if err != nil {
				return "", err
			}
			text, err := repr(value, depth+1)
			if err != nil {
				return "", err
			}
			parts[i] = name + ": " + text
		}
		return "{" + strings.Join(parts, ", ") + "}", nil
	case *Undefined:
		return "", v.err()
	}
	return "", fmt.Errorf("%s cannot be printed here", aType(v))
}

func reprs(items []Value, depth int) (string, error) {
	parts := make([]string, len(items))
	for i, item := range items {
		var err error
		if parts[i], err = repr(item, depth+1); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, ", "), nil
}
