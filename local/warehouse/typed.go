package warehouse

import "strings"

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

var writesJSON = map[string]bool{"TO_JSON_STRING": true, "TO_JSON": true, "JSON_ARRAY": true, "JSON_OBJECT": true}

// typedArguments writes the arguments of a call again.
func typedArguments(sql, name string, tokens []token) string {
	parts := splitAt(tokens, ",")
	if len(tokens) == 0 || name == "JSON_OBJECT" && len(parts[0]) > 0 && parts[0][0].text == "[" {
		parts = nil // none, or two arrays
	}
	var arguments []string
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		text := sql[part[0].start:part[len(part)-1].end]
		inner := withTypes(text)
		typed := "STRUCT(" + inner + " AS __v, TYPEOF(" + inner + ") AS __t)"
		switch {
		case strings.HasPrefix(name, "TO_JSON") && i == 0:
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
