package jinja

import "slices"

// What follows an expression: subscripts, calls, filters and tests.

func (p *parser) postfix(e expression) expression {
	for {
		switch t := p.current(); {
		case p.isOperator("."), p.isOperator("["):
			e = p.subscript(e)
		case p.isOperator("("):
			e = &call{node{t.line}, e, p.arguments()}
		default:
			return e
		}
	}
}

// filters reads the filters, tests and calls behind an expression.
func (p *parser) filters(e expression) expression {
	for {
		switch t := p.current(); {
		case p.skipOperator("|"):
			e = p.filter(e)
		case p.isName("is"):
			e = p.test(e)
		case p.isOperator("("):
			e = &call{node{t.line}, e, p.arguments()}
		default:
			return e
		}
	}
}

func (p *parser) subscript(of expression) expression {
	t := p.next()
	if t.text == "." {
		switch field := p.next(); field.kind {
		case tokenName:
			return &attribute{node{t.line}, of, field.text}
		case tokenInt:
			return &subscript{node{t.line}, of, &constant{node{t.line}, field.number}}
		default:
			p.fail(field.line, "expected a name or a number behind the dot")
		}
	}
	var parts []expression
	for !p.isOperator("]") {
		if len(parts) > 0 {
			p.expect(",")
		}
		parts = append(parts, p.subscribed())
	}
	p.at++
	if len(parts) == 1 {
		return &subscript{node{t.line}, of, parts[0]}
	}
	return &subscript{node{t.line}, of, &tuple{node{t.line}, parts}}
}

func (p *parser) subscribed() expression {
	s := &slice{node: node{p.current().line}}
	if !p.isOperator(":") {
		if s.from = p.expression(); !p.isOperator(":") {
			return s.from
		}
	}
	p.at++
	ends := func() bool { return p.isOperator("]") || p.isOperator(",") }
	if !p.isOperator(":") && !ends() {
		s.to = p.expression()
	}
	if p.skipOperator(":") && !ends() {
		s.step = p.expression()
	}
	return s
}

func (p *parser) arguments() arguments {
	var a arguments
	line := p.expect("(").line
	ensure := func(ok bool) {
		if !ok {
			p.fail(line, "the arguments of the call are in the wrong order")
		}
	}
	for n := 0; !p.isOperator(")"); n++ {
		if n > 0 {
			p.expect(",")
			if p.isOperator(")") {
				break
			}
		}
		switch {
		case p.skipOperator("*"):
			ensure(a.star == nil && a.stars == nil)
			a.star = p.expression()
		case p.skipOperator("**"):
			ensure(a.stars == nil)
			a.stars = p.expression()
		case p.current().kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=":
			ensure(a.stars == nil)
			word := p.next().text
			if slices.Contains(a.names, word) {
				p.fail(line, "the call has the argument %q twice", word)
			}
			a.names = append(a.names, word)
			p.at++
			a.named = append(a.named, p.expression())
		default:
			ensure(a.star == nil && a.stars == nil && len(a.named) == 0)
			a.positional = append(a.positional, p.expression())
		}
	}
	p.at++
	return a
}

func (p *parser) filter(of expression) *filter {
	t := p.expectName()
	f := &filter{node: node{t.line}, of: of, name: t.text}
	if filters[f.name] == nil {
		p.fail(t.line, "there is no filter %q here", f.name)
	}
	if p.isOperator("(") {
		f.arguments = p.arguments()
	}
	return f
}

func (p *parser) test(of expression) expression {
	line := p.next().line
	negated := p.skipName("not")
	t := p.expectName()
	c := &check{node: node{line}, of: of, name: t.text}
	if tests[c.name] == nil {
		p.fail(t.line, "there is no test %q here", c.name)
	}
	switch next := p.current(); {
	case p.isOperator("("):
		c.arguments = p.arguments()
	case p.isName("is"):
		p.fail(t.line, "a test cannot follow a test")
	case p.isName("else", "or", "and"):
	case slices.Contains([]kind{tokenName, tokenString, tokenInt, tokenFloat}, next.kind), p.isOperator("["), p.isOperator("{"):
		c.arguments.positional = []expression{p.postfix(p.primary())}
	}
	if negated {
		return &sign{node{line}, "not", c}
	}
	return c
}
