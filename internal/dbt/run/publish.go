package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// prepare makes ready what was built and tested: Lease.Publish then makes it
// visible with r.exchanges, and gives the lease back with the state
// r.published.
//
// Views, and the shape of tables that are new, have another definition or are
// not those that the state speaks of, are made here, one script each, while
// the lease is kept. All rows change in that one transaction, so the tables of
// a run agree; only the partitions that changed are copied. What failed, and
// what depends on it, stays as it is published.
func (r *run) prepare(ctx context.Context) error {
	published := &state{Run: r.lease.holder, Mark: r.mark, Models: maps.Clone(r.known.Models)}
	isNew := false
	for _, model := range r.project.Models {
		done, ok := r.built[model.Name]
		if !ok {
			continue
		}
		if r.isBlocked(model) {
			last := published.Models[model.Name]
			last.Pending = true
			published.Models[model.Name] = last
			continue
		}
		before := r.stored(model.Table())
		statements, remake, err := r.publication(done.model, done)
		if err != nil {
			return err
		}
		r.exchanges = append(r.exchanges, statements...)
		if remake != nil {
			if err := r.claim(ctx); err != nil {
				return err
			}
			if err := r.lease.explain(remake(ctx)); err != nil {
				return fmt.Errorf("publishing %s: %w", model.Name, err)
			}
			r.report.made(model.Name)
		}
		if err := r.finish(ctx, model, done, remake != nil, before); err != nil {
			return fmt.Errorf("publishing %s: %w", model.Name, err)
		}
		changed := done.changed() || len(statements) > 0 || remake != nil
		isNew = isNew || changed
		published.Models[model.Name] = r.stateOf(model, changed, published)
	}
	for name := range published.Models {
		if r.project.Model(name) == nil {
			delete(published.Models, name)
		}
	}
	published.Tested = r.provenBy(isNew)
	r.published = published
	return nil
}

// finish gives a published relation what no transaction can: its options, its
// grants, and what hooks say of it, in dbt's order.
func (r *run) finish(ctx context.Context, model *project.Model, done building, isRemade bool, before stored) error {
	if err := r.dress(ctx, model, done, isRemade, before); err != nil {
		return err
	}
	hooks := func() error {
		for _, statement := range done.waiting {
			if err := r.send(ctx, statement); err != nil {
				return fmt.Errorf("running a hook: %w", err)
			}
		}
		return nil
	}
	grants := func() error {
		if !done.changed() && !isRemade && !r.options.Always && optionsDigest(model) == r.known.Models[model.Name].Options {
			return nil
		}
		return r.grant(ctx, model, before.identity != "")
	}
	if model.Stored() {
		return errors.Join(hooks(), grants())
	}
	return errors.Join(grants(), hooks())
}

// claim says in the lease, before the first of what no transaction publishes,
// that what is published may not be what the state says.
func (r *run) claim(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claimed {
		return nil
	}
	err := r.lease.claim(ctx)
	r.claimed = err == nil
	return err
}

// publication is what makes one model's next contents visible: what must be
// made before, if anything, and statements for the transaction.
func (r *run) publication(model *project.Model, done building) (statements []string, remake func(context.Context) error, err error) {
	if model.Config.Materialized == project.View {
		return r.viewPublication(model)
	}
	next := strings.TrimSuffix(r.stored(r.nextOf(model)).definition, partly)
	relation, source := r.project.Relation(model), r.project.RelationOf(r.nextOf(model))
	if next == "" {
		return nil, nil, nil // not built: it was not due
	}
	whole := exchange(relation, always, columnList(model.Columns), entire(model, source))
	var touched []string // what changes, where all else is published already
	if condition := touches(model, done.touched); done.touched != "" {
		touched = []string{exchange(relation, condition, columnList(model.Columns), source+"\nwhere "+condition)}
	}
	keepsHistory := r.overwrites(model) && done.status != created
	if r.moved[model.Name] || r.stored(model.Table()).definition != next {
		statements = []string{whole}
		if keepsHistory {
			statements = touched
		}
		return statements, func(ctx context.Context) error { return r.reshapeAsNext(ctx, model, next) }, nil
	}
	isDoubtful := r.lease.interrupted || r.known.Models[model.Name].Pending
	switch {
	case keepsHistory:
		return touched, nil, nil
	case done.merged && !isDoubtful:
		if model.Config.Materialized == project.SnapshotTable {
			return []string{snapshotMerging(relation, r.project.RelationOf(r.newOf(model)), model, done.written)}, nil, nil
		}
		return []string{merging(relation, r.project.RelationOf(r.newOf(model)), model, done.written)}, nil, nil
	case isDoubtful || done.status == created || done.touched == everything:
		return []string{whole}, nil, nil
	}
	return touched, nil, nil
}

