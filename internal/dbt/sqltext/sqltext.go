// Package sqltext reads GoogleSQL as far as the statements around a model need:
// where one statement ends and the next begins, what kind each is, and where a
// name of a table stands. Texts and comments are never taken for names.
package sqltext

import (
	"slices"
	"strings"
)

// A Statement is one of those in a text.
type Statement struct {
	Text string // without the semicolon, and white space around it

	tokens []token
}

// Split cuts a text into its statements; empty ones are left out.
func Split(text string) []Statement {
	var all []Statement
	var current []token
	end := func() {
		if len(current) > 0 {
			all = append(all, Statement{text[current[0].start:current[len(current)-1].end], current})
		}
		current = nil
	}
	for _, t := range lex(text) {
		if t.text == ";" {
			end()
			continue
		}
		current = append(current, t)
	}
	end()
	return all
}

// Words are the first words of a statement, in upper case, up to the first that
// is none; at most n.
func (s Statement) Words(n int) []string {
	var words []string
	for _, t := range s.tokens {
		if t.kind != word || len(words) == n {
			break
		}
		words = append(words, strings.ToUpper(t.text))
	}
	return words
}

// Has reports whether a statement has a word, outside of texts and comments.
func (s Statement) Has(name string) bool {
	return slices.ContainsFunc(s.tokens, func(t token) bool { return t.kind == word && strings.EqualFold(t.text, name) })
}

// After is the path behind the first of the words, with what may stand between:
// IF [NOT] EXISTS. It is "" where there is none.
func (s Statement) After(words ...string) string {
	at := slices.IndexFunc(s.tokens, func(t token) bool { return t.kind == word && slices.Contains(words, strings.ToUpper(t.text)) })
	if at < 0 {
		return ""
	}
	for at++; at < len(s.tokens); at++ {
		t := s.tokens[at]
		if t.kind != word || !slices.Contains([]string{"IF", "NOT", "EXISTS"}, strings.ToUpper(t.text)) {
			path, _ := pathAt(s.tokens, at)
			return path
		}
	}
	return ""
}

// Redirect replaces paths of tables. replace is asked for each path of two parts
// and more, without its quotes; "" leaves it as it is.
func Redirect(text string, replace func(path string) (string, error)) (string, error) {
	var out strings.Builder
	copied := 0
	tokens := lex(text)
	for i := 0; i < len(tokens); {
		path, next := pathAt(tokens, i)
		if strings.Contains(path, ".") {
			other, err := replace(path)
			if err != nil {
				return "", err
			}
			if other != "" {
				out.WriteString(text[copied:tokens[i].start])
				out.WriteString(other)
				copied = tokens[next-1].end
			}
		}
		i = max(next, i+1)
	}
	return out.String() + text[copied:], nil
}

// pathAt reads a path: words and quoted names with points between them, or
// dashes, as a project may have. It returns the place behind it.
func pathAt(tokens []token, at int) (string, int) {
	var path strings.Builder
	for i := at; i < len(tokens); i++ {
		t := tokens[i]
		isName := t.kind == word || t.kind == quotedName
		if i > at && t.start != tokens[i-1].end || !isName && t.text != "." && t.text != "-" || i == at && !isName {
			return path.String(), i
		}
		path.WriteString(strings.Trim(t.text, "`"))
	}
	return path.String(), len(tokens)
}
