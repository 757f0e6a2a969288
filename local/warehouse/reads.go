package warehouse

import (
	"slices"
	"strconv"
	"strings"
)

// reads finds what a query reads: of each table the columns that its result depends on, and the conditions that hold
// for every row. Columns are followed through subqueries, WITH and views by their names. Where the text leaves doubt
// it says more columns and fewer conditions, never the reverse.
type reads struct {
	view  func(path []string) (query []token, ok bool)    // the query of a view, when the path is one
	each  func(path []string, n needs, where []condition) // takes what is read of a table
	whole func(path []string, where []condition) bool     // whether the conditions hold for whole partitions or none of their rows
	deep  int
}

// needs are the columns of a relation that matter, by lower-case name.
type needs struct {
	all   bool
	names map[string]bool
}

func newNeeds(all bool) needs { return needs{all: all, names: map[string]bool{}} }

func (n needs) has(name string) bool { return n.all || name != "" && n.names[strings.ToLower(name)] }

// scope is what names mean inside of a query: the queries of WITH.
type scope struct {
	name   string
	query  []token
	at     *scope // in which the query itself is read
	parent *scope
}

func (s *scope) find(name string) *scope {
	for ; s != nil; s = s.parent {
		if strings.EqualFold(s.name, name) {
			return s
		}
	}
	return nil
}

const deepest = 40 // levels of views and subqueries

// query reads a query expression of which some columns are needed. pushed are conditions on its columns.
func (r *reads) query(tokens []token, n needs, in *scope, pushed []condition) {
	if r.deep++; r.deep > deepest {
		r.deep--
		return
	}
	defer func() { r.deep-- }()
	tokens, in = r.with(tokens, in)
	for isGroup(tokens) {
		tokens = tokens[1 : len(tokens)-1]
		tokens, in = r.with(tokens, in)
	}
	parts, distinct := setOperands(tokens)
	if len(parts) == 1 {
		r.selection(tokens, n, in, pushed)
		return
	}
	n.all = n.all || distinct
	last := parts[len(parts)-1]
	if _, ordered := cutClause(last, "ORDER"); len(ordered) > 0 {
		n.all = true // by columns of the whole
	}
	first := outputs(parts[0])
	for _, part := range parts {
		of := n
		if names := outputs(part); !n.all && first != nil && names != nil && len(names) == len(first) {
			of = newNeeds(false)
			for i, name := range first {
				if n.has(name) {
					of.names[strings.ToLower(names[i])] = true
					of.names[ordinal(i)] = true
				}
			}
		}
		r.query(part, of, in, nil)
	}
}

// ordinal names a column that has no name, by its place.
func ordinal(i int) string { return "#" + strconv.Itoa(i) }

// with reads the queries that WITH names, and returns the query after them.
func (r *reads) with(tokens []token, in *scope) ([]token, *scope) {
	if len(tokens) == 0 || tokens[0].keyword() != "WITH" {
		return tokens, in
	}
	i := 1
	if i < len(tokens) && tokens[i].keyword() == "RECURSIVE" {
		i++
	}
	for i+2 < len(tokens) {
		name := strings.Trim(tokens[i].text, "`")
		for i++; i < len(tokens) && tokens[i].keyword() != "AS"; i++ {
		}
		start := i + 1
		if start >= len(tokens) || tokens[start].text != "(" {
			return tokens[min(start, len(tokens)):], in
		}
		end := closing(tokens, start)
		in = &scope{name: name, query: tokens[start+1 : end], at: in, parent: in}
		if i = end + 1; i >= len(tokens) || tokens[i].text != "," {
			break
		}
		i++
	}
	return tokens[min(i, len(tokens)):], in
}

// setOperands cuts a query at UNION, INTERSECT and EXCEPT; distinct says that whole rows are compared.
func setOperands(tokens []token) (parts [][]token, distinct bool) {
	start := 0
	for i := 0; i < len(tokens); i++ {
		if tokens[i].text == "(" {
			i = closing(tokens, i)
			continue
		}
		keyword, next := tokens[i].keyword(), ""
		if i+1 < len(tokens) {
			next = tokens[i+1].keyword()
		}
		if (keyword == "UNION" || keyword == "INTERSECT" || keyword == "EXCEPT") && (next == "ALL" || next == "DISTINCT") {
			parts = append(parts, tokens[start:i])
			distinct = distinct || next == "DISTINCT" || keyword != "UNION"
			start = i + 2
			i++
		}
	}
	return append(parts, tokens[start:]), distinct
}

