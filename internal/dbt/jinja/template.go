// Package jinja renders templates as Jinja2 does in the environment that
// dbt-core sets up: Python's values, its arithmetic, its text of each value,
// its methods; Jinja2's grammar, scopes, filters and tests; dbt's do, break,
// continue, return, and macros with types.
//
// What is not known here is an error that names file, line and construct: when
// a template is parsed, if that can be seen, or else when it is rendered.
// Printing, joining or calling what is undefined is an error, too, where dbt
// prints nothing.
//
// A Template is immutable and safe for concurrent use. Values are not.
package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// A Template is a parsed file.
type Template struct {
	file    string
	body    []statement
	lenient bool
}

// A Context knows the names that a template does not define. Its error says
// why a name cannot be used.
type Context func(name string) (v Value, found bool, err error)

// Parse parses a template. file is its name in errors, firstLine the line on
// which the source begins in that file.
func Parse(file, source string, firstLine int) (*Template, error) {
	body, err := parse(source)
	var placed *Error
	if errors.As(err, &placed) {
		return nil, &Error{file, placed.Line + firstLine - 1, placed.Err}
	}
	if err != nil {
		return nil, err
	}
	if firstLine != 1 {
		file = fmt.Sprintf("%s\x00%d", file, firstLine-1)
	}
	return &Template{file: file, body: body}, nil
}

// Lenient is the template with what is undefined printed as nothing, as dbt
// does: for files that their reader did not write.
func (t *Template) Lenient() *Template {
	lenient := *t
	lenient.lenient = true
	return &lenient
}

func normal(source string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
}

// place is the error with the file and line of a node.
func (t *Template) place(line int, err error) error {
	if err == nil || isPlaced(err) || isReturn(err) {
		return err
	}
	file, line := t.at(line)
	return &Error{file, line, err}
}

// at is the file, and the line in it of a line of the template.
func (t *Template) at(line int) (file string, inFile int) {
	file, shift, found := strings.Cut(t.file, "\x00")
	if found {
		more := 0
		fmt.Sscan(shift, &more) //nolint:errcheck // written by Parse
		line += more
	}
	return file, line
}

// Render renders the template.
func (t *Template) Render(context Context) (string, error) {
	text, _, err := t.RenderMarked(context)
	return text, err
}

// A Mark says where the text of a rendering comes from, from the offset At on
// up to the next mark: the template has it letter by letter, and its first one
// on the line, or a tag on the line has written it.
type Mark struct {
	At      int
	File    string
	Line    int
	Literal bool
}

// RenderMarked is Render, with marks for all of the text, in its order.
func (t *Template) RenderMarked(context Context) (string, []Mark, error) {
	var out strings.Builder
	var marks []Mark
	s := &state{template: t, context: context, scope: newScope(nil), out: &out, marks: &marks}
	if _, err := s.execute(t.body); err != nil {
		if isReturn(err) {
			return "", nil, t.place(1, errors.New("return ends a macro: there is none around it"))
		}
		return "", nil, err
	}
	return out.String(), marks, nil
}

// mark notes where what is written next comes from.
func (s *state) mark(line int, literal bool) {
	if s.marks != nil {
		file, line := s.template.at(line)
		*s.marks = append(*s.marks, Mark{s.out.Len(), file, line, literal})
	}
}

// Native renders a template as dbt does with a value of a yml file: what is
// one expression gives that expression's value, and not its text.
func (t *Template) Native(context Context) (Value, error) {
	if len(t.body) == 1 {
		if only, ok := t.body[0].(*output); ok && !isConstant(only.of) {
			s := &state{template: t, context: context, scope: newScope(nil), out: &strings.Builder{}}
			v, err := s.eval(only.of)
			if u, undefined := v.(*Undefined); undefined && err == nil {
				err = u.err()
			}
			return v, t.place(only.line, err)
		}
	}
	return t.Render(context)
}

// isConstant reports whether Jinja2 knows the expression's value when it
// compiles it, and writes its text then.
func isConstant(e expression) bool {
	switch e := e.(type) {
	case *constant:
		return true
	case *sign:
		return isConstant(e.of)
	case *operation:
		return isConstant(e.a) && isConstant(e.b)
	case *logic:
		return isConstant(e.a) && isConstant(e.b)
	case *concatenation:
		for _, part := range e.parts {
			if !isConstant(part) {
				return false
			}
		}
		return true
	}
	return false
}

// A Definition is a macro, test, materialization, snapshot or docs block of a
// file.
type Definition struct {
	Kind, Name, Source string
	Line               int

	template   *Template
	definition *definition
}

// Definitions are those of the file, outside of each other.
func (t *Template) Definitions() []Definition {
	var found []Definition
	for _, s := range t.body {
		if d, ok := s.(*definition); ok {
			var placed *Error
			errors.As(t.place(d.line, errors.New("here")), &placed)
			found = append(found, Definition{d.kind, d.name, d.source, placed.Line, t, d})
		}
	}
	return found
}

// Macro makes the definition callable: with these names known to its body. A
// return ends it, as it does in dbt.
func (d Definition) Macro(context Context) Callable {
	return &macro{definition: d.definition, template: d.template, context: context, returns: true}
}

// Filters are the names of the filters.
func Filters() []string { return sortedKeys(filters) }

// Tests are the names of the tests.
func Tests() []string { return sortedKeys(tests) }
