// Package unit runs dbt's unit tests: a model over rows that its yml file gives,
// in place of what it reads, must give the rows that it expects, in any order.
//
// One query has both, those that the model gives and those that it should; no
// table is made or changed.
package unit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A Warehouse is what the tests are run on.
type Warehouse struct {
	// Compilation has the rows of the models' relations, and asks for them.
	Compilation project.Compilation
	// Columns are those that a query gives, without running it.
	Columns func(ctx context.Context, sql string) ([]project.Column, error)
}

// A Result is what a test came to.
type Result struct {
	project.Text        // the query, or of one that could not be made the model's part
	Diff         string // what is missing and what is too much; "" for nothing
}

// Run runs a test. The error says why it could not be run.
func Run(ctx context.Context, p *project.Project, test *project.UnitTest, w Warehouse) (Result, error) {
	r := &running{project: p, test: test, w: w}
	actual, err := r.actual()
	if err != nil {
		return Result{}, err
	}
	result := Result{Text: actual}
	given, err := w.Columns(ctx, actual.SQL)
	if err != nil {
		return result, err
	}
	columns, expected, err := r.expected(given)
	if err != nil {
		return result, err
	}
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = "`" + column.Name + "`"
	}
	list := strings.Join(names, ", ")
	result.Text = actual.Within(
		fmt.Sprintf("with dbt_internal_unit_test_actual as (\nselect %s, 'actual' as actual_or_expected\nfrom (\n", list),
		fmt.Sprintf("\n) as given\n),\ndbt_internal_unit_test_expected as (\nselect %s, 'expected' as actual_or_expected\nfrom (\n%s\n) as wanted\n)\n"+
			"select * from dbt_internal_unit_test_actual\nunion all\nselect * from dbt_internal_unit_test_expected", list, expected))
	rows, err := w.Compilation.Query(result.SQL)
	if err == nil {
		result.Diff = difference(columns, rows)
	}
	return result, err
}

// running is one test.
type running struct {
	project *project.Project
	test    *project.UnitTest
	w       Warehouse
}

// compilation has the model read the inputs, and the overrides.
func (r *running) compilation(inputs map[string]string) project.Compilation {
	c := r.w.Compilation
	c.Relation, c.Incremental, c.Inputs = nil, false, inputs
	c.Vars = map[string]any{}
	maps.Copy(c.Vars, r.w.Compilation.Vars)
	if overrides := r.test.Overrides; overrides != nil {
		c.Macros, c.Env = fieldsOf(overrides, "macros"), fieldsOf(overrides, "env_vars")
		maps.Copy(c.Vars, fieldsOf(overrides, "vars"))
	}
	return c
}

func fieldsOf(dict *jinja.Dict, name string) map[string]any {
	value, _ := dict.Get(name)
	fields := map[string]any{}
	if inner, ok := value.(*jinja.Dict); ok {
		for _, key := range inner.Keys() {
			if text, ok := key.(string); ok {
				fields[text], _ = inner.Get(key)
			}
		}
	}
	return fields
}

// actual is the query of what the model gives of the inputs.
func (r *running) actual() (project.Text, error) {
	inputs, ids, rows := map[string]string{}, []string{}, map[string]*jinja.Dict{}
	for _, item := range r.test.Given.Items {
		given := item.(*jinja.Dict)
		name, _ := given.Get("input")
		text, _ := name.(string)
		id, err := r.project.InputOf(r.test, text)
		if err != nil {
			return project.Text{}, fmt.Errorf("the input %s: %w", text, err)
		}
		if _, twice := inputs[id]; twice {
			return project.Text{}, fmt.Errorf("the input %s comes twice", text)
		}
		inputs[id] = fmt.Sprintf("__dbt__cte__%d__%s", len(ids), project.NameOf(id))
		ids, rows[id] = append(ids, id), given
	}
	compiled, err := r.project.Compile(r.project.Model(r.test.Model), r.compilation(inputs))
	if err != nil {
		return project.Text{}, err
	}
	if len(ids) == 0 {
		return compiled.Text, nil
	}
	parts := make([]project.Text, len(ids))
	for i, id := range ids {
		sql, err := r.fixture(id, rows[id])
		if err != nil {
			return project.Text{}, err
		}
		parts[i] = project.Text{SQL: " " + inputs[id] + " as (\n" + sql + "\n)"}
	}
	return compiled.WithTables(parts), nil
}

// fixture is the query of an input's rows. Their types are those of the columns of
// what it stands for, which must be there.
func (r *running) fixture(id string, of *jinja.Dict) (string, error) {
	rows, _ := of.Get("rows")
	if sql, isText := rows.(string); isText {
		return sql, nil
	}
	name := project.NameOf(id)
	columns, err := r.columnsOf(id)
	if err != nil {
		return "", err
	}
	if len(columns) == 0 {
		return "", fmt.Errorf("the columns of %s are not known, because it is not there: build it first, or write the rows as SQL", name)
	}
	return r.rows(rows.(*jinja.List), columns, "'"+name+"'", true)
}

