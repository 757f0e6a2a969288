package transform

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/functions/transform/project"
)

// Outcomes of a model.
const (
	created   = "created"   // made, or made anew because its definition changed
	replaced  = "replaced"  // its contents, or some partitions, were replaced
	unchanged = "unchanged" // nothing new to put into it
	failed    = "failed"
	skipped   = "skipped" // something it reads failed: it keeps its contents
)

// build brings one model up to date. moved tells whether a model that it
// reads changed since it was last built.
//
// A table's contents change in one transaction, so that readers, and a crash,
// see the old or the new contents. A table or view that does not fit the
// model's definition any more is made anew.
func (r *run) build(ctx context.Context, model *project.Model, moved bool) (string, error) {
	if model.Config.Materialized == project.View {
		return r.buildView(ctx, model)
	}
	fits, err := r.fits(ctx, model, shapeOf(model))
	if err != nil {
		return failed, err
	}
	compilation := project.Compilation{Vars: r.vars}
	if fits && model.Config.Materialized == project.Incremental {
		compilation.Incremental = true
		compilation.Query = func(sql string) ([]map[string]any, error) { return r.warehouse.query(ctx, sql) }
	}
	compiled, err := r.project.Compile(model, compilation)
	if err != nil {
		return failed, err
	}
	if !fits {
		return created, r.create(ctx, model, compiled)
	}
	if r.isCurrent(model, compiled, moved) {
		return unchanged, nil
	}
	if compilation.Incremental && compiled.Config.Partitions == "" {
		return unchanged, nil
	}
	if _, err := r.warehouse.query(ctx, replacement(r.project, model, compiled, compilation.Incremental)); err != nil {
		return failed, err
	}
	r.memory.compiled[model.Name] = compiled.SQL
	return replaced, nil
}

// isCurrent tells whether building would change nothing: the SQL is what it
// was at the last build and so is what it reads. Raw rows change without
// notice, so a model that reads them must have asked for them by run_query:
// the answers are part of its SQL.
func (r *run) isCurrent(model *project.Model, compiled *project.Compiled, moved bool) bool {
	if moved || readsSource(model) && !compiled.Asked {
		return false
	}
	return r.memory.compiled[model.Name] == compiled.SQL
}

// fits tells whether the model's relation exists as defined.
func (r *run) fits(ctx context.Context, model *project.Model, definition string) (bool, error) {
	if r.fullRefresh && model.Config.Materialized != project.View {
		return false, nil
	}
	if r.memory.definitions[model.Name] == definition {
		return true, nil
	}
	found, err := r.warehouse.look(ctx, model.Name)
	if err != nil {
		return false, err
	}
	if found.exists && found.isView == (model.Config.Materialized == project.View) && found.definition == definition {
		r.memory.definitions[model.Name] = definition
		return true, nil
	}
	return false, nil
}

func (r *run) buildView(ctx context.Context, model *project.Model) (string, error) {
	compiled, err := r.project.Compile(model, project.Compilation{Vars: r.vars})
	if err != nil {
		return failed, err
	}
	definition := project.Digest(compiled.SQL)
	fits, err := r.fits(ctx, model, definition)
	if err != nil {
		return failed, err
	}
	if fits {
		return unchanged, nil
	}
	statement := fmt.Sprintf("create or replace view %s as\n%s", r.project.Relation(model), compiled.SQL)
	if err := r.remake(ctx, model, statement, definition); err != nil {
		return failed, err
	}
	return created, nil
}

func (r *run) create(ctx context.Context, model *project.Model, compiled *project.Compiled) error {
	if err := r.remake(ctx, model, creation(r.project, model, compiled), shapeOf(model)); err != nil {
		return err
	}
	r.memory.compiled[model.Name] = compiled.SQL
	return nil
}

// remake creates or replaces a relation and notes its definition. After a
// crash in between it has no definition, and is made anew.
func (r *run) remake(ctx context.Context, model *project.Model, statement, definition string) error {
	found, err := r.warehouse.look(ctx, model.Name)
	if err != nil {
		return err
	}
	if found.exists && (r.warehouse.dropsFirst || !replaces(model, found)) {
		kind := "table"
		if found.isView {
			kind = "view"
		}
		if _, err := r.warehouse.query(ctx, fmt.Sprintf("drop %s if exists %s", kind, r.project.Relation(model))); err != nil {
			return err
		}
	}
	if _, err := r.warehouse.query(ctx, statement); err != nil {
		return err
	}
	if err := r.warehouse.describe(ctx, model, definition); err != nil {
		return err
	}
	r.memory.definitions[model.Name] = definition
	return nil
}

// replaces tells whether BigQuery lets the model's relation replace a stored
// one: a view a view, and a table a table with the same partitioning.
func replaces(m *project.Model, found stored) bool {
	if isView := m.Config.Materialized == project.View; isView || found.isView {
		return isView && found.isView
	}
	partitioned := ""
	if m.Config.PartitionBy != nil {
		partitioned = m.Config.PartitionBy.Field
	}
	return partitioned == found.partitioned
}

// creation is the statement that makes a model's table with its rows.
func creation(p *project.Project, model *project.Model, compiled *project.Compiled) string {
	var out strings.Builder
	fmt.Fprintf(&out, "create or replace table %s\n", p.Relation(model))
	if model.Config.PartitionBy != nil {
		fmt.Fprintf(&out, "partition by %s\n", model.Config.PartitionBy.Expression())
	}
	if len(model.Config.ClusterBy) > 0 {
		fmt.Fprintf(&out, "cluster by %s\n", strings.Join(model.Config.ClusterBy, ", "))
	}
	fmt.Fprintf(&out, "as\nselect %s\nfrom (\n%s\n)", columnList(model), strings.TrimSpace(compiled.SQL))
	return out.String()
}

// replacement is the script that replaces all of a table's rows, or those of
// the partitions that an incremental run has computed.
func replacement(p *project.Project, model *project.Model, compiled *project.Compiled, partly bool) string {
	condition := "true"
	if partly {
		condition = fmt.Sprintf("%s in (%s)", model.Config.PartitionBy.Expression(), compiled.Config.Partitions)
	}
	columns := columnList(model)
	return fmt.Sprintf("begin transaction;\n\ndelete from %[1]s where %[2]s;\n\ninsert into %[1]s (%[3]s)\nselect %[3]s\nfrom (\n%[4]s\n);\n\ncommit transaction;",
		p.Relation(model), condition, columns, strings.TrimSpace(compiled.SQL))
}

func columnList(m *project.Model) string {
	names := make([]string, len(m.Columns))
	for i, column := range m.Columns {
		names[i] = column.Name
	}
	return strings.Join(names, ", ")
}

// shapeOf describes what a stored table depends on besides its rows: a table
// of another shape is made anew.
func shapeOf(m *project.Model) string { return project.Digest(m.Layout(), m.Columns) }

func readsSource(m *project.Model) bool {
	return slices.ContainsFunc(m.Reads, func(id string) bool { return strings.HasPrefix(id, project.TypeSource+".") })
}
