package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/tracing"
)

// Outcomes of a model.
const (
	created   = "created"   // made, or made again because its definition changed
	replaced  = "replaced"  // its contents, or some partitions, were replaced
	unchanged = "unchanged" // nothing new to put into it
	failed    = "failed"
	skipped   = "skipped" // something it reads failed: it keeps its contents
	held      = "held"    // built, but a test failed: it keeps its published contents
)

// definitionOf is the definition of a model's relation: of a table its layout
// and its columns, of a view its SQL.
func definitionOf(model *project.Model, sql string) string {
	if !model.Stored() {
		return project.Digest(project.View, sql)
	}
	columns := make([]string, len(model.Columns))
	for i, column := range model.Columns {
		columns[i] = column.Name + " " + column.Type
	}
	return project.Digest(model.Layout())[:30] + "-" + project.Digest(columns)[:30]
}

// A building is what became of a model's next contents.
type building struct {
	status  string
	sql     string         // compiled, as it was sent
	touched string         // partitions that changed, as literals, or everything
	merged  bool           // the new rows are in run.newOf
	model   *project.Model // as it is stored
	err     error
}

func (b building) changed() bool { return b.status == created || b.status == replaced }

// build brings a model's next contents up to date. Its published ones stay as
// they are.
func (r *run) build(ctx context.Context, model *project.Model) (done building) {
	ctx, span := tracing.Begin(ctx, "model "+model.Name)
	defer func() { r.describe(span, model, done) }()
	if model.Config.Materialized == project.View {
		return r.buildView(ctx, model)
	}
	if r.overwrites(model) {
		return r.overwrite(ctx, model)
	}
	relation := r.project.RelationOf(r.nextOf(model))
	declared := model
	keeps, model, err := r.keeps(ctx, model)
	if err != nil {
		return building{status: failed, err: err}
	}
	compilation := r.compilation(ctx)
	compilation.Incremental = keeps && model.Config.Materialized == project.Incremental
	compiled, err := r.project.Compile(model, compilation)
	if err != nil {
		return building{status: failed, err: err}
	}
	if err := r.checkColumns(ctx, declared, compiled.SQL, !keeps); err != nil {
		return building{status: failed, sql: compiled.SQL, err: err}
	}
	done = building{status: replaced, sql: compiled.SQL, touched: everything, model: model}
	switch {
	case !keeps:
		done.status = created
		done.err = r.createRelation(ctx, r.nextOf(model), false, partitionOf(model), creation(relation, model, compiled.SQL), model.Description, definitionOf(model, ""))
	case !compilation.Incremental:
		done.err = r.send(ctx, replacement(relation, model, compiled.SQL, everything))
	case model.Config.Strategy == project.Merge:
		done.merged = true
		done.err = r.merge(ctx, model, compiled.SQL)
	default:
		if done.touched, done.err = r.partitions(ctx, model, compiled); done.err == nil {
			switch {
			case done.touched != "":
				done.err = r.send(ctx, replacement(relation, model, inside(model, compiled.SQL, done.touched), done.touched))
			case r.moved[model.Name]:
				done.touched = everything // nothing new, and yet all of it is published again
			default:
				return building{status: unchanged, sql: compiled.SQL, model: model}
			}
		}
	}
	if done.err != nil {
		done.status = failed
	}
	return done
}

// isRead reports whether another model or a test of this run reads the model: a
// view that nothing reads needs no next contents, only a look at its SQL.
func (r *run) isRead(model *project.Model) bool {
	reads := func(ids []string) bool { return slices.Contains(ids, model.ID) }
	return slices.ContainsFunc(r.project.Models, func(m *project.Model) bool { return reads(m.Reads) }) ||
		slices.ContainsFunc(r.project.Tests, func(t *project.Test) bool { return r.tests(t) && reads(t.Reads) })
}

func (r *run) send(ctx context.Context, statement string) error {
	_, err := r.warehouse.query(ctx, statement)
	return err
}

