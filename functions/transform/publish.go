package transform

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/stationflow/stationflow/functions/transform/project"
)

// prepare makes ready what was built and tested: lease.publish then makes it
// visible with r.exchanges, and gives the lease back with the state
// r.published.
//
// Views, and tables that are new, have another definition or are not those
// that the state speaks of, are made here, one script each, while the lease is
// kept. The rows of all others change in that one transaction, so the tables
// of a run agree; only the partitions that changed are copied. What failed,
// and what depends on it, stays as it is published.
func (r *run) prepare(ctx context.Context) error {
	published := &state{Run: r.lease.holder, Mark: r.mark, Models: maps.Clone(r.known.Models)}
	claimed := false
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
		statements, remake, err := r.publication(done.model, done)
		if err != nil {
			return err
		}
		r.exchanges = append(r.exchanges, statements...)
		if remake != nil {
			if !claimed {
				if err := r.lease.claim(ctx); err != nil {
					return err
				}
				claimed = true
			}
			if err := r.lease.explain(remake(ctx)); err != nil {
				return fmt.Errorf("publishing %s: %w", model.Name, err)
			}
		}
		published.Models[model.Name] = r.stateOf(model, done.changed() || len(statements) > 0 || remake != nil, published)
	}
	for name := range published.Models {
		if r.project.Model(name) == nil {
			delete(published.Models, name)
		}
	}
	r.published = published
	return nil
}

// publication is what makes one model's next contents visible: statements
// for the transaction, or else remake.
func (r *run) publication(model *project.Model, done building) (statements []string, remake func(context.Context) error, err error) {
	if model.Config.Materialized == project.View {
		return r.viewPublication(model)
	}
	next := r.stored(r.nextOf(model))
	relation, source := r.project.Relation(model), r.project.RelationOf(r.nextOf(model))
	if next.definition == "" {
		return nil, nil, nil // not built: it was not due
	}
	if r.moved[model.Name] || r.stored(model.Table()).definition != next.definition {
		return nil, func(ctx context.Context) error {
			statement := creation(relation, model, "select * from "+source)
			return r.publish(ctx, model, false, partitionOf(model), statement, next.definition)
		}, nil
	}
	wholly := r.lease.interrupted || r.known.Models[model.Name].Pending || done.status == created || done.touched == everything
	switch {
	case done.merged && !r.lease.interrupted && !r.known.Models[model.Name].Pending:
		return []string{merging(relation, r.project.RelationOf(r.newOf(model)), model)}, nil, nil
	case wholly:
		return []string{exchange(relation, always, columnList(model.Columns), source)}, nil, nil
	case done.touched != "":
		condition := within(model, done.touched)
		return []string{exchange(relation, condition, columnList(model.Columns), source+"\nwhere "+condition)}, nil, nil
	}
	return nil, nil, nil
}

func (r *run) viewPublication(model *project.Model) ([]string, func(context.Context) error, error) {
	compiled, err := r.project.Compile(model, project.Compilation{
		Vars: r.vars, Query: r.compilation(context.Background()).Query,
	})
	if err != nil {
		return nil, nil, err
	}
	definition := definitionOf(model, compiled.SQL)
	if !r.moved[model.Name] && r.stored(model.Table()).definition == definition {
		return nil, nil, nil
	}
	return nil, func(ctx context.Context) error {
		return r.publish(ctx, model, true, "", viewCreation(r.project.Relation(model), compiled.SQL), definition)
	}, nil
}

// publish makes a published relation. No transaction can, so the statement
// goes out with the condition that the lease is held; what comes later than
// that finds no source to read, since the next run removes it first.
func (r *run) publish(ctx context.Context, model *project.Model, isView bool, partitioned, statement, definition string) error {
	if err := r.makeWhen(ctx, r.lease.condition(), model.Table(), isView, partitioned, statement, model.Description, definition); err != nil {
		return err
	}
	found, err := r.warehouse.inspect(ctx, model.Table())
	if err == nil {
		r.mu.Lock()
		r.relations[model.Table()] = found
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
		Relation: r.stored(model.Table()).identity,
	}
	if changed {
		out.Version = r.lease.token
	}
	if !model.Stored() {
		return out
	}
	out.Counted = r.plan.day
	out.Sources, out.Parents = map[string]int64{}, map[string]int64{}
	for _, id := range in.sources {
		out.Sources[id] = r.rows[id]
	}
	for _, name := range in.models {
		out.Parents[name] = published.Models[name].Version
	}
	return out
}

// isBlocked tells whether a model must not be published: it, one of its tests
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
			r.block(other.ID, nameOf(id)+" failed")
		}
	}
}
