package warehouse

import (
	"regexp"
	"strings"
)

// withTypes gives the functions that write JSON the types of what they write: in the emulator a BOOL is a number, and
// nothing else says that it is not. Package mend reads these structs.
func withTypes(sql string) string {
	tokens := lex(sql)
	var out strings.Builder
	copied := 0
	for i := 0; i+1 < len(tokens); i++ {
		name := tokens[i].keyword()
		if tokens[i+1].text != "(" || tokens[i].kind != word || !writesJSON[name] {
			continue
		}
		end := closing(tokens, i+1)
		if end == len(tokens) {
			break // the emulator will complain
		}
		out.WriteString(sql[copied:tokens[i+1].end])
		out.WriteString(typedArguments(sql, name, tokens[i+2:end]))
		copied = tokens[end].start
		i = end
	}
	return out.String() + sql[copied:]
}

var writesJSON = map[string]bool{"TO_JSON_STRING": true, "TO_JSON": true, "JSON_ARRAY": true, "JSON_OBJECT": true, "FORMAT": true}

// writesAny are the specifiers of FORMAT, of which t and T write values of any type, and * is an argument, too.
var writesAny = regexp.MustCompile(`%[-+ #0']*(\*|\d+)?(?:\.(\*|\d*))?([a-zA-Z%])`)

// anyOf says which arguments of FORMAT are written as any type.
func anyOf(format []token) map[int]bool {
	of := map[int]bool{}
	if len(format) != 1 || format[0].kind != literal {
		return of
	}
	at := 0
	for _, m := range writesAny.FindAllStringSubmatch(format[0].text, -1) {
		for _, star := range m[1:3] {
			if star == "*" {
				at++
			}
		}
		if m[3] == "%" {
			continue
		}
		at++
		of[at] = m[3] == "t" || m[3] == "T"
	}
	return of
}

// typedArguments writes the arguments of a call again.
func typedArguments(sql, name string, tokens []token) string {
	parts := splitAt(tokens, ",")
	if len(tokens) == 0 || name == "JSON_OBJECT" && len(parts[0]) > 0 && parts[0][0].text == "[" {
		parts = nil // none, or two arrays
	}
	var arguments []string
	var asAny map[int]bool
	if name == "FORMAT" && len(parts) > 0 {
		asAny = anyOf(parts[0])
	}
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		text := sql[part[0].start:part[len(part)-1].end]
		inner := withTypes(text)
		typed := "STRUCT(" + inner + " AS __v, TYPEOF(" + inner + ") AS __t)"
		switch {
		case strings.HasPrefix(name, "TO_JSON") && i == 0, asAny[i]:
			inner = typed
		case name == "JSON_ARRAY" || name == "JSON_OBJECT" && i%2 == 1:
			inner = "TO_JSON(" + typed + ")"
		}
		arguments = append(arguments, inner)
	}
	if parts == nil && len(tokens) > 0 {
		return sql[tokens[0].start:tokens[len(tokens)-1].end]
	}
	return strings.Join(arguments, ", ")
}
