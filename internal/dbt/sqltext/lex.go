package sqltext

import "strings"

type kind int

const (
	word       kind = iota // also a number
	quotedName             // in backticks
	literal                // a text
	other
)

type token struct {
	kind       kind
	text       string
	start, end int
}

// lex reads a text; comments and white space are no tokens.
func lex(text string) []token {
	var tokens []token
	for at := 0; at < len(text); {
		rest := text[at:]
		length, k := 1, other
		switch {
		case strings.ContainsRune(" \t\r\n\v\f", rune(rest[0])):
			at++
			continue
		case strings.HasPrefix(rest, "--"), rest[0] == '#':
			at += through(rest, "\n", 1)
			continue
		case strings.HasPrefix(rest, "/*"):
			at += through(rest, "*/", 2)
			continue
		case rest[0] == '`':
			length, k = through(rest, "`", 1), quotedName
		case isWord(rest[0]):
			for length < len(rest) && isWord(rest[length]) {
				length++
			}
			k = word
			if isPrefix(rest[:length]) && length < len(rest) && (rest[length] == '\'' || rest[length] == '"') {
				length += literalLength(rest[length:])
				k = literal
			}
		case rest[0] == '\'' || rest[0] == '"':
			length, k = literalLength(rest), literal
		}
		tokens = append(tokens, token{k, rest[:length], at, at + length})
		at += length
	}
	return tokens
}

// through is the length up to and with an end that is looked for from a place.
func through(text, end string, from int) int {
	if at := strings.Index(text[from:], end); at >= 0 {
		return from + at + len(end)
	}
	return len(text)
}

func isWord(c byte) bool {
	return c == '_' || c == '@' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// isPrefix reports whether a word before a quote belongs to the text.
func isPrefix(text string) bool {
	switch strings.ToLower(text) {
	case "r", "b", "rb", "br":
		return true
	}
	return false
}

// literalLength is the length of a text in quotes, one or three.
func literalLength(text string) int {
	quote := text[:1]
	if strings.HasPrefix(text, strings.Repeat(quote, 3)) {
		quote = text[:3]
	}
	for at := len(quote); at < len(text); at++ {
		switch {
		case text[at] == '\\':
			at++ // a raw text, too, does not end with a quote behind a backslash
		case strings.HasPrefix(text[at:], quote):
			return at + len(quote)
		}
	}
	return len(text)
}
