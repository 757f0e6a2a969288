package warehouse

import "strings"

type tokenKind int

const (
	word        tokenKind = iota // a keyword, a name or a number
	quoted                       // a name in backticks
	literal                      // a string
	punctuation                  // one character
)

// token is a piece of GoogleSQL without comments and space.
type token struct {
	kind       tokenKind
	text       string
	upper      string // of a word
	start, end int    // in the text
	length     int    // of a bracket that opens: how many tokens there are up to the one that closes; 0 where none does
}

// newWord is a keyword or a name.
func newWord(text string) token { return token{kind: word, text: text, upper: strings.ToUpper(text)} }

// keyword is the token as a keyword compares.
func (t token) keyword() string {
	if t.kind == word {
		return t.upper
	}
	return t.text
}

// lex cuts GoogleSQL into tokens. What is not closed ends with the text: the emulator will complain.
func lex(sql string) []token {
	var tokens []token
	var open []int // brackets, whichever they are
	for i := 0; i < len(sql); {
		end, kind := i+1, punctuation
		switch c := sql[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '#' || strings.HasPrefix(sql[i:], "--"):
			i = after(sql, i, "\n")
			continue
		case strings.HasPrefix(sql[i:], "/*"):
			i = after(sql, i+2, "*/")
			continue
		case c == '`':
			end, kind = after(sql, i+1, "`"), quoted
		case c == '\'' || c == '"':
			end, kind = afterString(sql, i), literal
		case isWord(c):
			for end < len(sql) && isWord(sql[end]) {
				end++
			}
			kind = word
			if prefix := strings.ToLower(sql[i:end]); end < len(sql) && (sql[end] == '\'' || sql[end] == '"') &&
				(prefix == "r" || prefix == "b" || prefix == "rb" || prefix == "br") {
				end, kind = afterString(sql, end), literal
			}
		}
		t := token{kind: kind, text: sql[i:end], start: i, end: end}
		switch n := len(open); {
		case kind == word:
			t.upper = strings.ToUpper(t.text)
		case t.text == "(" || t.text == "[":
			open = append(open, len(tokens))
		case (t.text == ")" || t.text == "]") && n > 0:
			tokens[open[n-1]].length = len(tokens) - open[n-1]
			open = open[:n-1]
		}
		tokens = append(tokens, t)
		i = end
	}
	return tokens
}

func isWord(c byte) bool {
	return c == '_' || c == '@' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// after returns where the first mark from i on ends.
func after(sql string, i int, mark string) int {
	if n := strings.Index(sql[i:], mark); n >= 0 {
		return i + n + len(mark)
	}
	return len(sql)
}

// afterString returns where the string that opens at i ends: of one or three quotes, with backslashes that hide the
// next character. In a raw string they hide it too, but stay part of the text.
func afterString(sql string, i int) int {
	quote := sql[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(sql[i:], triple) {
		quote = triple
	}
	for i += len(quote); i < len(sql); i++ {
		if sql[i] == '\\' {
			i++
			continue
		}
		if strings.HasPrefix(sql[i:], quote) {
			return i + len(quote)
		}
	}
	return len(sql)
}
