package jinja

import (
	"errors"
	"fmt"
)

type testFunc func(v Value, a *Arguments) (bool, error)

var tests map[string]testFunc

func init() {
	alone := func(f func(Value) bool) testFunc {
		return func(v Value, a *Arguments) (bool, error) { return f(v), a.Take(0, nil) }
	}
	with := func(operator string) testFunc {
		return func(v Value, a *Arguments) (bool, error) {
			var other Value
			if err := a.Take(1, []string{"the other"}, &other); err != nil {
				return false, err
			}
			return compare(operator, v, other)
		}
	}
	divides := func(rest int64) testFunc {
		return func(v Value, a *Arguments) (bool, error) {
			var by Value = int64(2)
			if err := a.Take(0, []string{"num"}, &by); err != nil {
				return false, err
			}
			left, err := operate("%", v, by)
			return err == nil && Equal(left, rest), err
		}
	}
	isType := func(names ...string) testFunc {
		return alone(func(v Value) bool { return indexOf(names, typeName(v)) >= 0 })
	}
	tests = map[string]testFunc{
		"odd": divides(1), "even": divides(0), "divisibleby": divides(0),
		"defined":   alone(func(v Value) bool { _, ok := v.(*Undefined); return !ok }),
		"undefined": isType("undefined value"),
		"none":      isType("None"),
		"boolean":   isType("bool"),
		"false":     alone(func(v Value) bool { return v == false }),
		"true":      alone(func(v Value) bool { return v == true }),
		"integer":   isType("int"),
		"float":     isType("float"),
		"number":    isType("int", "float", "bool"),
		"string":    alone(func(v Value) bool { _, ok := v.(markup); return ok || typeName(v) == "string" }),
		"mapping": alone(func(v Value) bool {
			_, likeDict := v.(interface{ Mapping() })
			return likeDict || typeName(v) == "dict"
		}),
		"sequence": alone(func(v Value) bool {
			switch v.(type) {
			case *numbers, *group, markup:
				return true
			}
			return indexOf([]string{"string", "list", "tuple", "dict", "undefined value"}, typeName(v)) >= 0
		}),
		"iterable": alone(func(v Value) bool {
			switch v.(type) {
			case interface{ Items() []Value }, markup:
				return true
			}
			return indexOf([]string{"string", "list", "tuple", "dict", "undefined value"}, typeName(v)) >= 0
		}),
		"callable": alone(func(v Value) bool {
			switch v.(type) {
			case Callable, *Undefined:
				return true
			}
			return false
		}),
		"lower":   ofText(isLower),
		"upper":   ofText(isUpper),
		"escaped": alone(func(v Value) bool { _, ok := v.(markup); return ok }),
		"sameas":  sameAs,
		"in":      with("in"),
		"==":      with("=="), "eq": with("=="), "equalto": with("=="),
		"!=": with("!="), "ne": with("!="),
		">": with(">"), "gt": with(">"), "greaterthan": with(">"),
		">=": with(">="), "ge": with(">="),
		"<": with("<"), "lt": with("<"), "lessthan": with("<"),
		"<=": with("<="), "le": with("<="),
	}
}

func ofText(is func(string) bool) testFunc {
	return func(v Value, a *Arguments) (bool, error) {
		text, err := plain(v)
		return is(text), errors.Join(err, a.Take(0, nil))
	}
}

func sameAs(v Value, a *Arguments) (bool, error) {
	var other Value
	if err := a.Take(1, []string{"other"}, &other); err != nil {
		return false, err
	}
	for _, one := range []Value{v, other} {
		switch one.(type) {
		case nil, bool:
			return v == other, nil
		}
	}
	return false, errors.New("sameas is supported with none, true and false only: use ==")
}

// check carries out a test.
func (s *state) check(e *check) (Value, error) {
	v, err := s.eval(e.of)
	if err != nil {
		return nil, err
	}
	a, err := s.arguments(e.arguments)
	if err != nil {
		return nil, err
	}
	return s.holds(e.name, v, a)
}

func (s *state) holds(name string, v Value, a *Arguments) (bool, error) {
	test := tests[name]
	if test == nil {
		return false, fmt.Errorf("there is no test %q here", name)
	}
	holds, err := test(v, a)
	if err != nil && !isPlaced(err) {
		err = fmt.Errorf("the test %s: %w", name, err)
	}
	return holds, err
}