func (r *run) viewPublication(model *project.Model) ([]string, func(context.Context) error, error) {
	sql := r.asPublished(r.built[model.Name].sql)
	if !r.built[model.Name].asked { // the answers were about what is published from now on
		compiled, err := r.project.Compile(model, r.publishedCompilation())
		if err != nil {
			return nil, nil, err
		}
		sql = compiled.SQL
	}
	definition := r.viewDefinition(model, sql, (*project.Model).Table)
	if !r.moved[model.Name] && r.stored(model.Table()).definition == definition {
		return nil, nil, nil
	}
	return nil, func(ctx context.Context) error {
		return r.publish(ctx, making{
			model: model, isView: true, statement: viewCreation(r.project.Relation(model), sql), definition: definition, ends: r.endOf(model),
		})
	}, nil
}

// publishedCompilation has models read each other as they are published.
func (r *run) publishedCompilation() project.Compilation {
	c := r.compilation(context.Background())
	c.FullRefresh, c.Relation = false, nil
	return c
}

// reshapeAsNext makes a published table again with the definition of its next
// contents.
func (r *run) reshapeAsNext(ctx context.Context, model *project.Model, definition string) error {
	columns, err := r.warehouse.columns(ctx, r.nextOf(model))
	if err != nil {
		return err
	}
	return r.reshape(ctx, model, columns, definition)
}

// reshape makes a published table again with the rows that it has, or none: so
// no rows are published but in the transaction. Columns that are new or of
// another type are NULL until then.
func (r *run) reshape(ctx context.Context, model *project.Model, columns []project.Column, definition string) (err error) {
	as := withColumns(model, columns)
	source := "select * from " + r.project.RelationOf(r.nextOf(model)) + " where false and " + anywhere(model)
	if found := r.stored(model.Table()); found.identity != "" && !found.isView {
		if source, err = r.rowsAs(ctx, as, found); err != nil {
			return err
		}
	}
	return r.publish(ctx, making{model: as, statement: creation(r.project.Relation(model), as, source), definition: definition, ends: r.endOf(model)})
}

// rowsAs is a query of a published table's rows in a model's columns. BigQuery
// does not replace a table by one that is partitioned otherwise, so the rows then
// come from a spare one.
func (r *run) rowsAs(ctx context.Context, model *project.Model, found stored) (string, error) {
	there, err := r.warehouse.columns(ctx, model.Table())
	if err != nil {
		return "", err
	}
	values := make([]string, len(model.Columns))
	for i, column := range model.Columns {
		values[i] = quoted(column.Name)
		if at := indexOf(there, column.Name); at < 0 || there[at].Type != column.Type {
			values[i] = fmt.Sprintf("cast(null as %s) as %s", column.Type, quoted(column.Name))
		}
	}
	// Within parentheses, because the name of a table hides a column of that name.
	rows := "select " + strings.Join(values, ", ") + " from (select * from " + entire(model, r.project.Relation(model)) + ")"
	if strings.EqualFold(found.partitioned, partitionOf(model)) {
		return rows, nil
	}
	spare := r.beside(model, widerSuffix)
	err = r.create(ctx, making{model: unfiltered(model), table: spare, statement: creation(r.project.RelationOf(spare), model, rows)})
	return "select * from " + r.project.RelationOf(spare), err
}

// publish makes a published relation. No transaction can, so the statement
// goes out with the condition that the lease is held.
func (r *run) publish(ctx context.Context, m making) error {
	m.table, m.when = m.model.Table(), r.lease.condition()
	if err := r.create(ctx, m); err != nil {
		return err
	}
	found, err := r.warehouse.inspect(ctx, m.table)
	if err == nil {
		r.mu.Lock()
		r.relations[m.table] = found
		r.mu.Unlock()
	}
	return err
}

// stateOf is the state of a model that is published with this run. Models
// come in the order in which they read each other, so the versions of those
// it reads are known.
func (r *run) stateOf(model *project.Model, changed bool, published *state) modelState {
	in := r.plan.inputs[model.Name]
	out := modelState{
		SQL: r.plan.digests[model.Name], Version: published.Models[model.Name].Version,
		Relation: r.stored(model.Table()).identity, Options: optionsDigest(model),
	}
	if out.Memory = published.Models[model.Name].Memory; changed {
		out.Version, out.Memory = r.lease.token, r.memory[model.Name]
	}
	if !model.Stored() {
		return out
	}
	out.Counted = r.plan.hour
	out.Sources, out.Parents = map[string]int64{}, map[string]int64{}
	for _, id := range in.sources {
		out.Sources[id] = r.rows[id]
	}
	for _, name := range in.models {
		out.Parents[name] = published.Models[name].Version
	}
	return out
}

// isBlocked reports whether a model must not be published: it, one of its tests
// or something it reads failed.
func (r *run) isBlocked(model *project.Model) bool {
	return r.broken[model.ID] != ""
}

// block marks a model and all that depend on it.
func (r *run) block(id, cause string) {
	if r.broken[id] != "" {
		return
	}
	r.broken[id] = cause
	for _, other := range r.project.Models {
		if slices.Contains(r.project.Through(other.Reads), id) {
			r.block(other.ID, project.NameOf(id)+" failed")
		}
	}
}
