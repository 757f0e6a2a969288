package run

import (
	"cmp"
	"context"
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

// definitionOf is the definition of a model's table: its layout and its columns.
func definitionOf(model *project.Model) string {
	if !model.Stored() {
		return project.View
	}
	columns := make([]string, len(model.Columns))
	for i, column := range model.Columns {
		columns[i] = column.Name + " " + column.Type
	}
	return project.Digest(model.Layout())[:30] + "-" + project.Digest(columns)[:30]
}

// viewDefinition is the definition of a view: its SQL, and those of the relations
// that it reads, under the names that it has for them. BigQuery takes their
// columns when the view is made, so one of others is made again, as by dbt.
func (r *run) viewDefinition(model *project.Model, sql string, name func(*project.Model) string) string {
	parts := []any{project.View, sql}
	for _, id := range r.project.Through(model.Reads) {
		if read := r.project.ByID(id); read != nil {
			parts = append(parts, strings.TrimSuffix(r.stored(name(read)).definition, partly))
		}
	}
	return project.Digest(parts...)
}

// A building is what became of a model's next contents.
type building struct {
	status  string
	sql     string           // compiled, as it was sent
	asked   bool             // whether a view's SQL comes from answers of the warehouse
	touched string           // partitions that changed, as literals, or everything
	merged  bool             // the new rows are in run.newOf
	written []project.Column // of an incremental run: those that the SQL gives
	model   *project.Model   // as it is stored
	waiting []string         // statements of hooks, for when it is published
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
	if model.Config.Materialized == project.SnapshotTable {
		return r.buildSnapshot(ctx, model)
	}
	if model.Config.Materialized == project.Incremental && model.Config.Strategy == project.Microbatch {
		return r.buildBatches(ctx, model)
	}
	keeps, err := r.keeps(ctx, model)
	if err != nil {
		return building{status: failed, err: err}
	}
	compilation := r.compilation(ctx)
	compilation.Incremental = keeps && model.Config.Materialized == project.Incremental
	compiled, err := r.compileModel(model, compilation)
	if err != nil {
		return building{status: failed, err: err}
	}
	if err := r.copyForHooks(ctx, model); err != nil {
		return building{status: failed, err: err}
	}
	before, err := r.runHooks(ctx, model, model.Config.PreHooks, compilation.Incremental)
	if err != nil {
		return building{status: failed, sql: compiled.SQL, err: err}
	}
	given, err := r.given(ctx, model, compiled.SQL, !keeps)
	if err != nil {
		return building{status: failed, sql: compiled.SQL, err: err}
	}
	done = building{status: created, touched: everything, model: withColumns(model, given)}
	if compilation.Incremental {
		done = r.addRows(ctx, model, compiled, given)
	} else {
		done.err = r.replaceRows(ctx, &done, compiled.SQL)
	}
	var after []string
	if done.err == nil {
		after, done.err = r.runHooks(ctx, model, model.Config.PostHooks, compilation.Incremental)
	}
	done.withHooks(model, append(before, after...))
	if done.sql = compiled.SQL; done.err != nil {
		done.status = failed
	}
	return done
}

// replaceRows puts all rows of a model into its next contents.
func (r *run) replaceRows(ctx context.Context, done *building, sql string) error {
	model := done.model
	relation, definition := r.project.RelationOf(r.nextOf(model)), definitionOf(model)
	if model.Config.Materialized != project.Incremental && r.stored(r.nextOf(model)).definition == definition && !r.readsItself(model, sql) {
		done.status = replaced
		return r.send(ctx, replacement(relation, model, sql, everything))
	}
	return r.create(ctx, making{
		model: model, table: r.nextOf(model), statement: creation(relation, model, sql), definition: definition, ends: r.endOf(model),
	})
}

// addRows brings an incremental model up to date that has history.
func (r *run) addRows(ctx context.Context, model *project.Model, compiled *project.Compiled, given []project.Column) (done building) {
	done = building{status: replaced, touched: everything, model: model}
	as, written, err := r.fitColumns(ctx, model, r.nextOf(model), given, r.recolumn)
	if err != nil {
		done.err = err
		return done
	}
	done.model, done.written = as, written
	sql := completed(compiled.SQL, as.Columns, written)
	if model.Config.Strategy == project.Merge {
		done.merged = true
		done.err = r.merge(ctx, as, written, sql)
		return done
	}
	if r.readsItself(model, sql) {
		if done.err = r.putBeside(ctx, as, sql); done.err != nil {
			return done
		}
		sql = "select * from " + r.project.RelationOf(r.newOf(as))
	}
	if done.touched, done.err = r.partitions(ctx, as, compiled, sql); done.err != nil {
		return done
	}
	switch {
	case done.touched != "":
		done.err = r.send(ctx, replacement(r.project.RelationOf(r.nextOf(as)), as, inside(as, sql, done.touched), done.touched))
	case r.moved[model.Name]:
		done.touched = everything // nothing new, and yet all of it is published again
	default:
		done.status, done.touched = unchanged, ""
	}
	return done
}

// isRead reports whether another model, a test of this run or a hook reads the
// model: a view that nothing reads needs no next contents, only a look at its SQL.
func (r *run) isRead(model *project.Model) bool {
	reads := func(ids []string) bool { return slices.Contains(ids, model.ID) }
	return len(model.Config.Hooks()) > 0 ||
		slices.ContainsFunc(r.project.Models, func(m *project.Model) bool { return reads(m.Reads) }) ||
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
		Deferred: r.options.deferral(r.selected, func(model *project.Model) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			_, isThere := r.relations[model.Table()]
			return isThere || r.building[model.Name]
		}),
	}
}

