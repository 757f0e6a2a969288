package jinja

import (
	"fmt"
	"strings"
)

// WrittenCall returns the named arguments of the first call of a function in
// the template as they are written: a text without its quotes, all else as an
// expression in one form. found is false when there is none.
func (t *Template) WrittenCall(function string) (arguments map[string]string, found bool) {
	c := firstCall(t.body, function)
	if c == nil {
		return nil, false
	}
	arguments = map[string]string{}
	for i, key := range c.arguments.names {
		arguments[key] = written(c.arguments.named[i])
		if constant, ok := c.arguments.named[i].(*constant); ok {
			if text, ok := constant.value.(string); ok {
				arguments[key] = text
			}
		}
	}
	return arguments, true
}

func firstCall(body []statement, function string) *call {
	for _, one := range body {
		var within [][]statement
		var of expression
		switch one := one.(type) {
		case *output:
			of = one.of
		case *do:
			of = one.of
		case *branch:
			within = append(one.bodies, one.orElse)
		case *loop:
			within = [][]statement{one.body, one.orElse}
		case *with:
			within = [][]statement{one.body}
		}
		if c, ok := of.(*call); ok && named(c.of) == function {
			return c
		}
		for _, body := range within {
			if c := firstCall(body, function); c != nil {
				return c
			}
		}
	}
	return nil
}

// written is the source of an expression, with single spaces and quotes.
func written(e expression) string {
	switch e := e.(type) {
	case *constant:
		text, err := repr(e.value, 0)
		must(err)
		return text
	case *name:
		return e.name
	case *attribute:
		return written(e.of) + "." + e.name
	case *subscript:
		return written(e.of) + "[" + written(e.at) + "]"
	case *call:
		return written(e.of) + "(" + strings.Join(writtenArguments(e.arguments), ", ") + ")"
	case *list:
		return "[" + writtenList(e.items, ", ") + "]"
	case *tuple:
		if len(e.items) == 1 {
			return "(" + written(e.items[0]) + ",)"
		}
		return "(" + writtenList(e.items, ", ") + ")"
	case *dict:
		pairs := make([]string, len(e.keys))
		for i, key := range e.keys {
			pairs[i] = written(key) + ": " + written(e.values[i])
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	case *concatenation:
		return writtenList(e.parts, " ~ ")
	case *comparison:
		text := written(e.first)
		for i, operator := range e.operators {
			text += " " + operator + " " + written(e.others[i])
		}
		return text
	case *logic:
		return written(e.a) + " " + e.operator + " " + written(e.b)
	case *sign:
		return e.operator + map[bool]string{true: " "}[e.operator == "not"] + written(e.of)
	}
	return fmt.Sprintf("%T", e) // dbt writes its parser's own node here
}

func writtenList(of []expression, between string) string {
	parts := make([]string, len(of))
	for i, e := range of {
		parts[i] = written(e)
	}
	return strings.Join(parts, between)
}

func writtenArguments(of arguments) []string {
	var parts []string
	for _, e := range of.positional {
		parts = append(parts, written(e))
	}
	for i, name := range of.names {
		parts = append(parts, name+"="+written(of.named[i]))
	}
	if of.star != nil {
		parts = append(parts, "*"+written(of.star))
	}
	if of.stars != nil {
		parts = append(parts, "**"+written(of.stars))
	}
	return parts
}

// Calls reports whether the template has nothing but text and calls of these
// functions with constants, lists and dicts of them.
func (t *Template) Calls(functions ...string) bool {
	for _, one := range t.body {
		switch one := one.(type) {
		case *text:
		case *output:
			if c, ok := one.of.(*call); ok {
				if indexOf(functions, named(c.of)) < 0 || !isLiteralCall(c) {
					return false
				}
			} else if _, ok := one.of.(*constant); !ok {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func isLiteralCall(c *call) bool {
	for _, e := range append(append([]expression{}, c.arguments.positional...), c.arguments.named...) {
		if !isLiteral(e) {
			return false
		}
	}
	return c.arguments.star == nil && c.arguments.stars == nil
}

// isLiteral takes texts and truth values; dbt's own reader of simple files
// knows no numbers.
func isLiteral(e expression) bool {
	var items []expression
	switch e := e.(type) {
	case *constant:
		switch e.value.(type) {
		case string, bool:
			return true
		}
		return false
	case *list:
		items = e.items
	case *dict:
		items = append(append(items, e.keys...), e.values...)
	default:
		return false
	}
	for _, item := range items {
		if !isLiteral(item) {
			return false
		}
	}
	return true
}
