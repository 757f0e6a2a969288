package warehouse

import (
	"slices"
	"strings"
)

// missing says what of a query the emulator does not have but answers all the same, with something else or with
// nothing, or "". The client learns it from this text.
func missing(tokens []token) string {
	for _, statement := range splitStatements(tokens) {
		if what := missingStatement(statement); what != "" {
			return what
		}
	}
	return missingParts(tokens)
}

// missingStatements are known by their first word.
var missingStatements = map[string]string{
	"IF": "IF … END IF", "WHILE": "WHILE", "LOOP": "LOOP", "REPEAT": "REPEAT", "FOR": "FOR … IN", "CASE": "the statement CASE", "RAISE": "RAISE",
	"CALL": "CALL", "EXECUTE": "EXECUTE IMMEDIATE", "BREAK": "BREAK", "LEAVE": "LEAVE", "CONTINUE": "CONTINUE", "ITERATE": "ITERATE",
	"RETURN": "RETURN", "GRANT": "GRANT in this place", "REVOKE": "REVOKE in this place",
	"EXPORT": "EXPORT DATA", "LOAD": "LOAD DATA: use a load job", "UNDROP": "UNDROP", "END": "blocks", "EXPLAIN": "EXPLAIN",
}

func missingStatement(tokens []token) string {
	r := reader{tokens: tokens}
	first := r.next()
	second := r.next()
	switch {
	case missingStatements[first] != "":
		return missingStatements[first]
	case first == "BEGIN" && second != "" && second != "TRANSACTION":
		return "blocks with BEGIN and END"
	case first == "ALTER":
		return "ALTER " + second + ": drop and create it"
	case first == "DECLARE" || first == "SET" || first == "ROLLBACK": // scripts have these done before, see script
		return first + " in this place"
	case first == "CREATE":
		return missingObject(tokens[1:])
	case first == "DROP" && !slices.Contains([]string{"TABLE", "VIEW", "SCHEMA", "FUNCTION"}, second):
		return "DROP " + second
	}
	return ""
}

func missingObject(tokens []token) string {
	r := reader{tokens: tokens}
	r.skip("OR", "REPLACE")
	r.skip("TEMP", "TEMPORARY")
	switch object := r.object(); object {
	case "TABLE":
		r.skip("IF", "NOT", "EXISTS")
		r.path()
		if next := r.next(); next == "CLONE" || next == "COPY" || next == "LIKE" {
			return "CREATE TABLE … " + next + ": create it AS SELECT"
		}
		return ""
	case "VIEW", "SCHEMA", "FUNCTION":
		return ""
	default:
		return "CREATE " + object
	}
}