// compilation has the models of this run read each other's next contents, and
// all others as they are published.
func (r *run) compilation(ctx context.Context) project.Compilation {
	return project.Compilation{
		Vars: r.vars, FullRefresh: r.options.FullRefresh,
		Query:    func(sql string) ([]map[string]any, error) { return r.warehouse.query(ctx, sql) },
		Relation: r.relation,
	}
}

func (r *run) relation(model *project.Model) string {
	if r.building[model.Name] {
		return r.project.RelationOf(r.nextOf(model))
	}
	return r.project.Relation(model)
}

// partitions are those that an incremental run replaces: the model's own
// answer, or else those it has rows of.
func (r *run) partitions(ctx context.Context, model *project.Model, compiled *project.Compiled) (string, error) {
	if model.Config.KnowsPartitions {
		return compiled.Config.Partitions, nil
	}
	rows, err := r.warehouse.query(ctx, partitionsOf(model, compiled.SQL))
	if err != nil || len(rows) != 1 {
		return "", err
	}
	text, _ := rows[0]["partitions"].(string)
	return text, nil
}

// merge puts the new rows beside the table and merges them in.
func (r *run) merge(ctx context.Context, model *project.Model, sql string) error {
	newRows := r.project.RelationOf(r.newOf(model))
	if r.stored(r.newOf(model)).definition != definitionOf(model, "") {
		if err := r.createRelation(ctx, r.newOf(model), false, partitionOf(model), creation(newRows, model, sql), "New rows of "+model.Name+".", definitionOf(model, "")); err != nil {
			return err
		}
	} else if err := r.send(ctx, replacement(newRows, model, sql, everything)); err != nil {
		return err
	}
	return r.send(ctx, merging(r.project.RelationOf(r.nextOf(model)), newRows, model))
}

func (r *run) stored(table string) stored {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.relations[table]
}

// keeps reports whether the table with the next contents can be kept, and makes
// it fit where that takes no new rows. It returns the model as it is to be
// stored.
func (r *run) keeps(ctx context.Context, model *project.Model) (bool, *project.Model, error) {
	if refresh := model.Config.FullRefresh; refresh != nil && *refresh || refresh == nil && r.options.FullRefresh {
		return false, model, nil
	}
	found, want := r.stored(r.nextOf(model)).definition, definitionOf(model, "")
	layout, _, _ := strings.Cut(want, "-")
	published := r.stored(model.Table()).definition
	if (found == "" || r.doubtful(model)) && strings.HasPrefix(published, layout+"-") && model.Config.Materialized == project.Incremental {
		copied, err := r.copyPublished(ctx, model, published)
		if err != nil {
			return false, model, err
		}
		if copied {
			found = published
		}
	}
	if found == "" && published == "" && model.Config.Materialized == project.Incremental {
		fits, err := r.fits(ctx, model)
		if err != nil {
			return false, model, err
		}
		if fits {
			copied, err := r.copyPublished(ctx, model, want)
			return copied, model, err
		}
	}
	switch {
	case found == want:
		return true, model, nil
	case model.Config.Materialized != project.Incremental:
		return false, model, nil
	case !strings.HasPrefix(found, layout+"-"):
		return false, model, r.mayBeMadeAgain(ctx, model)
	}
	model, err := r.changeColumns(ctx, model)
	return true, model, err
}

// doubtful reports whether new rows must not be merged into what an earlier run
// left: it may have added them already.
func (r *run) doubtful(model *project.Model) bool {
	return model.Config.Materialized == project.Incremental && model.Config.Strategy == project.Merge &&
		(r.lease.interrupted || r.known.Models[model.Name].Pending)
}

