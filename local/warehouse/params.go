package warehouse

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// parameter is a query parameter as BigQuery's API has it.
type parameter struct {
	Name  string         `json:"name"`
	Type  parameterType  `json:"parameterType"`
	Value parameterValue `json:"parameterValue"`
}

type parameterType struct {
	Type   string         `json:"type"`
	Array  *parameterType `json:"arrayType"`
	Range  *parameterType `json:"rangeElementType"`
	Struct []struct {
		Name string        `json:"name"`
		Type parameterType `json:"type"`
	} `json:"structTypes"`
}

// parameterValue keeps what JSON had: clients send numbers and booleans as such or as text, and null in many ways.
type parameterValue struct {
	Value  json.RawMessage           `json:"value"`
	Array  json.RawMessage           `json:"arrayValues"`
	Struct map[string]parameterValue `json:"structValues"`
	Range  *struct {
		Start *parameterValue `json:"start"`
		End   *parameterValue `json:"end"`
	} `json:"rangeValue"`
}

// withoutParameters are the statements that take none.
var withoutParameters = []string{"CREATE_VIEW", "CREATE_MATERIALIZED_VIEW", "CREATE_FUNCTION", "CREATE_AGGREGATE_FUNCTION", "CREATE_TABLE_FUNCTION", "CREATE_PROCEDURE"}

// bind writes the values of a query's parameters into its text, each as an expression of exactly its type: the
// emulator would guess the types from values of Go, and knows fewer of them.
func bind(q query) (query, *apiError) {
	refused := func(format string, values ...any) (query, *apiError) {
		return q, &apiError{http.StatusBadRequest, "invalidQuery", fmt.Sprintf(format, values...)}
	}
	if len(q.Parameters) == 0 || string(q.Parameters) == "null" {
		return q, nil
	}
	var parameters []parameter
	if err := json.Unmarshal(q.Parameters, &parameters); err != nil {
		return refused("Invalid value for queryParameters: %v", err)
	}
	q.Parameters = nil
	if len(parameters) == 0 {
		return q, nil
	}
	named := map[string]string{}
	var positional []string
	for i, p := range parameters {
		literal, err := p.Value.literal(p.Type)
		switch name := strings.ToLower(p.Name); {
		case err != nil && name == "":
			return refused("Query parameter %d: %v", i+1, err)
		case err != nil:
			return refused("Query parameter '%s': %v", p.Name, err)
		case name != "" && named[name] != "":
			return refused("Duplicate parameter name %s", p.Name)
		case name != "":
			named[name] = literal
		default:
			positional = append(positional, literal)
		}
	}
	if len(named) > 0 && len(positional) > 0 {
		return refused("Positional parameters and named parameters cannot be mixed")
	}
	text, uses, fault := substitute(q.SQL, named, positional)
	if fault != nil {
		return q, fault
	}
	if kind := parseStatement(q.SQL).kind; uses > 0 && slices.Contains(withoutParameters, kind) {
		return refused("Query parameters cannot be used in a %s statement", strings.ReplaceAll(kind, "_", " "))
	}
	q.SQL, q.ParameterMode = text, ""
	return q, nil
}

// substitute replaces @name and ? outside of strings and comments, and counts them.
func substitute(sql string, named map[string]string, positional []string) (string, int, *apiError) {
	var out strings.Builder
	copied, uses := 0, 0
	tokens := lex(sql)
	for i, t := range tokens {
		start, end, literal := t.start, t.end, ""
		at := strings.IndexByte(t.text, '@')
		switch {
		case t.kind == punctuation && t.text == "?":
			if uses >= len(positional) {
				return "", 0, &apiError{http.StatusBadRequest, "invalidQuery",
					fmt.Sprintf("Query parameter number %d is not defined (%d provided)%s", uses+1, len(positional), position(sql, start))}
			}
			literal = positional[uses]
		case t.kind == word && at >= 0 && !strings.HasPrefix(t.text[at:], "@@"):
			start += at
			name := t.text[at+1:]
			if next := i + 1; name == "" && next < len(tokens) && tokens[next].kind == quoted && tokens[next].start == end {
				name, end = strings.Trim(tokens[next].text, "`"), tokens[next].end
			}
			if name == "" {
				continue // a hint: @{…}
			}
			if literal = named[strings.ToLower(name)]; literal == "" {
				return "", 0, &apiError{http.StatusBadRequest, "invalidQuery",
					fmt.Sprintf("Query parameter '%s' not found%s", name, position(sql, start))}
			}
		default:
			continue
		}
		uses++
		out.WriteString(sql[copied:start])
		if wantsNumber(tokens[:i]) {
			literal = strings.Trim(literal, "()")
		}
		out.WriteString(" " + literal + " ")
		copied = end
	}
	out.WriteString(sql[copied:])
	if len(positional) > 0 && uses < len(positional) {
		return "", 0, &apiError{http.StatusBadRequest, "invalidQuery",
			fmt.Sprintf("Too many positional parameters: the query has %d, %d were provided", uses, len(positional))}
	}
	return out.String(), uses, nil
}

// wantsNumber says whether the grammar takes a bare number only after these tokens.
func wantsNumber(before []token) bool {
	if len(before) == 0 {
		return false
	}
	switch before[len(before)-1].keyword() {
	case "LIMIT", "OFFSET", "ROWS", "RANGE", "BETWEEN", "AND":
		return true
	}
	return false
}

// position writes where in a text a byte is, as BigQuery's messages do.
func position(sql string, at int) string {
	before := sql[:at]
	line := strings.Count(before, "\n")
	return fmt.Sprintf(" at [%d:%d]", line+1, at-strings.LastIndexByte(before, '\n'))
}
