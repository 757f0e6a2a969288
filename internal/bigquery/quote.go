package bigquery

import "strings"

// Quoted is a text as a literal of GoogleSQL, for statements that must name
// values: partitions are pruned by literals only.
func Quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(text) + "'"
}
