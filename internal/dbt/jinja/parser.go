package jinja

import (
	"fmt"
	"slices"
)

// A parser makes statements of tokens, by the grammar of Jinja2.
type parser struct {
	source string
	tokens []token
	at     int
	uses   []map[string]bool // names used in the macros around
	depth  int
	loops  int // around, within the macro
}

func (p *parser) current() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) isOperator(text string) bool {
	return p.current().kind == tokenOperator && p.current().text == text
}

func (p *parser) isName(words ...string) bool {
	return p.current().kind == tokenName && slices.Contains(words, p.current().text)
}

func (p *parser) skipOperator(text string) bool {
	if p.isOperator(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) skipName(word string) bool {
	if p.isName(word) {
		p.at++
		return true
	}
	return false
}

// A fault ends parsing, by a panic that parse catches.
func (p *parser) fail(line int, format string, args ...any) {
	panic(&Error{Line: line, Err: fmt.Errorf(format, args...)})
}

func (p *parser) expect(text string) token {
	if !p.isOperator(text) {
		p.fail(p.current().line, "expected %q, got %s", text, p.describe())
	}
	return p.next()
}

func (p *parser) expectName() token {
	if p.current().kind != tokenName {
		p.fail(p.current().line, "expected a name, got %s", p.describe())
	}
	return p.next()
}

func (p *parser) expectEnd(kind kind) {
	if p.current().kind != kind {
		p.fail(p.current().line, "expected the end of the tag, got %s", p.describe())
	}
	p.at++
}

func (p *parser) describe() string {
	switch t := p.current(); t.kind {
	case tokenEnd:
		return "the end of the file"
	case tokenPrintEnd, tokenTagEnd:
		return "the end of the tag"
	case tokenString:
		return quoted(t.text)
	default:
		return fmt.Sprintf("%q", t.text)
	}
}

// expression reads one with or without if … else.
func (p *parser) expression() expression {
	if p.depth++; p.depth > deepest {
		p.fail(p.current().line, "the expression is too deep")
	}
	defer func() { p.depth-- }()
	line := p.current().line
	e := p.or()
	for p.skipName("if") {
		c := &choice{node{line}, p.or(), e, nil}
		if p.skipName("else") {
			c.no = p.expression()
		}
		e = c
	}
	return e
}

func (p *parser) or() expression {
	e := p.and()
	for line := p.current().line; p.skipName("or"); line = p.current().line {
		e = &logic{node{line}, "or", e, p.and()}
	}
	return e
}

func (p *parser) and() expression {
	e := p.not()
	for line := p.current().line; p.skipName("and"); line = p.current().line {
		e = &logic{node{line}, "and", e, p.not()}
	}
	return e
}

func (p *parser) not() expression {
	if line := p.current().line; p.skipName("not") {
		return &sign{node{line}, "not", p.not()}
	}
	return p.compare()
}

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

func (p *parser) compare() expression {
	c := &comparison{node: node{p.current().line}, first: p.sum()}
	for {
		t := p.current()
		switch {
		case t.kind == tokenOperator && slices.Contains(comparisons, t.text):
			p.at++
			c.operators = append(c.operators, t.text)
		case p.skipName("in"):
			c.operators = append(c.operators, "in")
		case p.isName("not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
			p.at += 2
			c.operators = append(c.operators, "not in")
		case len(c.operators) == 0:
			return c.first
		default:
			return c
		}
		c.others = append(c.others, p.sum())
	}
}

// binary reads operands of the next stage with operators between.
func (p *parser) binary(next func() expression, operators ...string) expression {
	e := next()
	for {
		t := p.current()
		if t.kind != tokenOperator || !slices.Contains(operators, t.text) {
			return e
		}
		p.at++
		e = &operation{node{t.line}, t.text, e, next()}
	}
}

func (p *parser) sum() expression { return p.binary(p.concatenation, "+", "-") }

func (p *parser) concatenation() expression {
	c := &concatenation{node{p.current().line}, []expression{p.product()}}
	for p.skipOperator("~") {
		c.parts = append(c.parts, p.product())
	}
	if len(c.parts) == 1 {
		return c.parts[0]
	}
	return c
}

func (p *parser) product() expression { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() expression {
	return p.binary(func() expression { return p.unary(true) }, "**")
}

func (p *parser) unary(withFilter bool) expression {
	var e expression
	if t := p.current(); t.kind == tokenOperator && (t.text == "-" || t.text == "+") {
		p.at++
		if p.depth++; p.depth > deepest {
			p.fail(t.line, "the expression is too deep")
		}
		e = &sign{node{t.line}, t.text, p.unary(false)}
		p.depth--
	} else {
		e = p.primary()
	}
	e = p.postfix(e)
	if withFilter {
		e = p.filters(e)
	}
	return e
}

func (p *parser) primary() expression {
	t := p.next()
	switch t.kind {
	case tokenName:
		switch t.text {
		case "true", "True":
			return &constant{node{t.line}, true}
		case "false", "False":
			return &constant{node{t.line}, false}
		case "none", "None":
			return &constant{node{t.line}, nil}
		}
		for _, uses := range p.uses {
			uses[t.text] = true
		}
		return &name{node{t.line}, t.text}
	case tokenString:
		text := t.text
		for p.current().kind == tokenString {
			text += p.next().text
		}
		return &constant{node{t.line}, text}
	case tokenInt, tokenFloat:
		return &constant{node{t.line}, t.number}
	case tokenOperator:
		switch t.text {
		case "(":
			e := p.tuple(true, p.expression)
			p.expect(")")
			return e
		case "[":
			return &list{node{t.line}, p.items("]")}
		case "{":
			return p.dict(t.line)
		}
	}
	p.at--
	if t.kind == tokenEnd {
		p.at++
	}
	p.fail(t.line, "expected an expression, got %s", p.describe())
	return nil
}

// tuple reads one item, or more with commas between as a tuple.
func (p *parser) tuple(mayBeEmpty bool, item func() expression, ends ...string) expression {
	e := &tuple{node: node{p.current().line}}
	isTuple := false
	for {
		if p.isTupleEnd(ends) {
			break
		}
		e.items = append(e.items, item())
		if !p.skipOperator(",") {
			break
		}
		isTuple = true
	}
	switch {
	case isTuple:
		return e
	case len(e.items) == 1:
		return e.items[0]
	case !mayBeEmpty:
		p.fail(p.current().line, "expected an expression, got %s", p.describe())
	}
	return e
}

func (p *parser) isTupleEnd(ends []string) bool {
	t := p.current()
	return t.kind == tokenPrintEnd || t.kind == tokenTagEnd || p.isOperator(")") || p.isName(ends...)
}

func (p *parser) items(end string) []expression {
	var items []expression
	for !p.isOperator(end) {
		if len(items) > 0 {
			p.expect(",")
		}
		if p.isOperator(end) {
			break
		}
		items = append(items, p.expression())
	}
	p.at++
	return items
}

func (p *parser) dict(line int) expression {
	d := &dict{node: node{line}}
	for !p.isOperator("}") {
		if len(d.keys) > 0 {
			p.expect(",")
		}
		if p.isOperator("}") {
			break
		}
		d.keys = append(d.keys, p.expression())
		p.expect(":")
		d.values = append(d.values, p.expression())
	}
	p.at++
	return d
}
