package warehouse

import (
	"slices"
	"strings"
)

// statement is what the gateway needs to know of a query: GoogleSQL is parsed by the emulator only.
type statement struct {
	text     string   // without what comes before and after it
	kind     string   // as BigQuery's statementType: SELECT, INSERT, CREATE_VIEW, SCRIPT, …
	path     []string // the table, view or schema that a DDL or DML statement is about
	replace  bool     // CREATE OR REPLACE
	lenient  bool     // IF [NOT] EXISTS
	cascade  bool     // DROP SCHEMA … CASCADE
	temp     bool     // CREATE TEMP TABLE
	body     string   // CREATE … AS: the query after AS
	options  string   // CREATE: from the path to the query, or to the end
	children []statement
}

// ddl says whether the statement, or one inside of a script, may change what tables exist or how they are made.
func (s *statement) ddl() bool {
	switch s.kind {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE_TABLE", "BEGIN_TRANSACTION", "COMMIT_TRANSACTION":
		return false
	case "SCRIPT":
		return len(s.children) == 0 || slices.ContainsFunc(s.children, func(child statement) bool { return child.ddl() })
	}
	return true
}

// creates says whether the statement makes a table that stays.
func (s *statement) creates() bool {
	return (s.kind == "CREATE_TABLE" || s.kind == "CREATE_TABLE_AS_SELECT") && !s.temp
}

// names says whether the statement makes or drops a table or view that stays.
func (s *statement) names() bool {
	return !s.temp && (strings.HasPrefix(s.kind, "CREATE_") || strings.HasPrefix(s.kind, "DROP_")) &&
		(strings.HasSuffix(s.kind, "TABLE") || s.kind == "CREATE_TABLE_AS_SELECT" || strings.HasSuffix(s.kind, "VIEW"))
}

// scripting says whether the statement is the gateway's and not the emulator's.
func (s *statement) scripting() bool {
	switch s.kind {
	case "DECLARE", "SET", "ASSERT", "BEGIN_TRANSACTION", "COMMIT_TRANSACTION", "ROLLBACK_TRANSACTION":
		return true
	}
	return false
}

// parseStatement reads the outline of a query of one or more statements.
func parseStatement(sql string) statement {
	var children []statement
	for _, tokens := range splitStatements(lex(sql)) {
		child := outline(sql, tokens)
		child.text = sql[tokens[0].start:tokens[len(tokens)-1].end]
		children = append(children, child)
	}
	switch {
	case len(children) == 0:
		return statement{kind: "SELECT"}
	case len(children) == 1 && !children[0].scripting():
		return children[0]
	}
	return statement{kind: "SCRIPT", children: children}
}

func splitStatements(tokens []token) [][]token {
	var parts [][]token
	start := 0
	for i, t := range tokens {
		if t.text != ";" {
			continue
		}
		if i > start {
			parts = append(parts, tokens[start:i])
		}
		start = i + 1
	}
	if start < len(tokens) {
		parts = append(parts, tokens[start:])
	}
	return parts
}

// outline reads one statement.
func outline(sql string, tokens []token) statement {
	r := reader{sql: sql, tokens: tokens}
	switch first := r.next(); first {
	case "SELECT", "WITH", "(", "FROM", "VALUES", "TABLE":
		return statement{kind: "SELECT"}
	case "INSERT", "DELETE", "MERGE", "UPDATE":
		r.skip("INTO", "FROM")
		return statement{kind: first, path: r.path()}
	case "TRUNCATE":
		r.skip("TABLE")
		return statement{kind: "TRUNCATE_TABLE", path: r.path()}
	case "CREATE":
		return r.create()
	case "DROP":
		s := statement{kind: "DROP_" + r.object()}
		s.lenient = r.skip("IF", "EXISTS")
		s.path = r.path()
		s.cascade = r.skip("CASCADE")
		return s
	case "ALTER":
		s := statement{kind: "ALTER_" + r.object()}
		s.lenient = r.skip("IF", "EXISTS")
		s.path = r.path()
		return s
	case "BEGIN", "COMMIT", "ROLLBACK":
		if len(tokens) == 1 || r.next() == "TRANSACTION" {
			return statement{kind: first + "_TRANSACTION"}
		}
		return statement{kind: "SCRIPT"}
	case "DECLARE", "SET", "ASSERT":
		return statement{kind: first}
	default:
		if lettersOnly(first) && !scriptWords[first] && r.next() != ":" {
			return statement{kind: "SELECT"} // no statement at all: the engine says what is wrong with it
		}
		return statement{kind: "SCRIPT"}
	}
}

