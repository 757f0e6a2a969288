package warehouse

import (
	"context"
	"net/http"
	"strings"
)

// mergeClause is a WHEN clause of a MERGE.
type mergeClause struct {
	kind      string // MATCHED, NOT MATCHED or NOT MATCHED BY SOURCE
	condition string // "" for none
	end       int    // where in the text the clause's THEN begins
}

// merge is the outline of a MERGE.
type merge struct {
	target, source, on string
	alias              string // of the target
	clauses            []mergeClause
}

// prepareMerge makes the first of several clauses that fit a row the only one: the emulator takes each by itself. It fails
// where a row of the target would be changed by more than one row of the source, as BigQuery does: the emulator takes one
// of them.
func (r *runner) prepareMerge(ctx context.Context, project string, q query) (string, *apiError) {
	m, ok := outlineMerge(q.SQL, lex(q.SQL))
	if !ok {
		return q.SQL, nil
	}
	if check := m.check(); check != "" {
		checked := q
		checked.SQL = check
		result, fault := r.send(ctx, project, checked, true)
		if fault != nil {
			return "", fault
		}
		if len(result.Rows) > 0 {
			return "", &apiError{http.StatusBadRequest, "invalidQuery", "UPDATE/MERGE must match at most one source row for each target row"}
		}
	}
	return m.firstOnly(q.SQL), nil
}

// outlineMerge reads a MERGE. ok is false for what the emulator will complain of.
func outlineMerge(sql string, tokens []token) (m merge, ok bool) {
	text := func(part []token) string {
		if len(part) == 0 {
			return ""
		}
		return sql[part[0].start:part[len(part)-1].end]
	}
	head, rest := cutClause(tokens[1:], "USING")
	if len(head) > 0 && head[0].keyword() == "INTO" {
		head = head[1:]
	}
	source, on := cutClause(rest, "ON")
	target, _ := fromClause(head)
	when := nextWhen(on, 0)
	if len(target) != 1 || len(source) == 0 || when < 1 || when == len(on) {
		return m, false
	}
	walk := reader{tokens: head}
	walk.path()
	m = merge{target: text(head[:walk.at]), alias: target[0].alias, source: text(source), on: text(on[:when])}
	for when < len(on) {
		next := nextWhen(on, when+1)
		clause := reader{tokens: on[when:next]}
		clause.skip("WHEN")
		c := mergeClause{kind: "MATCHED"}
		if clause.skip("NOT") {
			c.kind = "NOT MATCHED"
		}
		clause.skip("MATCHED")
		if clause.skip("BY") && clause.next() == "SOURCE" {
			c.kind += " BY SOURCE"
		}
		conditional := clause.skip("AND")
		condition, then := cutThen(clause.tokens[clause.at:])
		if len(then) == 0 || conditional != (len(condition) > 0) {
			return m, false
		}
		c.condition, c.end = text(condition), then[0].start
		m.clauses = append(m.clauses, c)
		when = next
	}
	return m, true
}

// nextWhen is where the next WHEN clause begins, or the end.
func nextWhen(tokens []token, from int) int {
	for i := from; i+1 < len(tokens); i++ {
		if tokens[i].text == "(" {
			i = closing(tokens, i)
			continue
		}
		next := tokens[i+1].keyword()
		if tokens[i].keyword() == "WHEN" && (next == "MATCHED" || next == "NOT" && i+2 < len(tokens) && tokens[i+2].keyword() == "MATCHED") {
			return i
		}
	}
	return len(tokens)
}

// cutThen cuts a clause before its THEN, which no CASE has.
func cutThen(tokens []token) (condition, then []token) {
	depth := 0
	for i, t := range tokens {
		switch keyword := t.keyword(); {
		case keyword == "CASE":
			depth++
		case keyword == "END":
			depth--
		case keyword == "THEN" && depth == 0:
			return tokens[:i], tokens[i:]
		}
	}
	return tokens, nil
}

// check is a query for rows of the target that more than one row of the source changes, or "" where none is.
func (m merge) check() string {
	var changing []string
	for _, c := range m.clauses {
		switch {
		case c.kind != "MATCHED":
		case c.condition == "":
			changing = append(changing, "TRUE")
		default:
			changing = append(changing, "("+c.condition+"\n)")
		}
	}
	if len(changing) == 0 {
		return ""
	}
	return "SELECT 1 FROM (SELECT *, ROW_NUMBER() OVER () AS __row FROM " + m.target + ") AS `" + m.alias + "` JOIN " + m.source + " ON " + m.on +
		"\nWHERE " + strings.Join(changing, " OR ") + " GROUP BY `" + m.alias + "`.__row HAVING COUNT(*) > 1 LIMIT 1"
}

// firstOnly adds to each clause's condition that none before it fits. Lines stay where they were.
func (m merge) firstOnly(sql string) string {
	var out strings.Builder
	before := map[string][]string{} // conditions, by kind
	copied := 0
	for _, c := range m.clauses {
		own := c.condition
		if own == "" {
			own = "TRUE"
		}
		if others := before[c.kind]; len(others) > 0 {
			out.WriteString(sql[copied:c.end] + "AND NOT IFNULL((" + strings.Join(others, ") OR (") + "), FALSE) ")
			copied = c.end
		}
		before[c.kind] = append(before[c.kind], "IFNULL(("+own+"), FALSE)")
	}
	return out.String() + sql[copied:]
}
