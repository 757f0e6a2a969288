package warehouse

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// source is one relation of a FROM clause.
type source struct {
	alias    string
	path     []string // a table, a view or a query of WITH
	subquery []token
	needs    needs
}

// selection reads one SELECT.
func (r *reads) selection(tokens []token, n needs, in *scope, pushed []condition) {
	c := cutClauses(tokens)
	sources, rest := fromClause(c.from)
	c.rest = append(c.rest, rest...)
	items := itemsOf(c.items)
	r.use(append(slices.Clone(c.rest), c.where...), sources, in)
	keys := keysOf(c.rest)
	passed := map[string]string{} // a column of the result that is one of a source, by name
	for i, it := range items {
		switch {
		case it.star:
			r.star(it, n, sources)
		case n.all || c.distinct || n.has(it.name) || n.has(ordinal(i)) || keys.has(it.name) || keys.has(ordinal(i)):
			r.use(withoutAlias(it), sources, in)
		}
		if column := plainColumn(withoutAlias(it)); column != "" && it.name != "" {
			passed[strings.ToLower(it.name)] = column
		}
	}
	where := conditions(c.where)
	if !c.grouped && !c.distinct {
		for _, p := range pushed {
			if column, renamed := passed[p.column]; renamed {
				p.column = column
			}
			where = append(where, p)
		}
	}
	for _, s := range sources {
		own := slices.DeleteFunc(slices.Clone(where), func(p condition) bool { return p.of != "" && !strings.EqualFold(p.of, s.alias) })
		r.relation(s, in, own)
	}
}

// relation reads a source as far as it is needed.
func (r *reads) relation(s *source, in *scope, where []condition) {
	for i := range where {
		where[i].of = ""
	}
	switch {
	case s.subquery != nil:
		r.query(s.subquery, s.needs, in, where)
		return
	case len(s.path) == 0:
		return
	case len(s.path) == 1:
		if with := in.find(s.path[0]); with != nil {
			r.query(with.query, s.needs, with.at, where)
			return
		}
	}
	if query, ok := r.view(s.path); ok {
		r.query(query, s.needs, nil, where)
		return
	}
	r.each(s.path, s.needs, where)
}

// star passes what is needed on to the sources.
func (r *reads) star(it item, n needs, sources []*source) {
	of := ""
	if it.tokens[0].text != "*" {
		of = strings.Trim(it.tokens[0].text, "`")
	}
	for _, s := range sources {
		if of != "" && !strings.EqualFold(of, s.alias) {
			continue
		}
		excluded := exceptions(it.tokens)
		s.needs.all = s.needs.all || n.all && len(excluded) == 0
		if n.all && len(excluded) > 0 {
			s.needs.names[exceptMark+strings.Join(excluded, ",")] = true
		}
		for name := range n.names {
			if !slices.Contains(excluded, name) {
				s.needs.names[name] = true
			}
		}
	}
	if _, after := cutClause(it.tokens, "REPLACE"); len(after) > 0 {
		r.use(after, sources, nil)
	}
}

// exceptMark marks a need of all columns but those that follow.
const exceptMark = "*-"

func exceptions(tokens []token) []string {
	_, after := cutClause(tokens, "EXCEPT")
	if len(after) == 0 || after[0].text != "(" {
		return nil
	}
	var names []string
	for _, part := range splitAt(after[1:closing(after, 0)], ",") {
		names = append(names, strings.ToLower(strings.Trim(part[0].text, "`")))
	}
	return names
}

// use marks the columns that an expression names, and reads its subqueries.
func (r *reads) use(tokens []token, sources []*source, in *scope) {
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if t.text == "(" {
			end := closing(tokens, i)
			if first := i + 1; first < end && (tokens[first].keyword() == "SELECT" || tokens[first].keyword() == "WITH") {
				r.query(tokens[first:end], newNeeds(true), in, nil)
				inner := cutClauses(tokens[first:end])
				r.use(slices.Concat(inner.items, inner.where, inner.rest), sources, in) // it may be correlated
				i = end
			}
			continue
		}
		if t.kind > quoted || t.kind == word && t.text[0] >= '0' && t.text[0] <= '9' {
			continue
		}
		if i > 0 && tokens[i-1].keyword() == "AS" {
			continue
		}
		if i+1 < len(tokens) && (tokens[i+1].kind == literal || tokens[i+1].text == "(" && t.kind == word) {
			continue // timestamp '…', f(…)
		}
		path := strings.Split(strings.Trim(t.text, "`"), ".")
		for i+2 < len(tokens) && tokens[i+1].text == "." && (tokens[i+2].kind <= quoted || tokens[i+2].text == "*") {
			path = append(path, strings.Trim(tokens[i+2].text, "`"))
			i += 2
		}
		mark(path, sources)
	}
}

// mark marks a path of names in the sources that may have it.
func mark(path []string, sources []*source) {
	for _, s := range sources {
		if strings.EqualFold(path[0], s.alias) {
			if len(path) == 1 || path[1] == "*" {
				s.needs.all = true
			} else {
				s.needs.names[strings.ToLower(path[1])] = true
			}
			return
		}
	}
	for _, s := range sources {
		for _, name := range path {
			s.needs.names[strings.ToLower(name)] = true
		}
	}
}

