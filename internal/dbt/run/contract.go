package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// given returns the columns that a model's table has when it is made from this
// SQL. Those of a model that declares them are checked, where the SQL is new
// since the last run or the table is; else the warehouse is asked, free of
// charge.
//
// A contract is dbt's: the same names with the same types, in any order, for
// the table has the declared one. The case of names is nobody's mistake, as
// BigQuery ignores it; dbt's contracts do not.
func (r *run) given(ctx context.Context, model *project.Model, sql string, isNew bool) ([]project.Column, error) {
	declares := model.DeclaresColumns()
	if model.Type == project.TypeSeed || declares && !isNew && r.known.Models[model.Name].SQL == r.plan.digests[model.Name] {
		return model.Columns, nil
	}
	given, err := r.warehouse.columnsOf(ctx, sql)
	if err != nil || !declares {
		return given, err
	}
	return model.Columns, differences(model, given, model.Config.Contract)
}

// withColumns is a model as it is stored with these columns.
func withColumns(model *project.Model, columns []project.Column) *project.Model {
	as := *model
	as.Columns = columns
	return &as
}

func differences(model *project.Model, given []project.Column, contract bool) error {
	find := func(columns []project.Column, name string) int {
		return slices.IndexFunc(columns, func(c project.Column) bool { return strings.EqualFold(c.Name, name) })
	}
	var found []error
	for _, declared := range model.Columns {
		at := find(given, declared.Name)
		switch {
		case !contract:
		case at < 0:
			found = append(found, fmt.Errorf("the contract has a column %s, and the SQL gives none of this name", declared.Name))
		case canonical(given[at].Type) != canonical(declared.Type):
			found = append(found, fmt.Errorf("the contract says that column %s is %s, and the SQL gives %s", declared.Name, declared.Type, given[at].Type))
		}
	}
	for _, column := range given {
		if find(model.Columns, column.Name) < 0 {
			found = append(found, fmt.Errorf("the SQL gives a column %s %s that the yml file does not declare", column.Name, column.Type))
		}
	}
	return errors.Join(found...)
}

// ColumnsOf returns the columns that a query gives, without running it.
func (r *Runner) ColumnsOf(ctx context.Context, sql string) ([]project.Column, error) {
	return r.warehouse.columnsOf(ctx, sql)
}

// columnsOf returns the columns that a query gives, without running it.
func (w *warehouse) columnsOf(ctx context.Context, sql string) ([]project.Column, error) {
	job, err := w.dryRun(ctx, "select *\nfrom (\n"+strings.TrimSpace(sql)+"\n)\nlimit 0")
	if err != nil {
		return nil, err
	}
	details, ok := job.Statistics.Details.(*bigquery.QueryStatistics)
	if !ok {
		return nil, errors.New("BigQuery gave no columns for the SQL")
	}
	return columnsIn(details.Schema), nil
}

// canonical is a type's usual name, without the fields of a struct or the
// precision of a number.
func canonical(name string) string {
	if inner, ok := strings.CutPrefix(name, "array<"); ok {
		return "array<" + canonical(strings.TrimSuffix(inner, ">")) + ">"
	}
	if strings.HasPrefix(name, "struct<") {
		return "struct"
	}
	name, _, _ = strings.Cut(name, "(")
	return cmp.Or(usualNames[name], name)
}

var usualNames = map[string]string{
	"integer": "int64", "int": "int64", "bigint": "int64", "smallint": "int64", "tinyint": "int64", "byteint": "int64",
	"float": "float64", "boolean": "bool", "decimal": "numeric", "bigdecimal": "bignumeric",
	"text": "string", // dbt's own alias
}

// sameType reports whether two types are one, with all fields of a struct.
func sameType(one, other string) bool { return one == other || plainType(one) == plainType(other) }

var (
	precision = regexp.MustCompile(`\([\d, ]*\)`)
	typeWord  = regexp.MustCompile(`[a-z0-9_]+`)
	spaces    = regexp.MustCompile(` *([<>,]) *`)
)

func plainType(name string) string {
	name = precision.ReplaceAllString(strings.ReplaceAll(strings.ToLower(name), "`", ""), "")
	name = typeWord.ReplaceAllStringFunc(name, func(word string) string { return cmp.Or(usualNames[word], word) })
	return spaces.ReplaceAllString(name, "$1")
}
