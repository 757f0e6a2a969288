package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// A scope holds the variables of a template, loop or macro.
type scope struct {
	variables map[string]Value
	parent    *scope
}

func newScope(parent *scope) *scope { return &scope{map[string]Value{}, parent} }

// A state is where rendering is.
type state struct {
	template *Template
	context  Context
	scope    *scope
	out      *strings.Builder
	marks    *[]Mark // of what is written to out; nil where nobody asks
	calls    int     // macros in each other
}

func (s *state) lookup(name string) (Value, error) {
	for at := s.scope; at != nil; at = at.parent {
		if value, ok := at.variables[name]; ok {
			return value, nil
		}
	}
	if value, ok, err := s.context(name); ok || err != nil {
		return value, err
	}
	if value, ok := globals[name]; ok {
		return value, nil
	}
	return &Undefined{What: quoted(name)}, nil
}

// inner is the state within a scope of its own.
func (s *state) inner() *state {
	within := *s
	within.scope = newScope(s.scope)
	return &within
}

// eval gives an expression's value; its errors say where.
func (s *state) eval(e expression) (Value, error) {
	v, err := s.value(e)
	if err != nil {
		return nil, s.template.place(e.place(), err)
	}
	if u, ok := v.(*Undefined); ok && s.template.lenient && !u.silent {
		return &Undefined{u.What, true}, nil
	}
	return v, nil
}

func (s *state) value(e expression) (Value, error) {
	switch e := e.(type) {
	case *constant:
		return e.value, nil
	case *name:
		return s.lookup(e.name)
	case *attribute:
		of, err := s.eval(e.of)
		if err != nil {
			return nil, err
		}
		return attributeOf(of, e.name)
	case *subscript:
		return s.subscript(e)
	case *call:
		return s.call(e, nil)
	case *filter:
		of, err := s.eval(e.of)
		if err != nil {
			return nil, err
		}
		return s.filter(e, of)
	case *check:
		return s.check(e)
	case *operation:
		a, b, err := s.both(e.a, e.b)
		if err != nil {
			return nil, err
		}
		return operate(e.operator, a, b)
	case *concatenation:
		return s.concatenate(e)
	case *sign:
		return s.sign(e)
	case *comparison:
		return s.compare(e)
	case *logic:
		a, err := s.eval(e.a)
		if err != nil || Truth(a) == (e.operator == "or") {
			return a, err
		}
		return s.eval(e.b)
	case *choice:
		return s.choose(e)
	case *tuple:
		items, err := s.values(e.items)
		return &Tuple{items}, err
	case *list:
		items, err := s.values(e.items)
		return &List{items}, err
	case *dict:
		return s.dict(e)
	}
	return nil, fmt.Errorf("a %T is not an expression", e)
}

func (s *state) values(of []expression) ([]Value, error) {
	out := make([]Value, len(of))
	for i, e := range of {
		var err error
		if out[i], err = s.eval(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *state) both(a, b expression) (Value, Value, error) {
	first, err := s.eval(a)
	if err != nil {
		return nil, nil, err
	}
	second, err := s.eval(b)
	return first, second, err
}

func (s *state) choose(e *choice) (Value, error) {
	condition, err := s.eval(e.condition)
	switch {
	case err != nil:
		return nil, err
	case Truth(condition):
		return s.eval(e.yes)
	case e.no == nil:
		return &Undefined{"the value of an if without else", true}, nil
	}
	return s.eval(e.no)
}

func (s *state) concatenate(e *concatenation) (Value, error) {
	var out strings.Builder
	for _, part := range e.parts {
		v, err := s.eval(part)
		if err != nil {
			return nil, err
		}
		text, err := plain(v)
		if err != nil {
			return nil, err
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

func (s *state) sign(e *sign) (Value, error) {
	v, err := s.eval(e.of)
	if err != nil {
		return nil, err
	}
	if e.operator == "not" {
		return !Truth(v), nil
	}
	if u, ok := v.(*Undefined); ok {
		return nil, u.err()
	}
	i, f, isWhole, ok := number(v)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s does not work before %s", e.operator, aType(v))
	case isWhole && e.operator == "-":
		return operateWhole("-", 0, i)
	case isWhole:
		return i, nil
	case e.operator == "-":
		return -f, nil
	}
	return f, nil
}

func (s *state) compare(e *comparison) (Value, error) {
	left, err := s.eval(e.first)
	if err != nil {
		return nil, err
	}
	for i, operator := range e.operators {
		right, err := s.eval(e.others[i])
		if err != nil {
			return nil, err
		}
		holds, err := compare(operator, left, right)
		if err != nil || !holds {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (s *state) dict(e *dict) (Value, error) {
	d := NewDict()
	for i, key := range e.keys {
		k, v, err := s.both(key, e.values[i])
		if err != nil {
			return nil, err
		}
		if err := d.Set(k, v); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// arguments evaluates those of a call.
func (s *state) arguments(of arguments) (*Arguments, error) {
	positional, err := s.values(of.positional)
	if err != nil {
		return nil, err
	}
	a := &Arguments{positional, NewDict()}
	for i, name := range of.names {
		v, err := s.eval(of.named[i])
		if err != nil {
			return nil, err
		}
		must(a.Named.Set(name, v))
	}
	if of.star != nil {
		v, err := s.eval(of.star)
		if err != nil {
			return nil, err
		}
		items, err := Items(v)
		if err != nil {
			return nil, err
		}
		a.Positional = append(a.Positional, items...)
	}
	if of.stars != nil {
		v, err := s.eval(of.stars)
		if err != nil {
			return nil, err
		}
		more, ok := v.(*Dict)
		if !ok {
			return nil, fmt.Errorf("** takes a dict, not %s", aType(v))
		}
		for _, key := range more.Keys() {
			if _, twice := a.Named.Get(key); twice {
				return nil, fmt.Errorf("the call has the argument %v twice", key)
			}
			if _, ok := key.(string); !ok {
				return nil, errors.New("** takes a dict whose keys are strings")
			}
			value, _ := more.Get(key)
			must(a.Named.Set(key, value))
		}
	}
	return a, nil
}

// deepestCall is how far macros call each other.
const deepestCall = 200

// call calls a function or macro; caller is what a call block gives it.
func (s *state) call(e *call, caller Callable) (Value, error) {
	of, err := s.eval(e.of)
	if err != nil {
		return nil, err
	}
	a, err := s.arguments(e.arguments)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		must(a.Named.Set("caller", caller))
	}
	if u, ok := of.(*Undefined); ok {
		return nil, u.err()
	}
	callable, ok := of.(Callable)
	if !ok {
		return nil, fmt.Errorf("%s cannot be called", aType(of))
	}
	if m, ok := callable.(*macro); ok {
		return m.call(a, s.calls+1)
	}
	v, err := callable.Call(a)
	if err != nil && !isPlaced(err) && !isReturn(err) {
		err = fmt.Errorf("%s: %w", named(e.of), err)
	}
	return v, err
}

// named is what an expression calls, in messages.
func named(e expression) string {
	switch e := e.(type) {
	case *name:
		return e.name
	case *attribute:
		if _, isName := e.of.(*name); isName {
			return named(e.of) + "." + e.name
		}
		return e.name
	}
	return "the call"
}
