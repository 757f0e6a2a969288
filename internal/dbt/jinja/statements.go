package jinja

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

// parse makes the statements of a template.
func parse(source string) (body []statement, err error) {
	tokens, err := tokensOf(source)
	if err != nil {
		return nil, err
	}
	p := &parser{source: normal(source), tokens: tokens}
	defer func() {
		if fault := recover(); fault != nil {
			var placed *Error
			if cause, ok := fault.(error); ok && errors.As(cause, &placed) {
				body, err = nil, placed
				return
			}
			panic(fault)
		}
	}()
	return p.body(), nil
}

// body reads statements up to a tag of one of these names, which it leaves
// behind the beginning of that tag; without names up to the end.
func (p *parser) body(ends ...string) []statement {
	if p.depth++; p.depth > deepest {
		p.fail(p.current().line, "the tags are too deep in each other")
	}
	defer func() { p.depth-- }()
	begun := p.current().line
	var body []statement
	for {
		switch t := p.next(); t.kind {
		case tokenEnd:
			if len(ends) > 0 {
				p.fail(begun, "the tag that ends here is not closed by {%% %s %%}", ends[len(ends)-1])
			}
			return body
		case tokenText:
			body = append(body, &text{node{t.line}, t.text})
		case tokenPrintBegin:
			body = append(body, &output{node{t.line}, p.tuple(false, p.expression)})
			p.expectEnd(tokenPrintEnd)
		case tokenTagBegin:
			if p.isName(ends...) {
				return body
			}
			body = append(body, p.statement(t))
			p.expectEnd(tokenTagEnd)
		}
	}
}

// within reads the body of a tag and its closing tag up to the end's name.
func (p *parser) within(ends ...string) ([]statement, string) {
	p.skipOperator(":") // Jinja2 lets it be there, as Python has it
	p.expectEnd(tokenTagEnd)
	body := p.body(ends...)
	return body, p.next().text
}

// absent are tags that Jinja2 or dbt know and this package does not, with the
// way round.
var absent = map[string]string{
	"extends": "dbt has no templates to extend", "block": "dbt has no templates to extend",
	"include":    "write what it has as a macro, and call that",
	"import":     "dbt sees the macros of all files: call them by their names",
	"from":       "dbt sees the macros of all files: call them by their names",
	"autoescape": "SQL is not escaped: leave the tag out", "trans": "SQL is not translated: leave the tag out",
}

func (p *parser) statement(begin token) statement {
	t := p.expectName()
	at := node{t.line}
	switch t.text {
	case "for":
		return p.loop(at)
	case "if":
		return p.branch(at)
	case "set":
		return p.set(at)
	case "with":
		return p.with(at)
	case "filter":
		f := &filtered{node: at, filters: p.filterChain()}
		f.body, _ = p.within("endfilter")
		return f
	case "do":
		return &do{at, p.tuple(false, p.expression)}
	case "print":
		return &output{at, p.tuple(false, p.expression)}
	case "call":
		return p.callBlock(at)
	case "break", "continue":
		if p.loops == 0 {
			p.fail(t.line, "%s is outside of a loop", t.text)
		}
		return &jump{at, t.text}
	case "macro", "test", "materialization", "docs", "snapshot", "data_test":
		return p.definition(at, t.text, begin.at)
	}
	if way := absent[t.text]; way != "" {
		p.fail(t.line, "the tag %q is not supported: %s", t.text, way)
	}
	p.fail(t.line, "there is no tag %q here", t.text)
	return nil
}

// filterChain reads the filters of {% filter a|b %}.
func (p *parser) filterChain() *filter {
	f := p.filter(nil)
	for p.skipOperator("|") {
		f = p.filter(f)
	}
	return f
}

// target reads what is assigned to: a name, an attribute of a namespace, or a
// tuple of names.
func (p *parser) target(ends ...string) expression {
	return p.tuple(false, func() expression {
		line := p.current().line
		if p.skipOperator("(") {
			inner := p.target()
			p.expect(")")
			return inner
		}
		t := p.expectName()
		if slices.Contains([]string{"true", "True", "false", "False", "none", "None"}, t.text) {
			p.fail(t.line, "%s cannot be assigned to", t.text)
		}
		if p.isOperator(".") {
			p.at++
			return &attribute{node{line}, &name{node{line}, t.text}, p.expectName().text}
		}
		return &name{node{line}, t.text}
	}, ends...)
}

func (p *parser) loop(at node) statement {
	l := &loop{node: at, target: p.target("in")}
	if !p.skipName("in") {
		p.fail(p.current().line, "expected in, got %s", p.describe())
	}
	l.over = p.tuple(false, p.or, "recursive")
	if p.skipName("if") {
		l.condition = p.expression()
	}
	if p.isName("recursive") {
		p.fail(p.current().line, "a recursive loop is not supported: write it as a macro that calls itself")
	}
	p.loops++
	var end string
	l.body, end = p.within("else", "endfor")
	p.loops--
	if end == "else" {
		l.orElse, _ = p.within("endfor")
	}
	return l
}