// missingParts looks for what is inside of statements.
func missingParts(tokens []token) string {
	var calls []string // the words before open parentheses
	for i, t := range tokens {
		keyword := t.keyword()
		following := func(n int) string {
			if i+n < len(tokens) {
				return tokens[i+n].keyword()
			}
			return ""
		}
		call := ""
		if len(calls) > 0 {
			call = calls[len(calls)-1]
		}
		switch {
		case t.text == "(":
			before := ""
			if i > 0 {
				before = tokens[i-1].keyword()
			}
			calls = append(calls, before)
		case t.text == ")" && len(calls) > 0:
			calls = calls[:len(calls)-1]
		case t.kind <= quoted && missingView(tokens[i:]) != "":
			return missingView(tokens[i:])
		case t.kind != word:
		case keyword == "FORMAT" && (call == "CAST" || call == "SAFE_CAST") && following(1) != "(" && following(1) != "AS":
			return "CAST with FORMAT: use FORMAT_DATE, FORMAT_TIMESTAMP, PARSE_DATE, TO_HEX and the like"
		case keyword == "RESPECT" && following(1) == "NULLS" && call == "APPROX_QUANTILES":
			return "APPROX_QUANTILES with RESPECT NULLS"
		case (keyword == "SYSTEM_TIME" || keyword == "SYSTEM") && following(1) == "AS" && following(2) == "OF":
			return "FOR SYSTEM_TIME AS OF: it keeps no history"
		case following(1) == "(" && missingCall(tokens[i:]) != "":
			return missingCall(tokens[i:])
		case keyword == "IGNORE" && following(1) == "NULLS" && slices.Contains([]string{"FIRST_VALUE", "LAST_VALUE", "NTH_VALUE"}, call):
			return call + " with IGNORE NULLS"
		case keyword == "HAVING" && (following(1) == "MAX" || following(1) == "MIN") && following(2) != "(" && call != "ANY_VALUE":
			return call + " with HAVING MAX or HAVING MIN: use MAX_BY or MIN_BY"
		case keyword == "KEY" && i > 0 && (tokens[i-1].keyword() == "PRIMARY" || tokens[i-1].keyword() == "FOREIGN"):
			return tokens[i-1].keyword() + " KEY"
		case keyword == "IS_PARTITIONING_COLUMN" || keyword == "CLUSTERING_ORDINAL_POSITION":
			return "the column " + keyword + ": see tables.get"
		case keyword == "TABLESAMPLE":
			return "TABLESAMPLE"
		case (keyword == "_PARTITIONTIME" || keyword == "_PARTITIONDATE") && !partitionBy(tokens[:i]):
			return keyword + ": it does not know when a row came"
		case len(keyword) > 2 && keyword[:2] == "@@":
			return "the system variable " + t.text
		}
	}
	return ""
}

// missingCall looks at a word before an open parenthesis.
func missingCall(tokens []token) string {
	inner := tokens[2:closing(tokens, 1)]
	switch keyword := tokens[0].keyword(); {
	case strings.HasPrefix(keyword, "ST_") || strings.HasPrefix(keyword, "S2_"):
		return "GEOGRAPHY"
	case (keyword == "ROLLUP" || keyword == "CUBE") && len(splitAt(inner, ",")) > 1:
		return keyword + " of several columns: use GROUPING SETS"
	case (keyword == "LAG" || keyword == "LEAD") && negative(inner):
		return keyword + " with a negative offset"
	case keyword == "GROUPING" && len(inner) > 0:
		return "GROUPING"
	case slices.Contains([]string{"STRING", "BYTES", "NUMERIC", "BIGNUMERIC", "DECIMAL", "BIGDECIMAL"}, keyword) && len(inner) > 0 &&
		strings.Trim(inner[0].text, "0123456789") == "":
		return keyword + " with a length or precision"
	}
	return ""
}

// negative says whether the second argument of a call is a negative number, be it in parentheses, as a parameter's value
// is, or in a CAST.
func negative(arguments []token) bool {
	parts := splitAt(arguments, ",")
	if len(parts) < 2 {
		return false
	}
	offset := slices.IndexFunc(parts[1], func(t token) bool { return t.text != "(" && t.keyword() != "CAST" })
	return offset >= 0 && parts[1][offset].text == "-"
}

// informationSchema are the views of INFORMATION_SCHEMA that there are.
var informationSchema = []string{"TABLES", "COLUMNS", "SCHEMATA"}

// missingView reads a path that names a view of INFORMATION_SCHEMA, or the table of a dataset's tables.
func missingView(tokens []token) string {
	walk := reader{tokens: tokens}
	path := walk.path()
	for i, part := range path {
		if strings.EqualFold(part, "INFORMATION_SCHEMA") && i+1 < len(path) && !slices.Contains(informationSchema, strings.ToUpper(path[i+1])) {
			return "INFORMATION_SCHEMA." + strings.ToUpper(path[i+1])
		}
		if strings.EqualFold(part, "__TABLES__") {
			return "__TABLES__: use INFORMATION_SCHEMA.TABLES or tables.list"
		}
	}
	return ""
}

// partitionBy says whether a clause PARTITION BY ends the tokens, be it with a function.
func partitionBy(before []token) bool {
	n := len(before)
	return n > 0 && before[n-1].keyword() == "BY" || n > 2 && before[n-1].text == "(" && before[n-3].keyword() == "BY"
}
