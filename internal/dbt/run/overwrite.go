package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A model that replaces partitions which it names, and that only views read,
// has one copy of its rows: the published one. Beside it lies what will change.
// What it has seen it may remember from run to run: its configuration names a
// macro (meta.memory) that makes a question of a relation. The answer, asked of
// the new rows together with the tests, is kept in the state, and the next run
// gives it to the model as the variable "memory": rows of texts, those of which
// the column "source" names a source that has changed. So the model need not
// ask the warehouse what it knows. Where the answer has must_ask = 'yes', what
// was built so is not right, and the model is built again without memory.

// overwrites reports whether a model is such a one.
func (r *run) overwrites(model *project.Model) bool {
	c := model.Config
	return c.Materialized == project.Incremental && c.Strategy == project.InsertOverwrite && c.KnowsPartitions &&
		c.OnSchemaChange != project.SyncAll &&
		len(c.Hooks()) == 0 && !slices.ContainsFunc(r.project.Models, func(m *project.Model) bool {
		return (m.Stored() || len(m.Config.Hooks()) > 0) && slices.Contains(r.plan.inputs[m.Name].models, model.Name)
	})
}

// overwrite puts the rows of the partitions that change beside the model. For
// tests that need it, all other rows go there too.
func (r *run) overwrite(ctx context.Context, model *project.Model) building {
	failure := func(err error) building { return building{status: failed, err: err} }
	hasHistory, err := r.hasHistory(ctx, model)
	if err != nil {
		return failure(err)
	}
	compilation := r.compilation(ctx)
	compilation.Incremental, compilation.This = hasHistory, r.project.Relation(model)
	if memory := r.memoryOf(model); hasHistory && memory != nil {
		compilation.Vars = maps.Clone(compilation.Vars)
		compilation.Vars["memory"] = memory
	} else {
		r.mu.Lock()
		r.asks[model.Name] = true
		r.mu.Unlock()
	}
	compiled, err := r.compileModel(model, compilation)
	if err != nil {
		return failure(err)
	}
	given, err := r.given(ctx, model, compiled.SQL, !hasHistory)
	if err != nil {
		return building{status: failed, sql: compiled.SQL, err: err}
	}
	written := given
	if model = withColumns(model, given); hasHistory {
		if model, written, err = r.fitColumns(ctx, model, model.Table(), given, r.recolumnPublished); err != nil {
			return building{status: failed, sql: compiled.SQL, err: err}
		}
	}
	done := building{status: replaced, sql: compiled.SQL, touched: r.namedPartitions(model, compiled), model: model}
	if done.touched == "" && !model.Remembers() {
		return failure(errors.New("config partitions names none now, and named some when the project was read: let it name some always, or none"))
	}
	sql := completed(compiled.SQL, model.Columns, written)
	switch {
	case !hasHistory:
		done.status, done.touched = created, everything
	case done.touched != "":
		sql = inside(model, sql, done.touched)
	default:
		done.status = unchanged
		sql = fmt.Sprintf("select %s\nfrom %s\nwhere %t and %s",
			columnList(model.Columns), r.project.Relation(model), r.needsAll(model), anywhere(model))
	}
	if done.err = r.fill(ctx, model, sql); done.err == nil && done.status == replaced && r.needsAll(model) {
		done.err = r.send(ctx, fmt.Sprintf(
			"insert into %[1]s (%[2]s)\nselect %[2]s\nfrom %[3]s\nwhere (%[4]s) is not true and %[5]s",
			r.project.RelationOf(r.nextOf(model)), columnList(model.Columns),
			r.project.Relation(model), within(model, done.touched), anywhere(model)))
	}
	if done.err != nil {
		done.status = failed
	}
	return done
}

// partly ends the definition of a table beside a model that holds what changes,
// and not all rows: it is no history, should the model be built otherwise.
const partly = "-p"

// fill replaces what lies beside a model.
func (r *run) fill(ctx context.Context, model *project.Model, sql string) error {
	next, definition := r.nextOf(model), definitionOf(model)+partly
	if r.stored(next).definition == definition {
		return r.send(ctx, replacement(r.project.RelationOf(next), model, sql, everything))
	}
	return r.create(ctx, making{
		model: model, table: next, statement: creation(r.project.RelationOf(next), model, sql), definition: definition, ends: r.endOf(model),
	})
}

// needsAll reports whether a test of this run looks at rows of the model that do
// not change.
func (r *run) needsAll(model *project.Model) bool {
	return slices.ContainsFunc(r.project.Tests, func(t *project.Test) bool {
		return r.tests(t) && !t.OfChanges && slices.Contains(r.basesOf(t.Reads), model.ID)
	})
}

// hasHistory reports whether the published table can be kept.
func (r *run) hasHistory(ctx context.Context, model *project.Model) (bool, error) {
	if r.refreshes(model) {
		return false, nil
	}
	found := r.stored(model.Table()).definition
	if found == "" {
		if fits, err := r.fits(ctx, model); err != nil || fits {
			return fits, err
		}
	} else if hasLayout(model, found) {
		return true, nil
	}
	return false, r.mayBeMadeAgain(ctx, model)
}

// recolumnPublished gives a published table the model's columns.
func (r *run) recolumnPublished(ctx context.Context, model *project.Model, _ []project.Column) error {
	if err := r.claim(ctx); err != nil {
		return err
	}
	return r.lease.explain(r.reshape(ctx, model, model.Columns, definitionOf(model)))
}

// memoryOf is what the model knows of the sources that have changed; nil where
// that is not known, or not to be trusted.
func (r *run) memoryOf(model *project.Model) []any {
	last := r.known.Models[model.Name]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asks[model.Name] || r.lease.interrupted || last.Pending ||
		r.moved[model.Name] || last.SQL != r.plan.digests[model.Name] {
		return nil
	}
	var memory []any
	for _, id := range r.plan.inputs[model.Name].sources {
		if r.rows[id] == 0 || last.Counted == r.plan.hour && last.Sources[id] == r.rows[id] {
			continue
		}
		at := slices.IndexFunc(last.Memory, func(row map[string]any) bool {
			return row["source"] == project.NameOf(id)
		})
		if at < 0 || slices.Contains(slices.Collect(maps.Values(last.Memory[at])), any(nil)) {
			return nil
		}
		memory = append(memory, last.Memory[at])
	}
	return memory
}

// mostMemory is the longest answer that is kept, in bytes.
const mostMemory = 64 << 10

// remember keeps the answer to the model's question for the next run, and
// reports whether the model, built with memory, has to ask the warehouse.
func (r *run) remember(model *project.Model, answer []map[string]any, err error) (mustAsk bool) {
	text, fault := json.Marshal(answer)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteOutage(err)
	if r.memory[model.Name] = answer; err != nil || fault != nil || len(text) > mostMemory {
		r.memory[model.Name] = nil
	}
	mustAsk = !r.asks[model.Name] && (err != nil || slices.ContainsFunc(answer, func(row map[string]any) bool {
		return row["must_ask"] == "yes"
	}))
	r.asks[model.Name] = true
	return mustAsk
}

// buildAgain builds a model that has to ask, in place of what was built.
func (r *run) buildAgain(ctx context.Context, model *project.Model) {
	r.mu.Lock()
	r.report.Models = slices.DeleteFunc(r.report.Models, func(m ModelReport) bool { return m.Name == model.Name })
	r.mu.Unlock()
	r.buildOne(ctx, model)
}