// columnsOf are the columns of a relation; none where it is not there.
func (r *running) columnsOf(id string) ([]project.Column, error) {
	relation := ""
	if source := r.project.Source(id); source != nil {
		relation = source.Relation
	} else {
		model := r.project.Model(project.NameOf(id))
		relation = r.w.Compilation.Read(r.project, model)
	}
	at := project.ParseRelation(relation)
	if at.Schema == "" {
		return nil, nil
	}
	found, err := r.w.Compilation.Query(fmt.Sprintf(
		"select column_name, data_type from `%s`.`%s`.INFORMATION_SCHEMA.COLUMNS where table_name = '%s' order by ordinal_position", at.Database, at.Schema, at.Identifier))
	var columns []project.Column
	for _, row := range found {
		column := project.Column{}
		column.Name, _ = row["column_name"].(string)
		column.Type, _ = row["data_type"].(string)
		columns = append(columns, column)
	}
	return columns, err
}

// expected are the columns that are compared, and the query of the rows that
// they should have.
func (r *running) expected(given []project.Column) ([]project.Column, string, error) {
	rows, _ := r.test.Expect.Get("rows")
	if sql, isText := rows.(string); isText {
		return given, sql, nil
	}
	list := rows.(*jinja.List)
	if len(list.Items) == 0 {
		return given, "select * from dbt_internal_unit_test_actual limit 0", nil
	}
	var compared []project.Column
	for _, key := range list.Items[0].(*jinja.Dict).Keys() {
		name, _ := key.(string)
		at := slices.IndexFunc(given, func(c project.Column) bool { return strings.EqualFold(c.Name, name) })
		if at < 0 {
			return nil, "", invalid(name, "expected output", given)
		}
		compared = append(compared, given[at])
	}
	sql, err := r.rows(list, given, "expected output", false)
	return compared, sql, err
}

func invalid(name, of string, columns []project.Column) error {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = "'" + strings.ToLower(column.Name) + "'"
	}
	return fmt.Errorf("invalid column name: '%s' in unit test fixture for %s; accepted columns are [%s]", name, of, strings.Join(names, ", "))
}

// rowTemplate is dbt's form of one value, of its type.
const rowTemplate = `{% if value is string %}{% set value = dbt.string_literal(dbt.escape_single_quotes(value)) %}{% elif value is none %}{% set value = 'null' %}{% endif %}{{ safe_cast(value, type) }}`

// rows is the query of rows. Columns that a row does not have are NULL where
// there is a place for all.
func (r *running) rows(list *jinja.List, columns []project.Column, of string, all bool) (string, error) {
	var queries []string
	for _, item := range list.Items {
		row, ok := item.(*jinja.Dict)
		if !ok {
			return "", fmt.Errorf("a row of %s is no dict", of)
		}
		values := make([]string, len(columns))
		for _, key := range row.Keys() {
			name := fmt.Sprint(key)
			at := slices.IndexFunc(columns, func(c project.Column) bool { return strings.EqualFold(c.Name, name) })
			if at < 0 {
				return "", invalid(name, of, columns)
			}
			value, _ := row.Get(key)
			text, err := r.project.RenderUnit(r.test, rowTemplate, map[string]jinja.Value{"value": value, "type": columns[at].Type}, r.w.Compilation)
			if err != nil {
				return "", err
			}
			values[at] = strings.TrimSpace(text)
		}
		queries = append(queries, selection(columns, values, all))
	}
	if len(queries) == 0 {
		return selection(columns, make([]string, len(columns)), true) + "\nlimit 0", nil
	}
	return strings.Join(queries, "\nunion all\n"), nil
}

func selection(columns []project.Column, values []string, all bool) string {
	var parts []string
	for i, column := range columns {
		if values[i] == "" && !all {
			continue
		}
		if values[i] == "" {
			values[i] = "safe_cast(null as " + column.Type + ")"
		}
		parts = append(parts, values[i]+" as `"+column.Name+"`")
	}
	return "select " + strings.Join(parts, ", ")
}

// difference lists the rows that are in one of the two and not in the other, as
// dbt marks them; "" for none.
func difference(columns []project.Column, rows []map[string]any) string {
	count, texts := map[string]int{}, map[string]bool{}
	for _, row := range rows {
		cells := make([]string, len(columns))
		for i, column := range columns {
			cells[i] = "NULL"
			if value := row[column.Name]; value != nil {
				cells[i] = fmt.Sprint(value)
			}
		}
		text := strings.Join(cells, ",")
		texts[text] = true
		if row["actual_or_expected"] == "actual" {
			count[text]++
		} else {
			count[text]--
		}
	}
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = strings.ToLower(column.Name)
	}
	out := ""
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		out += strings.Repeat("+++,"+text+"\n", max(0, count[text])) + strings.Repeat("---,"+text+"\n", max(0, -count[text]))
	}
	if out == "" {
		return ""
	}
	return "actual differs from expected:\n\n@@ ," + strings.Join(names, ",") + "\n" + out
}
