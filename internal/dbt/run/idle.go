package run

import (
	"context"
	"slices"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// isIdle decides without the lease whether there is nothing to do, from the
// stored state, the tests that it passed, the tables that exist and the rows
// of the sources.
func (r *run) isIdle(ctx context.Context) (bool, error) {
	stored, err := r.lease.read(ctx)
	switch {
	case err != nil:
		return false, err
	case stored == nil:
		return false, r.lease.create(ctx)
	case !stored.isSettled():
		return false, nil
	}
	if r.known, err = parseState(stored.State); err != nil {
		return false, err
	}
	return r.nothingDue(ctx)
}

func (r *run) nothingDue(ctx context.Context) (idle bool, err error) {
	if r.rows, err = r.warehouse.rowCounts(ctx, r.plan); err != nil {
		return false, err
	}
	r.report.RowsNew = r.plan.newRows(r.known, r.rows)
	var wanted []*project.Model
	for _, model := range r.project.Models {
		if r.wants(model) {
			wanted = append(wanted, model)
		}
	}
	isDue := func(model *project.Model) bool { return r.plan.isDue(model, r.known, r.rows) }
	if r.options.Always || r.options.FullRefresh || r.isUntested() || slices.ContainsFunc(wanted, isDue) {
		return false, nil
	}
	if err := r.look(ctx); err != nil || slices.ContainsFunc(wanted, func(m *project.Model) bool { return r.moved[m.Name] }) {
		return false, err
	}
	for _, model := range wanted {
		r.note(model, building{status: unchanged}, 0)
	}
	return true, nil
}

// look finds out which relations there are, and which of the published ones
// are not those that the known state speaks of.
func (r *run) look(ctx context.Context) (err error) {
	var published []string
	for _, model := range r.project.Models {
		if model.Config.Materialized != project.Ephemeral {
			published = append(published, model.Table())
		}
	}
	if r.relations, err = r.warehouse.relations(ctx, published, r.threads); err != nil {
		return err
	}
	r.moved = map[string]bool{}
	for _, model := range r.project.Models {
		if model.Config.Materialized == project.Ephemeral {
			continue
		}
		if found := r.relations[model.Table()].identity; found == "" || found != r.known.Models[model.Name].Relation {
			r.moved[model.Name] = true
		}
	}
	return nil
}

// isDue reports whether building a model, or publishing it again, would change
// what readers see.
func (r *run) isDue(model *project.Model) bool {
	return r.moved[model.Name] || r.plan.isDue(model, r.known, r.rows)
}
