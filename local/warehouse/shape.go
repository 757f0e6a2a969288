package warehouse

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// shapeOf reads what follows the table's name in CREATE TABLE.
func shapeOf(options string) *Made {
	s := &Made{}
	table := &s.Table
	tokens := beforeQuery(lex(options))
	if len(tokens) > 0 && tokens[0].text == "(" {
		end := closing(tokens, 0)
		for _, column := range splitAt(tokens[1:end], ",") {
			if null := splitAt(column, "NULL"); len(null) > 0 && len(column) > 2 && null[0][len(null[0])-1].keyword() == "NOT" {
				s.Required = append(s.Required, strings.ToLower(strings.Trim(column[0].text, "`")))
			}
		}
		tokens = tokens[min(end+1, len(tokens)):]
	}
	before, settings := cutClause(tokens, "OPTIONS")
	before, clusters := cutClause(before, "CLUSTER")
	if len(clusters) > 1 {
		table.Clustering = &bigquery.Clustering{}
		for _, column := range splitAt(clusters[1:], ",") {
			table.Clustering.Fields = append(table.Clustering.Fields, strings.Trim(column[0].text, "`"))
		}
	}
	if _, by := cutClause(before, "PARTITION"); len(by) > 1 {
		partition(table, by[1:])
	}
	setOptions(table, settings)
	return s
}

// beforeQuery leaves out the AS before a query.
func beforeQuery(tokens []token) []token {
	if n := len(tokens); n > 0 && tokens[n-1].keyword() == "AS" {
		return tokens[:n-1]
	}
	return tokens
}

func textOf(tokens []token) string {
	var out strings.Builder
	for _, t := range tokens {
		out.WriteString(t.text)
	}
	return out.String()
}

// partition reads the expression of PARTITION BY.
func partition(table *bigquery.Table, by []token) {
	column := func(tokens []token) string {
		name := strings.Trim(tokens[0].text, "`")
		if strings.HasPrefix(strings.ToUpper(name), "_PARTITION") {
			return "" // by time of arrival
		}
		return name
	}
	unit := "DAY"
	if len(by) > 2 && isGroup(by[1:]) {
		arguments := splitAt(by[2:len(by)-1], ",")
		if len(arguments) == 2 && by[0].keyword() == "RANGE_BUCKET" {
			table.RangePartitioning = rangeOf(column(arguments[0]), arguments[1])
			return
		}
		if len(arguments) == 2 {
			unit = arguments[1][0].keyword()
		}
		by = arguments[0]
	}
	table.TimePartitioning = &bigquery.TimePartitioning{Type: unit, Field: column(by)}
}

// rangeOf reads GENERATE_ARRAY(start, end, interval).
func rangeOf(column string, array []token) *bigquery.RangePartitioning {
	if len(array) < 3 || !isGroup(array[1:]) {
		return nil
	}
	bounds := make([]int64, 0, 3)
	for _, bound := range splitAt(array[2:len(array)-1], ",") {
		n, _ := constant(bound)
		bounds = append(bounds, n.value)
	}
	if len(bounds) == 2 {
		bounds = append(bounds, 1)
	}
	if len(bounds) != 3 {
		return nil
	}
	return &bigquery.RangePartitioning{Field: column, Range: &bigquery.RangePartitioningRange{
		Start: bounds[0], End: bounds[1], Interval: bounds[2], ForceSendFields: []string{"Start"},
	}}
}

// exists says whether a statement's table is there before it runs.
func (r *runner) exists(ctx context.Context, project string, q query, s statement) bool {
	ref, ok := locate(project, q, s.path)
	if !ok {
		return false
	}
	answer, fault := r.emulator.call(ctx, http.MethodGet, "/"+tablePath(ref.ProjectId, ref.DatasetId, ref.TableId), nil)
	return fault == nil && answer.code == http.StatusOK
}

// madeBy is what CREATE says of the table that it makes, or the text of the view: the emulator knows that in its own
// dialect only.
func madeBy(s statement) *Made {
	if s.kind == "CREATE_VIEW" {
		made := &Made{Table: bigquery.Table{View: &bigquery.ViewDefinition{Query: s.body}}}
		_, settings := cutClause(beforeQuery(lex(s.options)), "OPTIONS")
		setOptions(&made.Table, settings)
		return made
	}
	return shapeOf(s.options)
}

// ddlOf writes the statement that makes a table or a view of the API, and gives the types of its columns the API's names.
func ddlOf(table *bigquery.Table) (string, *apiError) {
	ref := table.TableReference
	name := "`" + ref.ProjectId + "." + ref.DatasetId + "." + ref.TableId + "`"
	switch {
	case table.ExternalDataConfiguration != nil || table.MaterializedView != nil:
		return "", refused("external tables and materialized views")
	case table.View != nil:
		table.Schema = nil // the query says it
		if s := parseStatement(table.View.Query); s.kind != "SELECT" {
			return "", &apiError{http.StatusBadRequest, "invalidQuery", "the query of view " + ref.TableId + " is not one SELECT"}
		}
		return "CREATE VIEW " + name + " AS " + strings.TrimRight(plain(table.View.Query), "; \n\t"), nil
	case table.Schema == nil || len(table.Schema.Fields) == 0:
		return "", &apiError{http.StatusBadRequest, "invalid", "the local warehouse makes no table without columns: say its schema"}
	}
	columns := make([]string, len(table.Schema.Fields))
	for i, f := range table.Schema.Fields {
		columns[i] = "`" + f.Name + "` " + typeOf(f)
		if f.Mode == "REQUIRED" {
			columns[i] += " NOT NULL"
		}
	}
	nameTypes(table.Schema.Fields)
	return "CREATE TABLE " + name + " (" + strings.Join(columns, ", ") + ")", nil
}

// typeOf is a column's type in GoogleSQL.
func typeOf(f *bigquery.TableFieldSchema) string {
	kind := strings.ToUpper(f.Type)
	if name := typeNames[kind]; name != "" {
		kind = name
	}
	if kind == "STRUCT" {
		fields := make([]string, len(f.Fields))
		for i, inner := range f.Fields {
			fields[i] = "`" + inner.Name + "` " + typeOf(inner)
		}
		kind = "STRUCT<" + strings.Join(fields, ", ") + ">"
	}
	if f.Mode == "REPEATED" {
		kind = "ARRAY<" + kind + ">"
	}
	return kind
}

var nullFailure = regexp.MustCompile(`NOT NULL constraint failed: \S+\.(\S+)`)
