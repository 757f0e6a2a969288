package warehouse

import "slices"

// statement finds what a statement reads: of DML the rows that it looks at, by BigQuery's rules for it
// (https://cloud.google.com/bigquery/docs/data-manipulation-language#dml-pricing).
func (r *reads) statement(s statement, tokens []token) {
	switch s.kind {
	case "SELECT":
		r.query(tokens, newNeeds(true), nil, nil)
	case "CREATE_TABLE_AS_SELECT":
		r.query(lex(s.body), newNeeds(true), nil, nil)
	case "INSERT":
		if at := queryAt(tokens); at >= 0 {
			r.query(tokens[at:], newNeeds(true), nil, nil)
		}
	case "DELETE", "UPDATE":
		r.change(s, tokens)
	case "MERGE":
		r.merge(tokens)
	case "CREATE_VIEW", "CREATE_MATERIALIZED_VIEW", "CREATE_FUNCTION", "CREATE_TABLE_FUNCTION", "CREATE_PROCEDURE":
	default:
		r.use(tokens, nil, nil) // the subqueries of a script
	}
}

// queryAt is where the query of an INSERT begins, or -1.
func queryAt(tokens []token) int {
	for i := 0; i < len(tokens); i++ {
		switch keyword := tokens[i].keyword(); {
		case keyword == "SELECT" || keyword == "WITH" || keyword == "VALUES":
			return i
		case tokens[i].text == "(":
			end := closing(tokens, i)
			if i+1 < end && (tokens[i+1].keyword() == "SELECT" || tokens[i+1].keyword() == "WITH") {
				return i
			}
			i = end
		}
	}
	return -1
}

// change reads DELETE and UPDATE: all columns of the partitions that may hold such rows. Partitions that are deleted
// whole are not read.
func (r *reads) change(s statement, tokens []token) {
	head, where := cutClause(tokens, "WHERE")
	before, from := cutClause(head[1:], "FROM")
	if s.kind == "DELETE" {
		before, from = from, nil
		if len(before) == 0 {
			before = head[1:]
		}
	}
	before, set := cutClause(before, "SET")
	target, _ := fromClause(before)
	others, joins := fromClause(from)
	if len(target) == 0 {
		return
	}
	sources := append(slices.Clone(target), others...)
	r.use(slices.Concat(set, where, joins), sources, nil)
	for _, other := range others {
		r.relation(other, nil, nil)
	}
	found := conditions(where)
	if s.kind == "DELETE" && onlyThese(where, found) && r.whole(target[0].path, found) {
		return
	}
	target[0].needs.all = true
	r.each(target[0].path, target[0].needs, found)
}

// onlyThese says whether the clause has these conditions and no others.
func onlyThese(where []token, found []condition) bool {
	if len(where) == 1 && where[0].keyword() == "TRUE" {
		return true
	}
	betweens := 0
	for _, part := range splitAt(where, "AND") {
		betweens += len(splitAt(part, "BETWEEN")) - 1
	}
	return len(found) > 0 && len(splitAt(where, "AND"))-betweens == len(found)
}

// merge reads MERGE INTO target USING source ON ….
func (r *reads) merge(tokens []token) {
	head, rest := cutClause(tokens[1:], "USING")
	if len(head) > 0 && head[0].keyword() == "INTO" {
		head = head[1:]
	}
	target, _ := fromClause(head)
	from, on := cutClause(rest, "ON")
	sources, _ := fromClause(from)
	if len(target) == 0 {
		return
	}
	r.use(on, append(slices.Clone(target), sources...), nil)
	for _, other := range sources {
		r.relation(other, nil, nil)
	}
	changes := slices.ContainsFunc(on, func(t token) bool { return t.keyword() == "UPDATE" || t.keyword() == "DELETE" })
	target[0].needs.all = target[0].needs.all || changes
	r.each(target[0].path, target[0].needs, nil)
}