// deferral says which of the deferred relations a model has, as dbt decides; nil
// where there are none.
func (o *Options) deferral(selected map[string]bool, isThere func(*project.Model) bool) func(*project.Model) string {
	if len(o.Deferred) == 0 {
		return nil
	}
	return func(model *project.Model) string {
		if o.FavorState && !selected[model.ID] || !isThere(model) {
			return o.Deferred[model.ID]
		}
		return ""
	}
}

func (r *run) relation(model *project.Model) string { return r.project.RelationOf(r.tableOf(model)) }

// tableOf is the name under which the models of this run read a model.
func (r *run) tableOf(model *project.Model) string {
	if r.building[model.Name] {
		return r.nextOf(model)
	}
	return model.Table()
}

// partitions are those that an incremental run replaces: those that the model
// names, or else those it has rows of.
func (r *run) partitions(ctx context.Context, model *project.Model, compiled *project.Compiled, sql string) (string, error) {
	if model.Config.KnowsPartitions {
		return r.namedPartitions(model, compiled), nil
	}
	rows, err := r.warehouse.query(ctx, partitionsOf(model, sql))
	if err != nil || len(rows) != 1 {
		return "", err
	}
	text, _ := rows[0]["partitions"].(string)
	return text, nil
}

// namedPartitions are those that a model names: as dbt knows them, before the
// model is executed, or by its own answer where it remembers.
func (r *run) namedPartitions(model *project.Model, compiled *project.Compiled) string {
	if model.Remembers() {
		return compiled.Config.Partitions
	}
	return r.plan.partitions[model.Name]
}

// readsItself reports whether SQL reads the model's own next contents: those must
// not change before it has.
func (r *run) readsItself(model *project.Model, sql string) bool {
	return strings.Contains(sql, r.nextOf(model))
}

// putBeside puts the new rows beside the table.
func (r *run) putBeside(ctx context.Context, model *project.Model, sql string) error {
	newRows := r.project.RelationOf(r.newOf(model))
	if r.stored(r.newOf(model)).definition == definitionOf(model) {
		return r.send(ctx, replacement(newRows, model, sql, everything))
	}
	return r.create(ctx, making{
		model: unfiltered(model), table: r.newOf(model), statement: creation(newRows, model, sql), definition: definitionOf(model),
	})
}

// merge puts the new rows beside the table and merges them in.
func (r *run) merge(ctx context.Context, model *project.Model, written []project.Column, sql string) error {
	if err := r.putBeside(ctx, model, sql); err != nil {
		return err
	}
	newRows := r.project.RelationOf(r.newOf(model))
	return r.send(ctx, merging(r.project.RelationOf(r.nextOf(model)), newRows, model, written))
}

func (r *run) stored(table string) stored {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.relations[table]
}