// keysOf are the names and places of GROUP BY and ORDER BY.
func keysOf(rest []token) needs {
	keys := newNeeds(false)
	inside := false
	for i, t := range rest {
		if t.keyword() == "BY" {
			inside = true
		}
		if t.keyword() == "ALL" && i > 0 && rest[i-1].keyword() == "GROUP" {
			keys.all = true
		}
		if n, err := strconv.Atoi(t.text); err == nil && inside && n > 0 {
			keys.names[ordinal(n-1)] = true
		} else if t.kind <= quoted {
			keys.names[strings.ToLower(strings.Trim(t.text, "`"))] = true
		}
	}
	return keys
}

func withoutAlias(it item) []token {
	n := len(it.tokens)
	if n > 1 && it.name != "" && it.tokens[n-2].keyword() == "AS" {
		return it.tokens[:n-2]
	}
	if n > 1 && it.name != "" && it.tokens[n-2].text != "." {
		return it.tokens[:n-1]
	}
	return it.tokens
}

// plainColumn is the column's name, when the tokens are a column alone: a or t.a.
func plainColumn(tokens []token) string {
	switch {
	case len(tokens) == 1 && tokens[0].kind <= quoted:
		return strings.ToLower(strings.Trim(tokens[0].text, "`"))
	case len(tokens) == 3 && tokens[1].text == "." && tokens[2].kind <= quoted:
		return strings.ToLower(strings.Trim(tokens[2].text, "`"))
	}
	return ""
}

// fromClause reads the sources, and returns the conditions of joins.
func fromClause(tokens []token) (sources []*source, rest []token) {
	for i := 0; i < len(tokens); {
		t := tokens[i]
		switch keyword := t.keyword(); {
		case t.text == "(":
			end := closing(tokens, i)
			inner := tokens[i+1 : end]
			if len(inner) > 0 && slices.Contains([]string{"SELECT", "WITH", "("}, inner[0].keyword()) {
				s := &source{subquery: inner, needs: newNeeds(false)}
				s.alias, i = aliasAt(tokens, end+1)
				sources = append(sources, s)
			} else {
				more, conditions := fromClause(inner)
				sources, rest, i = append(sources, more...), append(rest, conditions...), end+1
			}
		case keyword == "UNNEST" || i+1 < len(tokens) && t.kind == word && tokens[i+1].text == "(" && !joinWord(keyword):
			end := closing(tokens, i+1)
			rest = append(rest, tokens[i:min(end+1, len(tokens))]...)
			_, i = aliasAt(tokens, end+1)
		case keyword == "ON" || keyword == "USING":
			start := i + 1
			for i++; i < len(tokens) && tokens[i].text != "," && !joinWord(tokens[i].keyword()); i++ {
				if tokens[i].text == "(" {
					i = closing(tokens, i)
				}
			}
			i = min(i, len(tokens))
			rest = append(rest, tokens[start:i]...)
		case t.kind > quoted || joinWord(keyword):
			i++
		default:
			walk := reader{tokens: tokens, at: i}
			s := &source{path: walk.path(), needs: newNeeds(false)}
			if i = max(walk.at, i+1); len(s.path) > 0 {
				s.alias = s.path[len(s.path)-1]
			}
			if i+4 < len(tokens) && tokens[i].keyword() == "FOR" { // FOR SYSTEM_TIME AS OF …
				for i++; i < len(tokens) && tokens[i].text != "," && !joinWord(tokens[i].keyword()) && tokens[i].keyword() != "ON"; i++ {
				}
			}
			if alias, next := aliasAt(tokens, i); alias != "" {
				s.alias, i = alias, next
			}
			sources = append(sources, s)
		}
	}
	// A path that begins with another source's name is an array of it.
	for _, s := range sources {
		for _, other := range sources {
			if s != other && len(s.path) > 1 && strings.EqualFold(s.path[0], other.alias) {
				other.needs.names[strings.ToLower(s.path[1])] = true
				s.path = nil
			}
		}
	}
	return sources, rest
}

func joinWord(keyword string) bool {
	switch keyword {
	case "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "ON", "USING", "WITH", "OFFSET", "TABLESAMPLE", "PIVOT", "UNPIVOT":
		return true
	}
	return false
}

// aliasAt reads [AS] name, and returns where it ends. Without AS a word that goes on with the statement is no name.
func aliasAt(tokens []token, i int) (string, int) {
	said := i < len(tokens) && tokens[i].keyword() == "AS"
	if said {
		i++
	}
	if i < len(tokens) && tokens[i].kind <= quoted && (said || !goesOn(tokens[i].keyword())) {
		return strings.Trim(tokens[i].text, "`"), i + 1
	}
	return "", min(i, len(tokens))
}

func goesOn(keyword string) bool {
	return joinWord(keyword) || keyword == "FOR" || slices.Contains(endsFrom, keyword)
}

// columnsOf chooses the needed ones of a table's columns, which are in lower case.
func (n needs) columnsOf(columns []string) []string {
	if n.all {
		return columns
	}
	chosen := map[string]bool{}
	for name := range n.names {
		if excluded, ok := strings.CutPrefix(name, exceptMark); ok {
			for _, column := range columns {
				if !slices.Contains(strings.Split(excluded, ","), column) {
					chosen[column] = true
				}
			}
		} else if slices.Contains(columns, name) {
			chosen[name] = true
		}
	}
	return slices.Sorted(maps.Keys(chosen))
}