func (p *parser) branch(at node) statement {
	b := &branch{node: at}
	for {
		b.conditions = append(b.conditions, p.tuple(false, p.or))
		body, end := p.within("elif", "else", "endif")
		b.bodies = append(b.bodies, body)
		switch end {
		case "endif":
			return b
		case "else":
			b.orElse, _ = p.within("endif")
			return b
		}
	}
}

func (p *parser) set(at node) statement {
	target := p.target()
	if p.skipOperator("=") {
		return &assignment{at, target, p.tuple(false, p.expression)}
	}
	b := &block{node: at, target: target}
	if p.skipOperator("|") {
		b.filters = p.filterChain()
	}
	b.body, _ = p.within("endset")
	return b
}

func (p *parser) with(at node) statement {
	w := &with{node: at}
	for p.current().kind != tokenTagEnd {
		if len(w.targets) > 0 {
			p.expect(",")
		}
		w.targets = append(w.targets, &name{node{p.current().line}, p.expectName().text})
		p.expect("=")
		w.values = append(w.values, p.expression())
	}
	w.body, _ = p.within("endwith")
	return w
}

func (p *parser) callBlock(at node) statement {
	d := &definition{node: at, kind: "macro", name: "caller", uses: map[string]bool{}}
	if p.isOperator("(") {
		p.signature(d)
	}
	c, ok := p.expression().(*call)
	if !ok {
		p.fail(at.line, "call needs a call behind it")
	}
	d.body, _ = p.inMacro(d.uses, "endcall")
	return &callBlock{at, c, d}
}

// inMacro reads the body of a macro, which loops around it do not reach.
func (p *parser) inMacro(uses map[string]bool, end string) ([]statement, string) {
	loops := p.loops
	p.loops = 0
	p.uses = append(p.uses, uses)
	body, word := p.within(end)
	p.uses = p.uses[:len(p.uses)-1]
	p.loops = loops
	return body, word
}

func (p *parser) definition(at node, kind string, begin int) statement {
	if len(p.uses) > 0 {
		p.fail(at.line, "a %s inside of another is not supported: dbt does not find it by its name", kind)
	}
	d := &definition{node: at, kind: kind, name: p.expectName().text, uses: map[string]bool{}}
	switch kind {
	case "macro", "test", "data_test":
		p.signature(d)
	default: // read past: what they need is not Jinja's
		for p.current().kind != tokenTagEnd {
			p.at++
		}
	}
	d.body, _ = p.inMacro(d.uses, "end"+kind)
	d.source = p.written(begin, p.current().at)
	return d
}

// written is the source between the beginnings of two marks of tags, as dbt cuts
// it out: with the white space that the marks take away.
func (p *parser) written(begin, end int) string {
	if strings.HasPrefix(p.source[begin:], "{%-") {
		before := strings.TrimRightFunc(p.source[:begin], unicode.IsSpace)
		if before != "" && !strings.HasSuffix(before, "-%}") { // which has taken it
			begin = len(before)
		}
	}
	if !strings.HasPrefix(p.source[end:], "-") {
		return p.source[begin : end+2]
	}
	end += 3
	rest := p.source[end:]
	behind := strings.TrimLeftFunc(rest, unicode.IsSpace)
	if behind == "" { // what ends the file does not belong to it
		return p.source[begin:end]
	}
	return p.source[begin : end+len(rest)-len(behind)]
}

// signature reads the parameters of a macro; dbt lets them have types.
func (p *parser) signature(d *definition) {
	p.expect("(")
	for !p.isOperator(")") {
		if len(d.names) > 0 {
			p.expect(",")
			if p.isOperator(")") {
				p.fail(p.current().line, "expected a name, got %s", p.describe())
			}
		}
		t := p.expectName()
		if slices.Contains(d.names, t.text) {
			p.fail(t.line, "the parameter %q comes twice", t.text)
		}
		d.names = append(d.names, t.text)
		if p.skipOperator(":") {
			p.parameterType()
		}
		if p.skipOperator("=") {
			d.defaults = append(d.defaults, p.expression())
		} else if len(d.defaults) > 0 {
			p.fail(t.line, "the parameter %q needs a default, as those before it have one", t.text)
		}
	}
	p.at++
}

func (p *parser) parameterType() {
	p.expectName()
	if p.skipOperator("[") {
		for !p.isOperator("]") {
			p.parameterType()
			p.skipOperator(",")
		}
		p.at++
	}
}
