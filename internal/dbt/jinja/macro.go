package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A macro is a definition with what its body knows.
type macro struct {
	definition *definition
	template   *Template
	context    Context
	scope      *scope // of a call block
	depth      int    // of calls, where a call block lies
	returns    bool   // whether return ends it; that in a call block ends the macro around
}

// returned is the error by which return ends a macro.
type returned struct{ value Value }

func (*returned) Error() string { return "return ends a macro: there is none around it" }

func isReturn(err error) bool { return errors.As(err, new(*returned)) }

// Return is dbt's function of that name.
func Return(a *Arguments) (Value, error) {
	var value Value
	if err := a.Take(1, []string{"data"}, &value); err != nil {
		return nil, err
	}
	return nil, &returned{value}
}

// Call calls the macro.
func (m *macro) Call(a *Arguments) (Value, error) { return m.call(a, m.depth+1) }

func (m *macro) call(a *Arguments, depth int) (Value, error) {
	if depth > deepestCall {
		return nil, fmt.Errorf("macros call each other more than %d deep", deepestCall)
	}
	s := &state{template: m.template, context: m.context, scope: newScope(m.scope), out: &strings.Builder{}, calls: depth}
	if err := m.bind(s, a); err != nil {
		return nil, err
	}
	_, err := s.execute(m.definition.body)
	var result *returned
	if m.returns && errors.As(err, &result) {
		return result.value, nil
	}
	return s.out.String(), err
}

// bind gives the parameters their values.
func (m *macro) bind(s *state, a *Arguments) error {
	d := m.definition
	named := a.Named.Copy()
	for i, name := range d.names {
		if i < len(a.Positional) {
			s.scope.variables[name] = a.Positional[i]
			continue
		}
		if v, ok := named.Get(name); ok {
			s.scope.variables[name] = v
			named.Delete(name)
			continue
		}
		s.scope.variables[name] = &Undefined{What: fmt.Sprintf("the parameter %q of %s, which the call does not give,", name, d.name)}
		if at := i - (len(d.names) - len(d.defaults)); at >= 0 {
			v, err := s.eval(d.defaults[at])
			if err != nil {
				return err
			}
			s.scope.variables[name] = v
		}
	}
	return m.bindRest(s, a, named)
}

// bindRest gives the names caller, kwargs and varargs to a macro that uses
// them; for others there must be no more arguments.
func (m *macro) bindRest(s *state, a *Arguments, named *Dict) error {
	d := m.definition
	if d.uses["caller"] && !slices.Contains(d.names, "caller") {
		caller, ok := named.Get("caller")
		if !ok {
			caller = &Undefined{What: "caller, as no call block is around this call,"}
		}
		named.Delete("caller")
		s.scope.variables["caller"] = caller
	}
	switch {
	case d.uses["kwargs"] && !slices.Contains(d.names, "kwargs"):
		s.scope.variables["kwargs"] = named
	case named.Len() > 0:
		return fmt.Errorf("the macro %s takes no argument named %q", d.name, named.Keys()[0])
	}
	more := a.Positional[min(len(d.names), len(a.Positional)):]
	switch {
	case d.uses["varargs"] && !slices.Contains(d.names, "varargs"):
		s.scope.variables["varargs"] = &Tuple{more}
	case len(more) > 0:
		return fmt.Errorf("the macro %s takes %d arguments at most, and %d are given", d.name, len(d.names), len(a.Positional))
	}
	return nil
}
