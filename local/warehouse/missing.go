package warehouse

import "slices"

// missing says what of a query the emulator does not have but answers all the same, with something else or with
// nothing, or "". Whoever is refused learns it from this text.
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
	"RETURN": "RETURN", "GRANT": "GRANT: nobody is refused anything", "REVOKE": "REVOKE: nobody is refused anything",
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
		case t.kind != word:
		case keyword == "FORMAT" && (call == "CAST" || call == "SAFE_CAST") && following(1) != "(" && following(1) != "AS":
			return "CAST with FORMAT: use FORMAT_DATE, FORMAT_TIMESTAMP, PARSE_DATE, TO_HEX and the like"
		case keyword == "RESPECT" && following(1) == "NULLS" && call == "APPROX_QUANTILES":
			return "APPROX_QUANTILES with RESPECT NULLS"
		case (keyword == "SYSTEM_TIME" || keyword == "SYSTEM") && following(1) == "AS" && following(2) == "OF":
			return "FOR SYSTEM_TIME AS OF: it keeps no history"
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

// partitionBy says whether a clause PARTITION BY ends the tokens, be it with a function.
func partitionBy(before []token) bool {
	n := len(before)
	return n > 0 && before[n-1].keyword() == "BY" || n > 2 && before[n-1].text == "(" && before[n-3].keyword() == "BY"
}