// clauses cuts SELECT … FROM … into its parts, each without its keyword.
type clauses struct {
	items, from, where, rest []token
	distinct, grouped        bool
}

var clauseWords = []string{"FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT"}

func cutClauses(tokens []token) clauses {
	var c clauses
	into, part := "SELECT", []token(nil)
	flush := func() {
		switch into {
		case "SELECT":
			c.items = part
		case "FROM":
			c.from = part
		case "WHERE":
			c.where = part
		default:
			c.rest = append(c.rest, part...)
			c.grouped = c.grouped || into != "ORDER"
		}
		part = nil
	}
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		keyword := t.keyword()
		switch {
		case i == 0 && keyword == "SELECT":
			continue
		case i == 1 && (keyword == "DISTINCT" || keyword == "ALL"):
			c.distinct = keyword == "DISTINCT"
			continue
		case keyword == "AS" && into == "SELECT" && len(part) == 0: // SELECT AS STRUCT, AS VALUE
			i++
			continue
		case t.kind == word && slices.Contains(clauseWords, keyword) && (i == 0 || tokens[i-1].text != "."):
			flush()
			into = keyword
			if keyword == "GROUP" || keyword == "ORDER" {
				part = append(part, t)
			}
			continue
		case t.text == "(" || t.text == "[":
			end := closing(tokens, i)
			part = append(part, tokens[i:min(end+1, len(tokens))]...)
			i = end
			continue
		}
		part = append(part, t)
	}
	flush()
	return c
}

// cutClause returns what follows a keyword outside of parentheses.
func cutClause(tokens []token, keyword string) (before, after []token) {
	for i := 0; i < len(tokens); i++ {
		if tokens[i].text == "(" {
			i = closing(tokens, i)
		} else if tokens[i].kind == word && tokens[i].keyword() == keyword {
			return tokens[:i], tokens[i+1:]
		}
	}
	return tokens, nil
}

// item is one column of a SELECT list; a star has no name.
type item struct {
	tokens []token
	name   string
	star   bool
}

func itemsOf(tokens []token) []item {
	var items []item
	for _, part := range splitAt(tokens, ",") {
		it := item{tokens: part}
		if n := len(part); n > 0 {
			last := part[n-1]
			switch {
			case slices.ContainsFunc(part[:min(n, 6)], func(t token) bool { return t.text == "*" }) &&
				(part[0].text == "*" || n > 2 && part[1].text == "." && (part[2].text == "*" || n > 4 && part[4].text == "*")):
				it.star = true
			case n > 1 && part[n-2].keyword() == "AS" || n == 1 || last.kind <= quoted && (part[n-2].text == "." || part[n-2].kind != punctuation || part[n-2].text == ")"):
				if last.kind <= quoted {
					it.name = strings.Trim(last.text, "`")
				}
			}
		}
		items = append(items, it)
	}
	return items
}

// outputs are the names of a query's columns, or nil when a star hides them.
func outputs(tokens []token) []string {
	for isGroup(tokens) {
		tokens = tokens[1 : len(tokens)-1]
	}
	var names []string
	for i, it := range itemsOf(cutClauses(tokens).items) {
		if it.star {
			return nil
		}
		if it.name == "" {
			it.name = ordinal(i)
		}
		names = append(names, it.name)
	}
	return names
}

// splitAt cuts tokens at a mark outside of brackets.
func splitAt(tokens []token, mark string) [][]token {
	var parts [][]token
	start := 0
	for i := 0; i < len(tokens); i++ {
		switch {
		case tokens[i].text == "(" || tokens[i].text == "[":
			i = closing(tokens, i)
		case tokens[i].keyword() == mark:
			parts = append(parts, tokens[start:i])
			start = i + 1
		}
	}
	if start < len(tokens) {
		parts = append(parts, tokens[start:])
	}
	return parts
}

// closing returns where the bracket that opens at i closes, or the end.
func closing(tokens []token, i int) int {
	if i < len(tokens) && tokens[i].length > 0 { // tokens are cut and joined between brackets only
		return min(i+tokens[i].length, len(tokens))
	}
	depth := 0
	for ; i < len(tokens); i++ {
		switch tokens[i].text {
		case "(", "[":
			depth++
		case ")", "]":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(tokens)
}

// isGroup says whether brackets surround all of the tokens.
func isGroup(tokens []token) bool {
	return len(tokens) > 1 && tokens[0].text == "(" && closing(tokens, 0) == len(tokens)-1
}
