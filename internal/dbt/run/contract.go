package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// checkColumns compares the columns that a model's SQL gives with those its
// yml file declares, before rows are made. It asks the warehouse once, free of
// charge, where the SQL is new since the last run or the table is.
//
// A contract is dbt's: the same names with the same types, in any order, for
// the table has the declared one. Without a contract a table still has the
// declared columns only, so one that is not declared is an error: dbt would
// store it. The case of names is nobody's mistake, as BigQuery ignores it;
// dbt's contracts do not.
func (r *run) checkColumns(ctx context.Context, model *project.Model, sql string, isNew bool) error {
	contract := model.Config.Contract
	switch {
	case model.Type == project.TypeSeed:
		return nil
	case !contract && !isNew && model.Config.Materialized == project.Incremental && model.Config.OnSchemaChange == project.IgnoreChange:
		return nil
	case !isNew && r.known.Models[model.Name].SQL == r.plan.digests[model.Name]:
		return nil
	}
	given, err := r.warehouse.columnsOf(ctx, sql)
	if err != nil {
		return err
	}
	if !contract && !model.Stored() {
		return nil // a view has what its SQL gives
	}
	return differences(model, given, contract)
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
		case given[at].Type != canonical(declared.Type):
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
	columns := make([]project.Column, len(details.Schema))
	for i, field := range details.Schema {
		columns[i] = project.Column{Name: field.Name, Type: typeName(field)}
	}
	return columns, nil
}

// canonical is a type's usual name, without the fields of a struct or the
// precision of a number, as BigQuery's metadata have it.
func canonical(name string) string {
	if inner, ok := strings.CutPrefix(name, "array<"); ok {
		return "array<" + canonical(strings.TrimSuffix(inner, ">")) + ">"
	}
	if strings.HasPrefix(name, "struct<") {
		return "struct"
	}
	name, _, _ = strings.Cut(name, "(")
	names := map[string]string{
		"integer": "int64", "int": "int64", "bigint": "int64", "smallint": "int64", "tinyint": "int64", "byteint": "int64",
		"float": "float64", "boolean": "bool", "decimal": "numeric", "bigdecimal": "bignumeric",
		"text": "string", // dbt's own alias
	}
	if usual, ok := names[name]; ok {
		return usual
	}
	return name
}
