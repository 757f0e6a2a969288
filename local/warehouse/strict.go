package warehouse

import (
	"net/http"
	"slices"
	"strings"
)

// strict writes statements so that the emulator fails where BigQuery does: a subquery that is used as a value may have one
// row at most, and a table's name is looked for in the default dataset alone. It fails itself where there is none.
func strict(q query) (string, *apiError) {
	tokens := lex(q.SQL)
	w := &strictness{query: q, known: map[string]bool{}}
	for i := 0; i+3 < len(tokens); i++ { // the queries of WITH
		if tokens[i].kind <= quoted && tokens[i+1].keyword() == "AS" && tokens[i+2].text == "(" && beginsQuery(tokens[i+3:]) {
			w.known[nameOf(tokens[i])] = true
		}
	}
	statements := splitStatements(tokens)
	for _, one := range statements {
		if s := outline(q.SQL, one); s.temp && len(s.path) == 1 {
			w.known[strings.ToLower(s.path[0])] = true
		}
	}
	for _, one := range statements {
		w.function = slices.ContainsFunc(one[:min(5, len(one))], func(t token) bool { return t.keyword() == "FUNCTION" })
		w.clauses(one)
	}
	if w.fault != nil {
		return "", w.fault
	}
	var out strings.Builder
	at := 0
	slices.SortStableFunc(w.inserted, func(a, b insertion) int { return a.at - b.at })
	for _, i := range w.inserted {
		out.WriteString(q.SQL[at:i.at])
		out.WriteString(i.text)
		at = i.at
	}
	return out.String() + q.SQL[at:], nil
}

// onlyElement is the place that package mend takes for the only element of an array: NULL of none, a failure of several.
const onlyElement = "[ORDINAL(-9223372036854775807)]"

type insertion struct {
	at   int
	text string
}

type strictness struct {
	query    query
	known    map[string]bool // names of relations that are no tables, in lower case
	function bool            // in CREATE FUNCTION
	inserted []insertion
	fault    *apiError
}

func nameOf(t token) string { return strings.ToLower(strings.Trim(t.text, "`")) }

func beginsQuery(tokens []token) bool {
	return len(tokens) > 0 && slices.Contains([]string{"SELECT", "WITH", "("}, tokens[0].keyword())
}

// clauses reads a statement or a query.
func (w *strictness) clauses(tokens []token) {
	inFrom, relation := false, false // in a FROM clause, and where it has a relation next
	first := tokens[0].keyword()
	for i := 0; i < len(tokens); i++ {
		t, before := tokens[i], ""
		if i > 0 {
			before = tokens[i-1].keyword()
		}
		switch keyword := t.keyword(); {
		case t.text == "(" || t.text == "[":
			end := min(closing(tokens, i), len(tokens)-1)
			w.group(tokens, i, end, relation, i == 0)
			if before == "UNNEST" && i > 2 && inFrom {
				w.outerUnnest(tokens, i-2, end+1)
			}
			relation, i = false, end
		case keyword == "FROM" && before == "DISTINCT" && i > 1 && tokens[i-2].keyword() != "SELECT", t.kind == literal: // IS DISTINCT FROM
		case keyword == "FROM" || keyword == "JOIN":
			inFrom, relation = true, true
		case t.text == ",":
			relation = inFrom
		case i == 0 && slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"}, keyword), keyword == "USING" && first == "MERGE":
			relation = true
		case relation && (keyword == "INTO" || keyword == "TABLE" && i == 1):
		case relation && t.kind <= quoted:
			i = w.relation(tokens, i)
			relation = false
		case t.kind == word && slices.Contains(endsFrom, keyword):
			inFrom = false
		}
	}
}

// outerUnnest gives LEFT JOIN UNNEST its condition: without one the emulator makes it a cross join. join is where the word
// JOIN should be, and next what follows the array.
func (w *strictness) outerUnnest(tokens []token, join, next int) {
	side := tokens[max(join-1, 0)].keyword()
	if side == "OUTER" {
		side = tokens[max(join-2, 0)].keyword()
	}
	if tokens[join].keyword() != "JOIN" || side != "LEFT" {
		return
	}
	_, next = aliasAt(tokens, next)
	if next+1 < len(tokens) && tokens[next].keyword() == "WITH" && tokens[next+1].keyword() == "OFFSET" {
		_, next = aliasAt(tokens, next+2)
	}
	if next == len(tokens) || tokens[next].keyword() != "ON" {
		w.inserted = append(w.inserted, insertion{tokens[next-1].end, " ON TRUE"})
	}
}

var endsFrom = []string{
	"SELECT", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT", "SET", "VALUES", "WHEN",
}

// relation reads the name of a table, and returns where it ends.
func (w *strictness) relation(tokens []token, i int) int {
	walk := reader{tokens: tokens, at: i}
	path := walk.path()
	end := max(walk.at-1, i)
	isFunction := end+1 < len(tokens) && tokens[end+1].text == "(" && !slices.Contains([]string{"INSERT", "INTO"}, tokens[max(i-1, 0)].keyword())
	if len(path) != 1 || isFunction || w.known[strings.ToLower(path[0])] {
		w.typesOfColumns(tokens, path, i, end)
		return end
	}
	dataset := w.query.DefaultDataset
	if dataset == nil || dataset.DatasetId == "" {
		if w.fault == nil {
			w.fault = unqualified(path[0])
		}
		return end
	}
	prefix := "`" + dataset.DatasetId + "`."
	if dataset.ProjectId != "" {
		prefix = "`" + dataset.ProjectId + "`." + prefix
	}
	w.inserted = append(w.inserted, insertion{tokens[i].start, prefix})
	return end
}

