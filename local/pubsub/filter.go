package pubsub

import (
	"fmt"
	"strconv"
	"strings"
	"text/scanner"
)

// A filter decides by a message's attributes whether a subscription takes it
// (https://cloud.google.com/pubsub/docs/subscription-message-filter). It is
// never changed.
type filter func(attributes map[string]string) bool

// parseFilter reads a filter: attributes.NAME = "value", != "value",
// attributes:NAME and hasPrefix(attributes.NAME, "value"), with NOT, AND, OR and
// parentheses. AND and OR side by side need parentheses, as the service demands.
// nil stands for "", which takes all.
func parseFilter(text string) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	p := &filterParser{}
	p.scanner.Init(strings.NewReader(text))
	p.scanner.Mode = scanner.ScanIdents | scanner.ScanStrings
	p.scanner.Error = func(*scanner.Scanner, string) {}
	p.next()
	f, err := p.expression()
	if err == nil && p.token != scanner.EOF {
		err = p.unexpected("AND, OR or the end")
	}
	if err != nil {
		return nil, fmt.Errorf("filter %q: %w", text, err)
	}
	return f, nil
}

type filterParser struct {
	scanner scanner.Scanner
	token   rune
	text    string
}

func (p *filterParser) next() {
	p.token = p.scanner.Scan()
	p.text = p.scanner.TokenText()
}

func (p *filterParser) unexpected(want string) error {
	return fmt.Errorf("at %d: %q where %s should be", p.scanner.Position.Offset, p.text, want)
}

// take moves past a token, which must be this one.
func (p *filterParser) take(text string) error {
	if p.text != text {
		return p.unexpected(text)
	}
	p.next()
	return nil
}

func (p *filterParser) expression() (filter, error) {
	left, err := p.term()
	for by := p.text; err == nil && (p.text == "AND" || p.text == "OR"); {
		if p.text != by {
			return nil, p.unexpected("a parenthesis around what " + by + " joins")
		}
		p.next()
		var right filter
		if right, err = p.term(); err == nil {
			left = join(by, left, right)
		}
	}
	return left, err
}

func join(by string, left, right filter) filter {
	if by == "AND" {
		return func(a map[string]string) bool { return left(a) && right(a) }
	}
	return func(a map[string]string) bool { return left(a) || right(a) }
}

func (p *filterParser) term() (filter, error) {
	switch p.text {
	case "NOT", "-":
		p.next()
		f, err := p.term()
		return func(a map[string]string) bool { return !f(a) }, err
	case "(":
		p.next()
		f, err := p.expression()
		if err == nil {
			err = p.take(")")
		}
		return f, err
	case "hasPrefix":
		return p.hasPrefix()
	}
	return p.comparison()
}

func (p *filterParser) hasPrefix() (filter, error) {
	p.next()
	err := p.take("(")
	var name, prefix string
	for _, step := range []func() error{
		func() error { return p.take("attributes") }, func() error { return p.take(".") },
		func() (err error) { name, err = p.name(); return err }, func() error { return p.take(",") },
		func() (err error) { prefix, err = p.value(); return err }, func() error { return p.take(")") },
	} {
		if err == nil {
			err = step()
		}
	}
	return func(a map[string]string) bool { value, has := a[name]; return has && strings.HasPrefix(value, prefix) }, err
}

func (p *filterParser) comparison() (filter, error) {
	if err := p.take("attributes"); err != nil {
		return nil, err
	}
	if p.text == ":" {
		p.next()
		name, err := p.name()
		return func(a map[string]string) bool { _, has := a[name]; return has }, err
	}
	if err := p.take("."); err != nil {
		return nil, err
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	differs := p.text == "!"
	if differs {
		p.next()
	}
	if err := p.take("="); err != nil {
		return nil, err
	}
	want, err := p.value()
	return func(a map[string]string) bool { value, has := a[name]; return has && (value == want) != differs }, err
}

// name is an attribute's, which may be in quotes.
func (p *filterParser) name() (string, error) {
	if p.token == scanner.String {
		return p.value()
	}
	if p.token != scanner.Ident {
		return "", p.unexpected("the name of an attribute")
	}
	name := p.text
	p.next()
	return name, nil
}

func (p *filterParser) value() (string, error) {
	if p.token != scanner.String {
		return "", p.unexpected("a text in quotes")
	}
	value, err := strconv.Unquote(p.text)
	if err != nil {
		return "", p.unexpected("a text in quotes")
	}
	p.next()
	return value, nil
}
