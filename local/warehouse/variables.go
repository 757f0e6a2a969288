package warehouse

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// variables are a script's, by lower-case name: each an expression that has the value, with the type.
type variables map[string]variable

type variable struct{ value, typ string }

// send runs statements. Names that the emulator does not know, and variables have, are replaced by the values: where a
// column has the name, the column is meant.
func (s *script) send(text string, run func(query) (*outcome, *apiError)) (*outcome, *apiError) {
	for {
		q := s.query
		q.SQL = text
		result, fault := run(q)
		name := ""
		if fault != nil {
			if m := unrecognized.FindStringSubmatch(fault.message); m != nil {
				name = strings.ToLower(strings.Trim(m[1], "`"))
			}
		}
		v, known := s.variables[name]
		if !known {
			return result, fault
		}
		replaced := replaceName(text, name, v.value)
		if replaced == text {
			return result, fault
		}
		text = replaced
	}
}

var unrecognized = regexp.MustCompile("Unrecognized name: (`[^`]+`|[A-Za-z0-9_]+)")

// replaceName puts a value in place of a name, but not of a field, a function or an alias of the same name.
func replaceName(text, name, value string) string {
	var out strings.Builder
	copied := 0
	tokens := lex(text)
	for i, t := range tokens {
		named := t.kind == word && strings.EqualFold(t.text, name) || t.kind == quoted && strings.EqualFold(strings.Trim(t.text, "`"), name)
		before, behind := "", ""
		if i > 0 {
			before = tokens[i-1].keyword()
		}
		if i+1 < len(tokens) {
			behind = tokens[i+1].text
		}
		if !named || before == "." || before == "AS" || behind == "(" {
			continue
		}
		out.WriteString(text[copied:t.start])
		out.WriteString(value)
		copied = t.end
	}
	return out.String() + text[copied:]
}

// declare reads DECLARE a, b [type] [DEFAULT expression].
func (s *script) declare(ctx context.Context, text string, tokens []token) *apiError {
	syntax := &apiError{http.StatusBadRequest, "invalidQuery", "Syntax error: DECLARE wants names, then a type or DEFAULT and an expression"}
	var names []string
	for len(tokens) > 0 && (tokens[0].kind == word || tokens[0].kind == quoted) {
		names = append(names, strings.ToLower(strings.Trim(tokens[0].text, "`")))
		if tokens = tokens[1:]; len(tokens) == 0 || tokens[0].text != "," {
			break
		}
		tokens = tokens[1:]
	}
	if len(names) == 0 || len(tokens) == 0 {
		return syntax
	}
	from := tokens[0].start
	typ, expression := strings.TrimSpace(text[from:]), "NULL"
	for i, t := range tokens {
		if t.keyword() == "DEFAULT" {
			if i+1 == len(tokens) {
				return syntax
			}
			typ, expression = strings.TrimSpace(text[from:t.start]), text[tokens[i+1].start:]
			break
		}
	}
	value, fault := s.evaluate(ctx, typed(expression, typ))
	if fault != nil {
		return fault
	}
	for _, name := range names {
		if _, ok := s.variables[name]; ok {
			return &apiError{http.StatusBadRequest, "invalidQuery", "Variable '" + name + "' redeclaration"}
		}
		s.variables[name] = variable{value, typ}
	}
	return nil
}

// typed is an expression as a value of a type, if one is given.
func typed(expression, typ string) string {
	if typ == "" {
		return "(" + expression + ")"
	}
	return "CAST((" + expression + ") AS " + typ + ")"
}

// assign reads SET name = expression.
func (s *script) assign(ctx context.Context, text string, tokens []token) *apiError {
	if len(tokens) > 0 && strings.HasPrefix(tokens[0].text, "@@") {
		return refused("SET " + tokens[0].text + ": the time zone is UTC, and the dataset is the client's default one")
	}
	if len(tokens) > 0 && tokens[0].text == "(" {
		return refused("SET of several variables at once")
	}
	if len(tokens) < 3 || tokens[1].text != "=" {
		return &apiError{http.StatusBadRequest, "invalidQuery", "Syntax error: SET wants a variable, =, and an expression"}
	}
	name := strings.ToLower(strings.Trim(tokens[0].text, "`"))
	v, ok := s.variables[name]
	if !ok {
		return &apiError{http.StatusBadRequest, "invalidQuery", "Undeclared variable: " + name}
	}
	value, fault := s.evaluate(ctx, typed(text[tokens[2].start:], v.typ))
	if fault == nil {
		s.variables[name] = variable{value, v.typ}
	}
	return fault
}

// evaluate runs an expression and returns one that has its value.
func (s *script) evaluate(ctx context.Context, expression string) (string, *apiError) {
	result, fault := s.send("SELECT "+expression, func(q query) (*outcome, *apiError) {
		return s.runner.send(ctx, s.project, q, true)
	})
	if fault != nil {
		return "", fault
	}
	var row struct{ F []cell }
	if len(result.Rows) != 1 || len(result.Schema.Fields) != 1 || json.Unmarshal(result.Rows[0], &row) != nil {
		return "", &apiError{http.StatusBadRequest, "invalidQuery", "A variable takes one value"}
	}
	field := result.Schema.Fields[0]
	if len(field.Fields) > 0 {
		return "", refused("variables of type STRUCT")
	}
	value, typ := valueOf(field, row.F[0].V)
	text, err := value.literal(typ)
	if err != nil {
		return "", refused("variables of type " + field.Type + ": " + err.Error())
	}
	return text, nil
}

// valueOf reads a cell of a result as the value of a parameter.
func valueOf(f *bigquery.TableFieldSchema, raw json.RawMessage) (parameterValue, parameterType) {
	element := parameterType{Type: f.Type}
	if f.Mode != "REPEATED" {
		return parameterValue{Value: instantText(f.Type, raw)}, element
	}
	var cells []cell
	_ = json.Unmarshal(raw, &cells) // NULL is an array without elements
	items := make([]map[string]json.RawMessage, len(cells))
	for i, c := range cells {
		items[i] = map[string]json.RawMessage{"value": instantText(f.Type, c.V)}
	}
	list, _ := json.Marshal(items)
	return parameterValue{Array: list}, parameterType{Type: "ARRAY", Array: &element}
}

// instantText writes a TIMESTAMP, which results have in microseconds, as a text.
func instantText(typ string, raw json.RawMessage) json.RawMessage {
	var text string
	if typ != "TIMESTAMP" || json.Unmarshal(raw, &text) != nil {
		return raw
	}
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return raw
	}
	return encoded(time.UnixMicro(micros).UTC().Format("2006-01-02 15:04:05.000000+00"), raw)
}