// keeps reports whether the table with the next contents, and its history, can
// be kept; its columns may differ from the model's.
func (r *run) keeps(ctx context.Context, model *project.Model) (bool, error) {
	if r.refreshes(model) || model.Config.Materialized != project.Incremental {
		return false, nil
	}
	if model.Config.Options.Hours > 0 && r.stored(model.Table()).identity == "" { // it has expired: dbt begins again
		return false, nil
	}
	found, published := r.stored(r.nextOf(model)).definition, r.stored(model.Table()).definition
	if strings.HasSuffix(found, partly) {
		found = ""
	}
	if (found == "" || r.doubtful(model)) && hasLayout(model, published) {
		copied, err := r.copyPublished(ctx, model, published)
		if err != nil || copied {
			return copied, err
		}
	}
	if found == "" && published == "" {
		if fits, err := r.fits(ctx, model); err != nil || fits {
			copied := false
			if err == nil {
				copied, err = r.copyPublished(ctx, model, "")
			}
			return copied, err
		}
	}
	if hasLayout(model, found) {
		return true, nil
	}
	return false, r.mayBeMadeAgain(ctx, model)
}

// refreshes reports whether this run makes a model's table again.
func (r *run) refreshes(model *project.Model) bool {
	if refresh := model.Config.FullRefresh; refresh != nil {
		return *refresh
	}
	return r.options.FullRefresh
}

// hasLayout reports whether a table of this definition has a model's layout.
func hasLayout(model *project.Model, definition string) bool {
	layout, _, _ := strings.Cut(definitionOf(model), "-")
	return strings.HasPrefix(definition, layout+"-")
}

// doubtful reports whether new rows must not be merged into what an earlier run
// left: it may have added them, or run hooks, already.
func (r *run) doubtful(model *project.Model) bool {
	return model.Config.Materialized == project.Incremental && (model.Config.Strategy == project.Merge || len(model.Config.Hooks()) > 0) &&
		(r.lease.interrupted || r.known.Models[model.Name].Pending)
}

// copyPublished makes the next contents of what is published: the history may
// reach back further than staging does. A table without rows may be one that no
// run has filled yet; there is nothing to copy then. The definition is the
// table's; "" where no run has noted one.
func (r *run) copyPublished(ctx context.Context, model *project.Model, definition string) (bool, error) {
	relation := r.project.Relation(model)
	rows, err := r.warehouse.query(ctx, "select count(*) as n from "+entire(model, relation))
	if err != nil || len(rows) != 1 || rows[0]["n"] == int64(0) {
		return false, err
	}
	columns, err := r.warehouse.columns(ctx, model.Table())
	if err != nil {
		return false, err
	}
	as := withColumns(model, columns)
	return true, r.create(ctx, making{
		model: as, table: r.nextOf(model), statement: creation(r.project.RelationOf(r.nextOf(model)), as, "select * from "+entire(model, relation)),
		definition: cmp.Or(definition, definitionOf(as)), ends: r.stored(model.Table()).ends,
	})
}

func (r *run) buildView(ctx context.Context, model *project.Model) building {
	compiled, err := r.compileModel(model, r.compilation(ctx))
	if err != nil {
		return building{status: failed, err: err}
	}
	done := building{status: unchanged, sql: compiled.SQL, asked: compiled.Asked, model: model}
	before, err := r.runHooks(ctx, model, model.Config.PreHooks, false)
	if done.err = err; err == nil {
		done.err = r.makeView(ctx, model, compiled.SQL, &done)
	}
	var after []string
	if done.err == nil {
		after, done.err = r.runHooks(ctx, model, model.Config.PostHooks, false)
	}
	done.withHooks(model, append(before, after...))
	if done.err != nil {
		done.status = failed
	}
	return done
}

// makeView makes the view with the next contents, where it is another and is
// read.
func (r *run) makeView(ctx context.Context, model *project.Model, sql string, done *building) error {
	definition := r.viewDefinition(model, sql, r.tableOf)
	if r.stored(r.nextOf(model)).definition == definition || !r.isRead(model) && !r.isDue(model) {
		return nil
	}
	if _, err := r.given(ctx, model, sql, true); err != nil || !r.isRead(model) {
		return err
	}
	done.status = created
	return r.create(ctx, making{
		model: model, table: r.nextOf(model), isView: true, statement: viewCreation(r.project.RelationOf(r.nextOf(model)), sql), definition: definition,
	})
}
