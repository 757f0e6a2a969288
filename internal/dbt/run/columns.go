package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// What becomes of an incremental model's table when its SQL gives other columns
// than the table has.

// settle decides by on_schema_change which columns a table has from now on, and
// which of them an incremental run writes: as dbt does.
func settle(onChange string, stored, given []project.Column) (columns, written []project.Column, err error) {
	added, gone := without(given, stored), without(stored, given)
	var retyped []project.Column
	for _, column := range given {
		if at := indexOf(stored, column.Name); at >= 0 && !sameType(stored[at].Type, column.Type) {
			retyped = append(retyped, column)
		}
	}
	if len(added)+len(gone)+len(retyped) == 0 || onChange == project.IgnoreChange {
		return stored, stored, nil
	}
	if onChange == project.FailOnChange {
		return nil, nil, fmt.Errorf("on_schema_change is fail, and the columns changed: new are [%s], gone are [%s], of another type are [%s]: "+
			"run with --full-refresh to build the table again", nameList(added), nameList(gone), nameList(retyped))
	}
	for _, column := range retyped {
		if strings.Contains(column.Type, "struct<") {
			return nil, nil, fmt.Errorf("the column %s has other fields than the table's: fields of a struct are not added or dropped here: "+
				"run with --full-refresh to build the table again", column.Name)
		}
	}
	columns = slices.Clone(stored)
	if onChange == project.SyncAll {
		columns = slices.DeleteFunc(columns, func(c project.Column) bool { return indexOf(gone, c.Name) >= 0 })
		for _, column := range retyped {
			columns[indexOf(columns, column.Name)].Type = column.Type
		}
	}
	return append(columns, added...), given, nil
}

// fitColumns has a model's table get the columns that it needs for what the SQL
// gives, by change where they differ. It returns the model as it is stored
// then, and the columns that the SQL writes.
func (r *run) fitColumns(ctx context.Context, model *project.Model, table string, given []project.Column,
	change func(ctx context.Context, as *project.Model, stored []project.Column) error,
) (as *project.Model, written []project.Column, err error) {
	if as = withColumns(model, given); r.stored(table).definition == definitionOf(as) {
		return as, given, nil
	}
	stored, err := r.warehouse.columns(ctx, table)
	if err != nil {
		return nil, nil, err
	}
	columns, written, err := settle(model.Config.OnSchemaChange, stored, given)
	if err != nil {
		return nil, nil, err
	}
	as = withColumns(model, columns)
	if slices.Equal(columns, stored) {
		return as, written, nil
	}
	return as, written, change(ctx, as, stored)
}

// recolumn gives the table with a model's next contents other columns, by
// making it again from itself, through a spare one: every warehouse can do that.
func (r *run) recolumn(ctx context.Context, model *project.Model, stored []project.Column) error {
	spare := r.beside(model, widerSuffix)
	steps := []struct {
		of            *project.Model
		table, source string
	}{
		{unfiltered(model), spare, "select " + selection(stored, model.Columns) + " from " + entire(model, r.project.RelationOf(r.nextOf(model)))},
		{model, r.nextOf(model), "select * from " + r.project.RelationOf(spare)},
	}
	for _, step := range steps {
		statement := creation(r.project.RelationOf(step.table), model, step.source)
		if err := r.create(ctx, making{
			model: step.of, table: step.table, statement: statement, definition: definitionOf(model), ends: r.stored(r.nextOf(model)).ends,
		}); err != nil {
			return err
		}
	}
	return r.send(ctx, "drop table if exists "+r.project.RelationOf(spare))
}

// selection are expressions for a table's columns out of those that there are:
// one that is not there is NULL, one of another type is cast.
func selection(there, wanted []project.Column) string {
	values := make([]string, len(wanted))
	for i, column := range wanted {
		switch at := indexOf(there, column.Name); {
		case at < 0:
			values[i] = fmt.Sprintf("cast(null as %s) as %s", column.Type, quoted(column.Name))
		case sameType(there[at].Type, column.Type):
			values[i] = quoted(column.Name)
		default:
			values[i] = fmt.Sprintf("cast(%[1]s as %[2]s) as %[1]s", quoted(column.Name), column.Type)
		}
	}
	return strings.Join(values, ", ")
}

// completed is SQL that gives all columns of a table, those that are not written
// as NULL.
func completed(sql string, columns, written []project.Column) string {
	if len(without(columns, written)) == 0 {
		return sql
	}
	there := slices.Clone(columns)
	there = slices.DeleteFunc(there, func(c project.Column) bool { return indexOf(written, c.Name) < 0 })
	return "select " + selection(there, columns) + "\nfrom (\n" + strings.TrimSpace(sql) + "\n)"
}

// without returns the columns whose names others lack.
func without(columns, others []project.Column) []project.Column {
	return slices.DeleteFunc(slices.Clone(columns), func(c project.Column) bool { return indexOf(others, c.Name) >= 0 })
}

// indexOf is the place of a column, whose name has no case; -1 for none.
func indexOf(columns []project.Column, name string) int {
	return slices.IndexFunc(columns, func(c project.Column) bool { return strings.EqualFold(c.Name, name) })
}

func quoted(name string) string { return "`" + name + "`" }

// columnList are columns as a statement names them, nameList as a message does.
func columnList(columns []project.Column) string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = quoted(column.Name)
	}
	return strings.Join(names, ", ")
}

func nameList(columns []project.Column) string {
	return strings.ReplaceAll(columnList(columns), "`", "")
}

// unfiltered is a model whose table may be read without a filter: one that only
// the runner reads.
func unfiltered(model *project.Model) *project.Model {
	as := *model
	as.Config.Options.RequireFilter = false
	return &as
}
