package warehouse

import "strings"

// withNulls asks ARRAY_AGG with OVER for what BigQuery does without being asked: NULLs are elements. The emulator leaves
// them out unless a query says RESPECT NULLS.
func withNulls(sql string) string {
	tokens := lex(sql)
	var out strings.Builder
	copied := 0
	for i := 0; i+1 < len(tokens); i++ {
		if tokens[i].keyword() != "ARRAY_AGG" || tokens[i+1].text != "(" {
			continue
		}
		end := closing(tokens, i+1)
		if end+1 >= len(tokens) || tokens[end+1].keyword() != "OVER" || tokens[end-1].keyword() == "NULLS" {
			continue
		}
		out.WriteString(sql[copied:tokens[end].start] + " RESPECT NULLS")
		copied = tokens[end].start
	}
	return out.String() + sql[copied:]
}
