package jinja

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	tokenEnd kind = iota
	tokenText
	tokenPrintBegin
	tokenPrintEnd
	tokenTagBegin
	tokenTagEnd
	tokenName
	tokenInt
	tokenFloat
	tokenString
	tokenOperator
)

// A token of a template. text is what it means: of a string its value.
type token struct {
	kind   kind
	text   string
	line   int
	at     int // offset in the source
	number any // of an int or float
}

// A lexer cuts a template into tokens, by the rules of Jinja2.
type lexer struct {
	source string
	at     int
	line   int
	tokens []token
}

// tokensOf cuts a template into tokens. One line break at its end is not part
// of it.
func tokensOf(source string) ([]token, error) {
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	source = strings.TrimSuffix(source, "\n")
	l := &lexer{source: source, line: 1}
	for l.at < len(l.source) {
		if err := l.text(); err != nil {
			return nil, err
		}
	}
	return append(l.tokens, token{kind: tokenEnd, line: l.line, at: l.at}), nil
}

func (l *lexer) fail(format string, args ...any) error {
	return &Error{Line: l.line, Err: fmt.Errorf(format, args...)}
}

// advance moves on and counts the lines.
func (l *lexer) advance(n int) {
	l.line += strings.Count(l.source[l.at:l.at+n], "\n")
	l.at += n
}

func (l *lexer) add(kind kind, text string) {
	l.tokens = append(l.tokens, token{kind: kind, text: text, line: l.line, at: l.at})
}

var (
	opening  = regexp.MustCompile(`\{[{%#]`)
	rawBegin = regexp.MustCompile(`^\{%[-+]?\s*raw\s*(-%\}\s*|%\})`)
	rawEnd   = regexp.MustCompile(`\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\})`)
)

// text reads up to the next tag, and the tag.
func (l *lexer) text() error {
	rest := l.source[l.at:]
	found := opening.FindStringIndex(rest)
	if found == nil {
		l.add(tokenText, rest)
		l.advance(len(rest))
		return nil
	}
	text, sign := rest[:found[0]], byte(0)
	if found[1] < len(rest) {
		sign = rest[found[1]]
	}
	if sign == '-' {
		text = strings.TrimRightFunc(text, isSpace)
	}
	if text != "" {
		l.add(tokenText, text)
	}
	l.advance(found[0])
	length := 2
	if sign == '-' || sign == '+' {
		length = 3
	}
	rest = l.source[l.at:]
	switch {
	case strings.HasPrefix(rest, "{#"):
		return l.comment(length)
	case strings.HasPrefix(rest, "{{"):
		l.add(tokenPrintBegin, "")
		l.advance(length)
		return l.expression(tokenPrintEnd, "}}")
	}
	if strings.HasPrefix(strings.TrimLeft(rest[2:], "-+\t\n\f\r "), "raw") {
		if raw := rawBegin.FindString(rest); raw != "" {
			return l.raw(raw)
		}
	}
	l.add(tokenTagBegin, "")
	l.advance(length)
	return l.expression(tokenTagEnd, "%}")
}

func (l *lexer) comment(length int) error {
	end := strings.Index(l.source[l.at+length:], "#}")
	if end < 0 {
		return l.fail("a comment {# is not closed by #}")
	}
	trim := end > 0 && l.source[l.at+length+end-1] == '-'
	l.advance(length + end + 2)
	if trim {
		l.skipSpace()
	}
	return nil
}

func (l *lexer) raw(begin string) error {
	l.advance(len(begin))
	found := rawEnd.FindStringSubmatchIndex(l.source[l.at:])
	if found == nil {
		return l.fail("{%% raw %%} is not closed by {%% endraw %%}")
	}
	text := l.source[l.at : l.at+found[0]]
	if l.source[l.at+found[2]:l.at+found[3]] == "-" {
		text = strings.TrimRightFunc(text, isSpace)
	}
	if text != "" {
		l.add(tokenText, text)
	}
	l.advance(found[1])
	return nil
}

func (l *lexer) skipSpace() {
	rest := l.source[l.at:]
	l.advance(len(rest) - len(strings.TrimLeftFunc(rest, isSpace)))
}

// isSpace is Python's white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