// typesOfColumns writes FLOAT64 where the information schema has the driver's own word for it. The relation's path is from
// tokens[i] to tokens[end].
func (w *strictness) typesOfColumns(tokens []token, path []string, i, end int) {
	if n := len(path); n < 2 || !strings.EqualFold(path[n-2], "INFORMATION_SCHEMA") || !strings.EqualFold(path[n-1], "COLUMNS") {
		return
	}
	after := ")"
	if alias, _ := aliasAt(tokens, end+1); alias == "" {
		after += " AS " + path[len(path)-1]
	}
	w.inserted = append(w.inserted, insertion{tokens[i].start, "(SELECT * REPLACE (IF(data_type = 'DOUBLE', 'FLOAT64', data_type) AS data_type) FROM "},
		insertion{tokens[end].end, after})
}

func unqualified(table string) *apiError {
	return &apiError{http.StatusBadRequest, "invalid", `Table "` + table + `" must be qualified with a dataset (e.g. dataset.table).`}
}

// group reads what is in brackets: a relation, a query that is a value, another one, or an expression.
func (w *strictness) group(tokens []token, open, end int, relation, begins bool) {
	inner := tokens[open+1 : end]
	if len(inner) == 0 {
		return
	}
	isQuery := inner[0].keyword() == "SELECT" || inner[0].keyword() == "WITH" && len(inner) > 1 && inner[1].text != "("
	parts, _ := setOperands(inner)
	switch {
	case relation && !isQuery && len(parts) == 1:
		w.clauses(append([]token{newWord("FROM")}, inner...))
	case isQuery || len(parts) > 1:
		w.clauses(inner)
		if !relation && !begins && tokens[open].text == "(" && w.isValue(tokens, open) && !oneRow(inner) {
			w.inserted = append(w.inserted, insertion{tokens[open].start, "ARRAY"}, insertion{tokens[end].end, onlyElement})
		}
	default:
		w.expression(inner)
	}
}

// expression reads an expression, or several.
func (w *strictness) expression(tokens []token) {
	for i := 0; i < len(tokens); i++ {
		if tokens[i].text == "(" || tokens[i].text == "[" {
			end := min(closing(tokens, i), len(tokens)-1)
			w.group(tokens, i, end, false, false)
			i = end
		}
	}
}

// isValue says whether the query whose bracket opens at i is used as a value.
func (w *strictness) isValue(tokens []token, i int) bool {
	if i == 0 {
		return true
	}
	before := tokens[i-1]
	switch keyword := before.keyword(); {
	case before.kind == punctuation:
		return before.text != ")" && before.text != "]"
	case before.kind != word:
		return false
	case keyword == "DISTINCT" || keyword == "ALL":
		return i > 1 && tokens[i-2].keyword() == "SELECT"
	case keyword == "AS":
		return w.function
	default:
		return slices.Contains(beforeValue, keyword)
	}
}

var beforeValue = []string{
	"SELECT", "WHERE", "ON", "AND", "OR", "NOT", "THEN", "ELSE", "WHEN", "CASE", "BETWEEN", "LIKE", "BY", "HAVING", "QUALIFY", "FROM", "INTERVAL", "SET", "IS",
}

// oneRow says whether a query has one row at most, whatever it reads.
func oneRow(tokens []token) bool {
	tokens, _ = new(reads).with(tokens, nil)
	if parts, _ := setOperands(tokens); len(parts) > 1 || len(tokens) == 0 {
		return false
	}
	if _, limit := cutClause(tokens, "LIMIT"); len(limit) > 0 && (limit[0].text == "1" || limit[0].text == "0") {
		return true
	}
	c := cutClauses(tokens)
	if len(c.from) == 0 {
		return true
	}
	if _, by := cutClause(c.rest, "GROUP"); len(by) > 0 {
		return false
	}
	for i := 0; i+1 < len(c.items); i++ {
		if c.items[i].text == "(" && beginsQuery(c.items[i+1:]) && c.items[i+1].text != "(" {
			i = closing(c.items, i)
			continue
		}
		if c.items[i].kind == word && c.items[i+1].text == "(" && slices.Contains(aggregates, c.items[i].keyword()) {
			if end := closing(c.items, i+1); end+1 >= len(c.items) || c.items[end+1].keyword() != "OVER" {
				return true
			}
		}
	}
	return false
}

// aggregates are functions that make one row of all.
var aggregates = []string{
	"ANY_VALUE", "APPROX_COUNT_DISTINCT", "APPROX_QUANTILES", "APPROX_TOP_COUNT", "APPROX_TOP_SUM", "ARRAY_AGG", "ARRAY_CONCAT_AGG", "AVG", "BIT_AND",
	"BIT_OR", "BIT_XOR", "CORR", "COUNT", "COUNTIF", "COVAR_POP", "COVAR_SAMP", "LOGICAL_AND", "LOGICAL_OR", "MAX", "MAX_BY", "MIN", "MIN_BY", "STDDEV",
	"STDDEV_POP", "STDDEV_SAMP", "STRING_AGG", "SUM", "VARIANCE", "VAR_POP", "VAR_SAMP",
}
