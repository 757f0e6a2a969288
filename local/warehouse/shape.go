package warehouse

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// shape is what a CREATE TABLE says of its table that the emulator forgets.
type shape struct {
	Time     *bigquery.TimePartitioning  `json:"timePartitioning,omitempty"`
	Range    *bigquery.RangePartitioning `json:"rangePartitioning,omitempty"`
	Clusters *bigquery.Clustering        `json:"clustering,omitempty"`
	Schema   *bigquery.TableSchema       `json:"schema,omitempty"`
	View     *bigquery.ViewDefinition    `json:"view,omitempty"`
	required []string                    // lower-case names of NOT NULL columns
}

// shapeOf reads what follows the table's name in CREATE TABLE.
func shapeOf(options string) shape {
	var s shape
	tokens := lex(options)
	if len(tokens) > 0 && tokens[0].text == "(" {
		end := closing(tokens, 0)
		for _, column := range splitAt(tokens[1:end], ",") {
			if null := splitAt(column, "NULL"); len(null) > 0 && len(column) > 2 && null[0][len(null[0])-1].keyword() == "NOT" {
				s.required = append(s.required, strings.ToLower(strings.Trim(column[0].text, "`")))
			}
		}
		tokens = tokens[min(end+1, len(tokens)):]
	}
	before, settings := cutClause(tokens, "OPTIONS")
	before, clusters := cutClause(before, "CLUSTER")
	if len(clusters) > 1 {
		s.Clusters = &bigquery.Clustering{}
		for _, column := range splitAt(clusters[1:], ",") {
			s.Clusters.Fields = append(s.Clusters.Fields, strings.Trim(column[0].text, "`"))
		}
	}
	if _, by := cutClause(before, "PARTITION"); len(by) > 1 {
		s.partition(by[1:])
	}
	if s.Time != nil && len(settings) > 0 && isGroup(settings) {
		for _, setting := range splitAt(settings[1:len(settings)-1], ",") {
			if pair := splitAt(setting, "="); len(pair) == 2 && strings.EqualFold(pair[0][0].text, "partition_expiration_days") {
				days, _ := strconv.ParseFloat(textOf(pair[1]), 64)
				s.Time.ExpirationMs = int64(days * 86_400_000)
			} else if len(pair) == 2 && strings.EqualFold(pair[0][0].text, "require_partition_filter") {
				s.Time.RequirePartitionFilter = strings.EqualFold(pair[1][0].text, "true")
			}
		}
	}
	return s
}

func textOf(tokens []token) string {
	var out strings.Builder
	for _, t := range tokens {
		out.WriteString(t.text)
	}
	return out.String()
}

// partition reads the expression of PARTITION BY.
func (s *shape) partition(by []token) {
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
			s.Range = rangeOf(column(arguments[0]), arguments[1])
			return
		}
		if len(arguments) == 2 {
			unit = arguments[1][0].keyword()
		}
		by = arguments[0]
	}
	s.Time = &bigquery.TimePartitioning{Type: unit, Field: column(by)}
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

// describe tells the emulator what CREATE said of the table that it has made, or the text of the view: it knows that in
// its own dialect only.
func (r *runner) describe(ctx context.Context, project string, q query, s statement) *apiError {
	is := shapeOf(s.options)
	if s.kind == "CREATE_VIEW" {
		is = shape{View: &bigquery.ViewDefinition{Query: s.body, ForceSendFields: []string{"UseLegacySql"}}}
	}
	ref, ok := locate(project, q, s.path)
	if !ok || is.View == nil && is.Time == nil && is.Range == nil && is.Clusters == nil && len(is.required) == 0 {
		return nil
	}
	path := "/" + tablePath(ref.ProjectId, ref.DatasetId, ref.TableId)
	if len(is.required) > 0 {
		answer, fault := r.emulator.call(ctx, http.MethodGet, path, nil)
		var table bigquery.Table
		if fault != nil || json.Unmarshal(answer.body, &table) != nil || table.Schema == nil {
			return fault
		}
		for _, field := range table.Schema.Fields {
			for _, name := range is.required {
				if strings.EqualFold(field.Name, name) {
					field.Mode = "REQUIRED"
				}
			}
		}
		nameTypes(table.Schema.Fields)
		is.Schema = table.Schema
	}
	answer, fault := r.emulator.call(ctx, http.MethodPatch, path, is)
	if fault == nil && answer.code != http.StatusOK {
		fault = faultOf(answer.code, answer.body, "invalid")
	}
	return fault
}

// ddlOf writes CREATE TABLE for a table of the API that has required columns: the emulator itself would let them be
// NULL.
func ddlOf(table *bigquery.Table) string {
	ref := table.TableReference
	columns := make([]string, len(table.Schema.Fields))
	for i, f := range table.Schema.Fields {
		columns[i] = "`" + f.Name + "` " + typeOf(f)
		if f.Mode == "REQUIRED" {
			columns[i] += " NOT NULL"
		}
	}
	return "CREATE TABLE `" + ref.ProjectId + "." + ref.DatasetId + "." + ref.TableId + "` (" + strings.Join(columns, ", ") + ")"
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

func hasRequired(table *bigquery.Table) bool {
	if table.Schema == nil || table.View != nil || table.TableReference == nil {
		return false
	}
	for _, f := range table.Schema.Fields {
		if f.Mode == "REQUIRED" {
			return true
		}
	}
	return false
}

var nullFailure = regexp.MustCompile(`NOT NULL constraint failed: \S+\.(\S+)`)
