package jinja

import (
	"fmt"
	"strings"
)

// execute carries out statements. A word is break or continue, for the loop
// around.
func (s *state) execute(body []statement) (word string, err error) {
	for _, one := range body {
		if word, err = s.statement(one); word != "" || err != nil {
			return word, s.template.place(one.place(), err)
		}
	}
	return "", nil
}

func (s *state) statement(one statement) (word string, err error) {
	switch one := one.(type) {
	case *text:
		s.mark(one.line, true)
		s.out.WriteString(one.text)
	case *output:
		v, err := s.eval(one.of)
		if err != nil {
			return "", err
		}
		s.mark(one.line, false)
		return "", s.print(v, nil)
	case *branch:
		return s.branch(one)
	case *loop:
		return s.loop(one)
	case *assignment:
		v, err := s.eval(one.value)
		if err != nil {
			return "", err
		}
		return "", s.assign(one.target, v)
	case *block:
		text, err := s.captured(one.body)
		if err != nil {
			return "", err
		}
		v, err := s.chained(one.filters, text)
		if err != nil {
			return "", err
		}
		return "", s.assign(one.target, v)
	case *filtered:
		text, err := s.captured(one.body)
		if err != nil {
			return "", err
		}
		s.mark(one.line, false)
		return "", s.print(s.chained(one.filters, text))
	case *with:
		return s.with(one)
	case *do:
		_, err := s.eval(one.of)
		return "", err
	case *callBlock:
		caller := &macro{definition: one.macro, template: s.template, context: s.context, scope: s.scope, depth: s.calls}
		s.mark(one.line, false)
		return "", s.print(s.call(one.call, caller))
	case *jump:
		return one.word, nil
	case *definition: // its users find it by Template.Definitions
	}
	return "", nil
}

func (s *state) print(v Value, err error) error {
	if err != nil {
		return err
	}
	text, err := Text(v)
	s.out.WriteString(text)
	return err
}

// captured is the text of statements in a scope of their own.
func (s *state) captured(body []statement) (string, error) {
	inner := s.inner()
	inner.out, inner.marks = &strings.Builder{}, nil
	_, err := inner.execute(body)
	return inner.out.String(), err
}

// chained passes a text through filters, the innermost first.
func (s *state) chained(f *filter, text string) (Value, error) {
	if f == nil {
		return text, nil
	}
	var of Value = text
	if f.of != nil {
		var err error
		if of, err = s.chained(f.of.(*filter), text); err != nil {
			return nil, err
		}
	}
	v, err := s.filter(f, of)
	return v, s.template.place(f.line, err)
}

func (s *state) branch(b *branch) (string, error) {
	for i, condition := range b.conditions {
		v, err := s.eval(condition)
		if err != nil {
			return "", err
		}
		if Truth(v) {
			return s.execute(b.bodies[i])
		}
	}
	return s.execute(b.orElse)
}

func (s *state) with(w *with) (string, error) {
	inner := s.inner()
	for i, target := range w.targets {
		v, err := s.eval(w.values[i])
		if err != nil {
			return "", err
		}
		if err := inner.assign(target, v); err != nil {
			return "", err
		}
	}
	return inner.execute(w.body)
}

// assign sets a name of this scope, an attribute of a namespace, or each name
// of a tuple.
func (s *state) assign(target expression, v Value) error {
	switch target := target.(type) {
	case *name:
		s.scope.variables[target.name] = v
	case *attribute:
		of, err := s.eval(target.of)
		if err != nil {
			return err
		}
		space, ok := of.(*Namespace)
		if !ok {
			return fmt.Errorf("%s is not a namespace: only its attributes can be set", named(target.of))
		}
		return space.entries.Set(target.name, v)
	case *tuple:
		if u, ok := v.(*Undefined); ok {
			return u.err()
		}
		items, err := Items(v)
		if err != nil {
			return err
		}
		if len(items) != len(target.items) {
			return fmt.Errorf("%d values do not fit %d names", len(items), len(target.items))
		}
		for i, one := range target.items {
			if err := s.assign(one, items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *state) loop(l *loop) (string, error) {
	over, err := s.eval(l.over)
	if err != nil {
		return "", err
	}
	items, err := Items(over)
	if err != nil {
		return "", s.template.place(l.line, err)
	}
	if l.condition != nil {
		if items, err = s.those(l, items); err != nil {
			return "", err
		}
	}
	turn, ended := &turns{items: items}, false
	for i, item := range items {
		inner := s.inner()
		turn.at = i
		if err := inner.assign(l.target, item); err != nil {
			return "", s.template.place(l.line, err)
		}
		inner.scope.variables["loop"] = turn
		word, err := inner.execute(l.body)
		if err != nil {
			return "", err
		}
		if word == "break" {
			break
		}
		ended = ended || word == ""
	}
	if !ended { // also where each turn was cut short: Jinja2 tells neither from the other
		return s.inner().execute(l.orElse)
	}
	return "", nil
}

// those are the items that meet the loop's condition.
func (s *state) those(l *loop, items []Value) ([]Value, error) {
	var kept []Value
	for _, item := range items {
		inner := s.inner()
		if err := inner.assign(l.target, item); err != nil {
			return nil, s.template.place(l.line, err)
		}
		v, err := inner.eval(l.condition)
		if err != nil {
			return nil, err
		}
		if Truth(v) {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

// turns is the variable loop.
type turns struct {
	items []Value
	at    int
	last  []Value // of changed
}

func (t *turns) Attribute(name string) (Value, bool) {
	n := len(t.items)
	switch name {
	case "index":
		return int64(t.at + 1), true
	case "index0":
		return int64(t.at), true
	case "revindex":
		return int64(n - t.at), true
	case "revindex0":
		return int64(n - t.at - 1), true
	case "first":
		return t.at == 0, true
	case "last":
		return t.at == n-1, true
	case "length":
		return int64(n), true
	case "depth": // Jinja2 counts recursive loops only
		return int64(1), true
	case "depth0":
		return int64(0), true
	case "previtem":
		if t.at > 0 {
			return t.items[t.at-1], true
		}
		return &Undefined{What: "loop.previtem"}, true
	case "nextitem":
		if t.at < n-1 {
			return t.items[t.at+1], true
		}
		return &Undefined{What: "loop.nextitem"}, true
	case "cycle":
		return Func(func(a *Arguments) (Value, error) {
			if len(a.Positional) == 0 || a.Named.Len() > 0 {
				return nil, fmt.Errorf("takes values to cycle through")
			}
			return a.Positional[t.at%len(a.Positional)], nil
		}), true
	case "changed":
		return Func(func(a *Arguments) (Value, error) {
			same := t.last != nil && sameItems(t.last, a.Positional)
			t.last = append([]Value{}, a.Positional...)
			return !same, nil
		}), true
	}
	return nil, false
}

// A Namespace is what namespace() makes: its attributes can be set from within
// loops.
type Namespace struct{ entries *Dict }

// Attribute is one of the entries.
func (n *Namespace) Attribute(name string) (Value, bool) { return n.entries.Get(name) }