var (
	// Each is asked only where a text begins as it does: the package regexp takes
	// time and memory for all of a text before it looks at the first sign.
	floatForm    = regexp.MustCompile(`^(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+\-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)`)
	intForm      = regexp.MustCompile(`^(?i:0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*)`)
	stringForm   = regexp.MustCompile(`^(?s:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")`)
	operatorForm = regexp.MustCompile(`^(?://|\*\*|==|!=|>=|<=|[-+/*%~\[\](){}<>=.:|,;])`)
)

// expression reads the tokens between the beginning and the end of a tag.
func (l *lexer) expression(closing kind, end string) error {
	begun := l.line
	var open []byte
	for {
		l.skipSpace()
		rest := l.source[l.at:]
		if rest == "" {
			return &Error{Line: begun, Err: fmt.Errorf("the tag that begins here is not closed by %s", end)}
		}
		if len(open) == 0 {
			if n, trim := endOfTag(rest, end); n > 0 {
				l.add(closing, "")
				l.advance(n)
				if trim {
					l.skipSpace()
				}
				return nil
			}
		}
		if err := l.token(rest, &open); err != nil {
			return err
		}
	}
}

// endOfTag is the length of what closes a tag here, and whether white space
// behind it goes.
func endOfTag(rest, end string) (length int, trim bool) {
	switch {
	case strings.HasPrefix(rest, end):
		return len(end), false
	case strings.HasPrefix(rest, "-"+end):
		return len(end) + 1, true
	case end == "%}" && strings.HasPrefix(rest, "+"+end):
		return len(end) + 1, false
	}
	return 0, false
}

func (l *lexer) token(rest string, open *[]byte) error {
	isAttribute := len(l.tokens) > 0 && l.tokens[len(l.tokens)-1].text == "." && l.tokens[len(l.tokens)-1].kind == tokenOperator
	isNumber := '0' <= rest[0] && rest[0] <= '9'
	if text := foundIf(isNumber && !isAttribute, floatForm, rest); text != "" {
		number, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil {
			return l.fail("the number %s is too large", text)
		}
		l.add(tokenFloat, text)
		l.tokens[len(l.tokens)-1].number = number
		l.advance(len(text))
		return nil
	}
	if text := foundIf(isNumber, intForm, rest); text != "" {
		number, err := strconv.ParseInt(strings.ReplaceAll(strings.ToLower(text), "_", ""), 0, 64)
		if err != nil && strings.Trim(text, "0_") == "" {
			number, err = 0, nil
		}
		if err != nil {
			return l.fail("the number %s is too large: whole numbers have up to 64 bits here", text)
		}
		l.add(tokenInt, text)
		l.tokens[len(l.tokens)-1].number = number
		l.advance(len(text))
		return nil
	}
	if text := nameAt(rest); text != "" {
		l.add(tokenName, text)
		l.advance(len(text))
		return nil
	}
	if text := foundIf(rest[0] == '\'' || rest[0] == '"', stringForm, rest); text != "" {
		value, err := unescape(text[1 : len(text)-1])
		if err != nil {
			return l.fail("%w", err)
		}
		l.add(tokenString, value)
		l.advance(len(text))
		return nil
	}
	operator := operatorForm.FindString(rest[:min(len(rest), 2)])
	if operator == "" {
		r, _ := utf8.DecodeRuneInString(rest)
		return l.fail("unexpected character %q", r)
	}
	if err := balance(open, operator); err != nil {
		return l.fail("%w", err)
	}
	l.add(tokenOperator, operator)
	l.advance(len(operator))
	return nil
}

// foundIf is what the text begins with of a form, if it can.
func foundIf(can bool, form *regexp.Regexp, text string) string {
	if !can {
		return ""
	}
	return form.FindString(text)
}

// balance keeps the parentheses that are open.
func balance(open *[]byte, operator string) error {
	const begin, end = "([{", ")]}"
	if i := strings.Index(begin, operator); i >= 0 && len(operator) == 1 {
		*open = append(*open, end[i])
		return nil
	}
	if len(operator) != 1 || !strings.Contains(end, operator) {
		return nil
	}
	stack := *open
	if len(stack) == 0 {
		return fmt.Errorf("unexpected %q", operator)
	}
	if want := stack[len(stack)-1]; want != operator[0] {
		return fmt.Errorf("unexpected %q, expected %q", operator, string(want))
	}
	*open = stack[:len(stack)-1]
	return nil
}

func nameAt(text string) string {
	for i, r := range text {
		isLetter := r == '_' || unicode.IsLetter(r)
		if !isLetter && (i == 0 || !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)) {
			return text[:i]
		}
	}
	return text
}
