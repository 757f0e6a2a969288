package mend

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// patterns remembers compiled expressions, some thousand of them.
var patterns = struct {
	sync.Mutex
	known map[string]*regexp.Regexp
}{known: map[string]*regexp.Regexp{}}

func pattern(expression string) (*regexp.Regexp, error) {
	patterns.Lock()
	defer patterns.Unlock()
	if known := patterns.known[expression]; known != nil {
		return known, nil
	}
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	if len(patterns.known) > 1000 {
		clear(patterns.known)
	}
	patterns.known[expression] = compiled
	return compiled, nil
}

// texts reads arguments that are all STRING or all BYTES. A byte becomes the character of its number, so that an
// expression sees bytes as characters.
func texts(args ...any) (list []string, isBytes, ok bool) {
	for _, arg := range args {
		switch arg := arg.(type) {
		case string:
			list = append(list, arg)
		case []byte:
			isBytes = true
			list = append(list, latin1(arg))
		default:
			return nil, false, false
		}
	}
	return list, isBytes, true
}

func latin1(b []byte) string {
	var out strings.Builder
	for _, c := range b {
		out.WriteRune(rune(c))
	}
	return out.String()
}

// back turns a result into BYTES when the arguments were.
func back(text string, isBytes bool) any {
	if !isBytes {
		return text
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		out = append(out, byte(r))
	}
	return out
}

// matches is LIKE: % stands for anything, _ for one character, and a backslash takes the next as it is.
func matches(args []any) (any, bool, error) {
	list, _, ok := texts(args...)
	if !ok {
		return nil, false, nil
	}
	var expression strings.Builder
	expression.WriteString(`(?s)^`)
	escaped := false
	for _, r := range list[1] {
		switch {
		case escaped:
			expression.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			expression.WriteString(`.*`)
		case r == '_':
			expression.WriteString(`.`)
		default:
			expression.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if escaped {
		return nil, true, errors.New("LIKE pattern ends with a backslash")
	}
	compiled, err := pattern(expression.String() + `$`)
	if err != nil {
		return nil, true, err
	}
	return compiled.MatchString(list[0]), true, nil
}

func regexpContains(args []any) (any, bool, error) {
	list, _, ok := texts(args...)
	if !ok {
		return nil, false, nil
	}
	compiled, err := pattern(list[1])
	if err != nil {
		return nil, true, err
	}
	return compiled.MatchString(list[0]), true, nil
}

// regexpExtract finds an occurrence of an expression, from a character on.
func regexpExtract(args []any) (any, bool, error) {
	list, isBytes, ok := texts(args[:2]...)
	if !ok {
		return nil, false, nil
	}
	position, occurrence := int64(1), int64(1)
	if len(args) > 2 {
		position, _ = args[2].(int64)
	}
	if len(args) > 3 {
		occurrence, _ = args[3].(int64)
	}
	if position < 1 || occurrence < 1 {
		return nil, true, errors.New("REGEXP_EXTRACT: the position and the occurrence must be positive")
	}
	compiled, err := pattern(list[1])
	if err != nil {
		return nil, true, err
	}
	if compiled.NumSubexp() > 1 {
		return nil, true, errors.New("Regular expressions passed into extraction functions must not have more than 1 capturing group")
	}
	text := list[0]
	for ; position > 1 && text != ""; position-- {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	if position > 1 {
		return nil, true, nil
	}
	found := compiled.FindAllStringSubmatchIndex(text, int(occurrence))
	if int64(len(found)) < occurrence {
		return nil, true, nil
	}
	match := found[occurrence-1]
	from, to := match[len(match)-2], match[len(match)-1]
	if from < 0 {
		return nil, true, nil
	}
	return back(text[from:to], isBytes), true, nil
}

// regexpReplace replaces matches: in the replacement \0 to \9 are the match and its groups, and \\ a backslash.
func regexpReplace(args []any) (any, bool, error) {
	list, isBytes, ok := texts(args...)
	if !ok {
		return nil, false, nil
	}
	compiled, err := pattern(list[1])
	if err != nil {
		return nil, true, err
	}
	var template strings.Builder
	for i := 0; i < len(list[2]); i++ {
		switch c := list[2][i]; {
		case c == '$':
			template.WriteString("$$")
		case c != '\\':
			template.WriteByte(c)
		case i+1 < len(list[2]) && list[2][i+1] == '\\':
			template.WriteByte('\\')
			i++
		case i+1 < len(list[2]) && list[2][i+1] >= '0' && list[2][i+1] <= '9':
			i++
			if int(list[2][i]-'0') > compiled.NumSubexp() {
				return nil, true, errors.New("Invalid REGEXP_REPLACE pattern: it names a group that is not there")
			}
			template.WriteString("${" + list[2][i:i+1] + "}")
		default:
			return nil, true, errors.New("Invalid REGEXP_REPLACE pattern: a backslash must be followed by a digit or a backslash")
		}
	}
	return back(compiled.ReplaceAllString(list[0], template.String()), isBytes), true, nil
}

// replaceNothing keeps a text in which an empty one is to be replaced.
func replaceNothing(args []any) (any, bool, error) {
	if list, _, ok := texts(args...); ok && list[1] == "" {
		return args[0], true, nil
	}
	return nil, false, nil
}

// containsText is CONTAINS_SUBSTR over a text: without regard to case, as Unicode's NFKC has both.
func containsText(args []any) (any, bool, error) {
	text, first := args[0].(string)
	sought, second := args[1].(string)
	if !first || !second || len(args) > 2 {
		return nil, false, nil
	}
	fold := func(s string) string { return cases.Fold().String(norm.NFKC.String(s)) }
	return strings.Contains(fold(text), fold(sought)), true, nil
}

// parseNumeric reads a number that may have its sign apart or at the end, and commas before the point.
func parseNumeric(args []any) (any, bool, error) {
	text, ok := args[0].(string)
	if !ok {
		return nil, false, nil
	}
	trimmed := strings.TrimSpace(text)
	sign := ""
	for _, s := range []string{"-", "+"} {
		if rest, found := strings.CutPrefix(trimmed, s); found && sign == "" {
			sign, trimmed = s, strings.TrimSpace(rest)
		} else if rest, found := strings.CutSuffix(trimmed, s); found && sign == "" {
			sign, trimmed = s, strings.TrimSpace(rest)
		}
	}
	whole, part, pointed := strings.Cut(trimmed, ".")
	whole = strings.ReplaceAll(whole, ",", "")
	if pointed {
		whole += "." + part
	}
	r, err := parseDecimal(sign + whole)
	if err != nil {
		return nil, true, errors.New("Invalid input to PARSE_NUMERIC: " + text)
	}
	n, err := newNumeric(r)
	return n, true, err
}
