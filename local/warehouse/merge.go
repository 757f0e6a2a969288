package warehouse

import (
	"context"
	"net/http"
)

// checkMerge fails where a MERGE would change a row of its target by more than one row of its source, as BigQuery does: the
// emulator takes one of them.
func (r *runner) checkMerge(ctx context.Context, project string, q query) *apiError {
	sql := mergeCheck(q.SQL, lex(q.SQL))
	if sql == "" {
		return nil
	}
	check := q
	check.SQL = sql
	result, fault := r.send(ctx, project, check, true)
	if fault != nil {
		return fault
	}
	if len(result.Rows) > 0 {
		return &apiError{http.StatusBadRequest, "invalidQuery", "UPDATE/MERGE must match at most one source row for each target row"}
	}
	return nil
}

// mergeCheck is a query for rows of a MERGE's target that more than one row of the source matches, or "" where that does
// not matter.
func mergeCheck(sql string, tokens []token) string {
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
	when := -1
	matched := false
	for i := 0; i+1 < len(on); i++ {
		next := on[i+1].keyword()
		if on[i].keyword() == "WHEN" && (next == "MATCHED" || next == "NOT") {
			if when < 0 {
				when = i
			}
			matched = matched || next == "MATCHED"
		}
	}
	target, _ := fromClause(head)
	if !matched || when < 1 || len(target) != 1 || len(source) == 0 {
		return ""
	}
	walk := reader{tokens: head}
	walk.path()
	return "SELECT 1 FROM (SELECT *, ROW_NUMBER() OVER () AS __row FROM " + text(head[:walk.at]) + ") AS `" + target[0].alias + "` JOIN " +
		text(source) + " ON " + text(on[:when]) + " GROUP BY `" + target[0].alias + "`.__row HAVING COUNT(*) > 1 LIMIT 1"
}