// lettersOnly says whether a token has nothing but letters.
func lettersOnly(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// scriptWords are those that begin the other statements of GoogleSQL,
// https://cloud.google.com/bigquery/docs/reference/standard-sql/procedural-language and the pages beside it.
var scriptWords = map[string]bool{
	"ANALYZE": true, "BREAK": true, "CALL": true, "CASE": true, "CLONE": true, "CONTINUE": true, "EXECUTE": true, "EXPLAIN": true, "EXPORT": true, "FOR": true,
	"GRANT": true, "IF": true, "ITERATE": true, "LEAVE": true, "LOAD": true, "LOOP": true, "RAISE": true, "RENAME": true, "REPEAT": true, "RETURN": true,
	"REVOKE": true, "UNDROP": true, "WHILE": true, "END": true, "ELSE": true, "ELSEIF": true, "UNTIL": true, "WHEN": true,
}

// create reads what follows CREATE.
func (r *reader) create() statement {
	var s statement
	s.replace = r.skip("OR", "REPLACE")
	s.temp = r.skip("TEMP", "TEMPORARY")
	s.kind = "CREATE_" + r.object()
	s.lenient = r.skip("IF", "NOT", "EXISTS")
	s.path = r.path()
	if len(s.path) == 0 {
		return s
	}
	from := r.tokens[r.at-1].end
	s.options = r.sql[from:r.tokens[len(r.tokens)-1].end]
	depth := 0
	for r.at < len(r.tokens) {
		switch r.next() {
		case "(":
			depth++
		case ")":
			depth--
		case "AS":
			if depth == 0 && r.at < len(r.tokens) {
				start := r.tokens[r.at].start
				s.options, s.body = r.sql[from:start], r.sql[start:r.tokens[len(r.tokens)-1].end]
				if s.kind == "CREATE_TABLE" {
					s.kind = "CREATE_TABLE_AS_SELECT"
				}
				return s
			}
		}
	}
	return s
}

// reader walks over the tokens of one statement.
type reader struct {
	sql    string
	tokens []token
	at     int
}

// next returns the next token, keywords in upper case, and moves on; "" at the end.
func (r *reader) next() string {
	if r.at >= len(r.tokens) {
		return ""
	}
	r.at++
	return r.tokens[r.at-1].keyword()
}

// skip moves over these keywords as far as they follow, and says whether any did.
func (r *reader) skip(keywords ...string) bool {
	start := r.at
	for _, keyword := range keywords {
		if r.at < len(r.tokens) && r.tokens[r.at].keyword() == keyword {
			r.at++
		}
	}
	return r.at > start
}

// object reads the kind of thing that is created or dropped, such as TABLE or MATERIALIZED_VIEW.
func (r *reader) object() string {
	word := r.next()
	switch word {
	case "TABLE":
		if r.skip("FUNCTION") {
			return "TABLE_FUNCTION"
		}
	case "MATERIALIZED", "EXTERNAL", "SNAPSHOT", "AGGREGATE":
		return word + "_" + r.next()
	}
	return word
}

// path reads a name of one or more parts: `a.b.c`, a.b.c, `a`.`b`.c, or with dashes in the project's name.
func (r *reader) path() []string {
	var name strings.Builder
	for r.at < len(r.tokens) {
		t := r.tokens[r.at]
		glued := name.Len() == 0 || t.start == r.tokens[r.at-1].end
		if !glued || t.kind == punctuation && t.text != "." && t.text != "-" || t.kind == literal {
			break
		}
		name.WriteString(strings.Trim(t.text, "`"))
		r.at++
	}
	if name.Len() == 0 {
		return nil
	}
	return strings.Split(name.String(), ".")
}
