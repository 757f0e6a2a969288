package warehouse

import (
	"regexp"
	"strings"
)

// plain writes a query in the part of GoogleSQL's lexical rules that the emulator's own rewriting of texts knows:
// without comments, and without strings in triple quotes or with bare line breaks. Lines stay where they were.
func plain(sql string) string {
	var out strings.Builder
	end, last := 0, ""
	for _, t := range lex(sql) {
		out.WriteString(blank(sql[end:t.start]))
		text := t.text
		if t.kind == literal && tripled(text) {
			text = single(text)
		}
		if t.kind == literal && last == "TIMESTAMP" {
			text = shortOffset.ReplaceAllString(text, "${1}0$2")
		}
		out.WriteString(text)
		end, last = t.end, t.keyword()
	}
	out.WriteString(blank(sql[end:]))
	return out.String()
}

// shortOffset is an offset from UTC of one digit at the end of a time, which the emulator takes for no offset.
var shortOffset = regexp.MustCompile(`([0-9][+-])([0-9](?::[0-9]{2})?['"])$`)

// blank keeps the spaces and line breaks of what is between two tokens, in which there may be comments.
func blank(gap string) string {
	if strings.Trim(gap, " \n\t\r") == "" {
		return gap
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return r
		}
		return ' '
	}, gap)
}

// tripled says whether a string is in triple quotes.
func tripled(text string) bool {
	text = text[strings.IndexAny(text, `'"`):]
	return len(text) >= 6 && (strings.HasPrefix(text, `'''`) || strings.HasPrefix(text, `"""`))
}

// single writes a string in triple quotes as one between double quotes.
func single(text string) string {
	at := strings.IndexAny(text, `'"`)
	prefix, body := strings.ToLower(text[:at]), text[at+3:]
	body = strings.TrimSuffix(body, text[at:at+3])
	var out strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '\\' && strings.Contains(prefix, "r"):
			out.WriteString(`\\`)
		case c == '\\' && i+1 < len(body):
			out.WriteString(body[i : i+2])
			i++
		case c == '"':
			out.WriteString(`\"`)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			if i+1 == len(body) || body[i+1] != '\n' { // GoogleSQL reads every kind of line break as \n
				out.WriteString(`\n`)
			}
		default:
			out.WriteByte(c)
		}
	}
	return strings.ReplaceAll(prefix, "r", "") + `"` + out.String() + `"`
}
