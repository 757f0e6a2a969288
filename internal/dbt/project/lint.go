package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// What the Jinja library renders otherwise than dbt's, without an error, is
// found here, in the tokens of a file.

// lint returns the first construct that would render otherwise than in dbt.
func lint(found []*tokens.Token) (line int, reason string) {
	depth, printed := 0, false
	for i, token := range found {
		next, before := kindAt(found, i+1), kindAt(found, i-1)
		switch token.Type {
		case tokens.LeftParenthesis, tokens.LeftBracket, tokens.LeftBrace:
			if token.Type == tokens.LeftBrace && next == tokens.RightBrace {
				return token.Line, "an empty dict is true here and false in dbt: write none"
			}
			depth++
		case tokens.RightParenthesis, tokens.RightBracket, tokens.RightBrace:
			depth--
		case tokens.VariableBegin, tokens.BlockBegin:
			depth, printed = 0, token.Type == tokens.VariableBegin
		case tokens.Not:
			if printed && depth == 0 && before == tokens.VariableBegin {
				return token.Line, "not prints another text than in dbt: write it with if"
			}
		case tokens.Power:
			return token.Line, "** gives a number with a fraction here and a whole one in dbt, and keywords taken together are not supported"
		case tokens.Modulo:
			if before == tokens.String {
				return token.Line, "% does not format a string here: use ~"
			}
		case tokens.Equals, tokens.Ne:
			if isTruth(found, i-1) || isTruth(found, i+1) {
				return token.Line, "a number never equals true or false here, and may in dbt: leave the comparison out"
			}
		case tokens.Tilde:
			if isNone(found, i-1) || isNone(found, i+1) {
				return token.Line, "~ makes no text of none here and None in dbt"
			}
		case tokens.Name:
			if reason := lintName(found, i); reason != "" {
				return token.Line, reason
			}
		}
	}
	return 0, ""
}

func lintName(found []*tokens.Token, i int) string {
	switch name := found[i].Val; name {
	case "varargs", "kwargs", "caller":
		return "macros take named arguments only"
	case "changed", "cycle", "depth", "depth0", "previtem", "nextitem":
		if kindAt(found, i-1) == tokens.Dot && found[i-2].Val == "loop" {
			return "loop." + name + " is not supported"
		}
	}
	return ""
}

func isNone(found []*tokens.Token, at int) bool {
	return kindAt(found, at) == tokens.Name && strings.EqualFold(found[at].Val, "none")
}

func isTruth(found []*tokens.Token, at int) bool {
	return kindAt(found, at) == tokens.Name && (strings.EqualFold(found[at].Val, "true") || strings.EqualFold(found[at].Val, "false"))
}

func kindAt(found []*tokens.Token, at int) tokens.Type {
	if at < 0 || at >= len(found) {
		return tokens.EOF
	}
	return found[at].Type
}

func tokensOf(source string) []*tokens.Token {
	var found []*tokens.Token
	for stream := tokens.LexAll(source, config.New()); ; stream.Next() {
		found = append(found, stream.Current())
		if stream.End() {
			return found
		}
	}
}

// filter that renders what is printed; see printed.
const printFilter = "printed_as_in_dbt"

// printable has every printed expression pass printFilter, because none
// prints nothing in the library and "None" in dbt. {{ a if b else c }} becomes
// {{ (a)|f if b else (c)|f }}: lines stay what they were.
func printable(source string, found []*tokens.Token) string {
	var out strings.Builder
	done := 0 // of source
	insert := func(at int, text string) {
		out.WriteString(source[done:at])
		out.WriteString(text)
		done = at
	}
	open, depth := false, 0
	for i, token := range found {
		switch token.Type {
		case tokens.VariableBegin:
			open, depth = true, 0
			insert(token.Pos+len(token.Val), "(")
		case tokens.VariableEnd:
			if open {
				insert(token.Pos, ")|"+printFilter+" ")
			}
			open = false
		case tokens.LeftParenthesis, tokens.LeftBracket, tokens.LeftBrace:
			depth++
		case tokens.RightParenthesis, tokens.RightBracket, tokens.RightBrace:
			depth--
		case tokens.Name:
			if !open || depth > 0 || kindAt(found, i-1) == tokens.Dot {
				continue
			}
			switch token.Val {
			case "if":
				insert(token.Pos, ")|"+printFilter+" ")
				open = slices.ContainsFunc(found[i:endOf(found, i)], isElse)
			case "else":
				insert(token.Pos+len(token.Val), "(")
			}
		}
	}
	out.WriteString(source[done:])
	return out.String()
}

func isElse(token *tokens.Token) bool { return token.Type == tokens.Name && token.Val == "else" }

// endOf is the place of the end of the expression that token i is part of.
func endOf(found []*tokens.Token, i int) int {
	for ; i < len(found); i++ {
		if found[i].Type == tokens.VariableEnd {
			return i
		}
	}
	return i
}

// genericTests rewrites {% test name(…) %} as the macro test_name, which is
// what dbt makes of it.
func genericTests(source string) string {
	return testTag.ReplaceAllStringFunc(source, func(tag string) string {
		parts := testTag.FindStringSubmatch(tag)
		if parts[2] != "" {
			return parts[1] + "endmacro"
		}
		return parts[1] + "macro test_" + parts[4]
	})
}

// leadingLines is the empty lines before a file's first text, as a comment:
// what is cut off must not move the lines.
func leadingLines(source string) string {
	lead := source[:len(source)-len(strings.TrimLeft(source, " \t\r\n"))]
	if lines := strings.Count(lead, "\n"); lines > 0 {
		return fmt.Sprintf("{#%s#}", strings.Repeat("\n", lines))
	}
	return ""
}