// copyPublished makes the next contents of what is published, as it is defined: the
// history may reach back further than staging does. A table without rows may
// be one that no run has filled yet; there is nothing to copy then.
func (r *run) copyPublished(ctx context.Context, model *project.Model, definition string) (bool, error) {
	relation := r.project.Relation(model)
	rows, err := r.warehouse.query(ctx, "select count(*) as n from "+relation)
	if err != nil || len(rows) != 1 || rows[0]["n"] == int64(0) {
		return false, err
	}
	columns, err := r.warehouse.columns(ctx, model.Table())
	if err != nil {
		return false, err
	}
	as := *model
	as.Columns = columns
	statement := creation(r.project.RelationOf(r.nextOf(model)), &as, "select * from "+relation)
	return true, r.createRelation(ctx, r.nextOf(model), false, partitionOf(model), statement, model.Description, definition)
}

// changeColumns does what on_schema_change says, and returns the model with
// the columns that it then has.
func (r *run) changeColumns(ctx context.Context, model *project.Model) (*project.Model, error) {
	as, added, err := r.changedColumns(ctx, model, r.nextOf(model))
	if err != nil || len(added) == 0 {
		return as, err
	}
	return as, r.widen(ctx, as, added)
}

// changedColumns decides by on_schema_change which columns a model is stored
// with, and which of them its table lacks.
func (r *run) changedColumns(ctx context.Context, model *project.Model, table string) (as *project.Model, added []project.Column, err error) {
	columns, err := r.warehouse.columns(ctx, table)
	if err != nil {
		return nil, nil, err
	}
	added, gone := without(model.Columns, columns), without(columns, model.Columns)
	switch model.Config.OnSchemaChange {
	case project.IgnoreChange:
		changed := *model
		changed.Columns = columns
		return &changed, nil, nil
	case project.FailOnChange:
		return nil, nil, fmt.Errorf("on_schema_change is fail, and the columns changed: new are [%s], gone are [%s]: run with --full-refresh to build the table again",
			columnList(added), columnList(gone))
	}
	if len(gone) > 0 {
		return nil, nil, fmt.Errorf("on_schema_change is append_new_columns, and the model has no column [%s] any more: declare and select it, if only as NULL", columnList(gone))
	}
	return model, added, nil
}

// widen appends columns by making the table again from itself, through a
// spare one: every warehouse can do that.
func (r *run) widen(ctx context.Context, model *project.Model, added []project.Column) error {
	wider := "select *"
	for _, column := range added {
		wider += fmt.Sprintf(", cast(null as %s) as %s", column.Type, column.Name)
	}
	spare := r.beside(model, widerSuffix)
	steps := []struct{ table, source string }{
		{spare, wider + " from " + r.project.RelationOf(r.nextOf(model))},
		{r.nextOf(model), "select * from " + r.project.RelationOf(spare)},
	}
	for _, step := range steps {
		statement := creation(r.project.RelationOf(step.table), model, step.source)
		if err := r.createRelation(ctx, step.table, false, partitionOf(model), statement, model.Description, definitionOf(model, "")); err != nil {
			return err
		}
	}
	return r.send(ctx, "drop table if exists "+r.project.RelationOf(spare))
}

// without returns the columns whose names others lack.
func without(columns, others []project.Column) []project.Column {
	return slices.DeleteFunc(slices.Clone(columns), func(c project.Column) bool {
		return slices.ContainsFunc(others, func(o project.Column) bool { return strings.EqualFold(o.Name, c.Name) })
	})
}

func (r *run) buildView(ctx context.Context, model *project.Model) building {
	compiled, err := r.project.Compile(model, r.compilation(ctx))
	if err != nil {
		return building{status: failed, err: err}
	}
	done := building{status: unchanged, sql: compiled.SQL, model: model}
	definition := definitionOf(model, compiled.SQL)
	if r.stored(r.nextOf(model)).definition == definition || !r.isRead(model) && !r.isDue(model) {
		return done
	}
	if done.err = r.checkColumns(ctx, model, compiled.SQL, true); done.err != nil {
		done.status = failed
		return done
	}
	if !r.isRead(model) {
		return done
	}
	done.status = created
	relation := r.project.RelationOf(r.nextOf(model))
	if done.err = r.createRelation(ctx, r.nextOf(model), true, "", viewCreation(relation, compiled.SQL), model.Description, definition); done.err != nil {
		done.status = failed
	}
	return done
}
