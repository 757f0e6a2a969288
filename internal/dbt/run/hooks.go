package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/sqltext"
)

// Hooks of a model run where dbt runs them: around its building. There the
// model's table is the one with the next contents, so a name of it, and of any
// other that this run builds, is redirected to that one. What a hook says of the
// published table itself, such as a grant, waits until that one is published.

// runHooks runs hooks of a model, and returns the statements that wait.
func (r *run) runHooks(ctx context.Context, model *project.Model, hooks []project.Hook, incremental bool) (waiting []string, err error) {
	redirect := func(sql string) (string, error) {
		return sqltext.Redirect(sql, func(path string) (string, error) { return r.redirected(model, path) })
	}
	compilation := r.compilation(ctx)
	compilation.Relation, compilation.Incremental = r.project.Relation, incremental
	compilation.Query = func(sql string) ([]map[string]any, error) {
		sql, err := redirect(sql)
		if err != nil {
			return nil, err
		}
		return r.warehouse.query(ctx, sql)
	}
	for _, hook := range hooks {
		text, err := r.project.RenderHook(model, hook, compilation)
		if err != nil {
			return nil, err
		}
		now, later, err := r.project.Moments(model, hook, text)
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, later...)
		if len(now) == 0 {
			continue
		}
		sql, err := redirect(strings.Join(now, ";\n\n"))
		if err == nil {
			err = r.send(ctx, sql)
		}
		if err != nil {
			return nil, fmt.Errorf("running its %s: %w", hook.Of, err)
		}
	}
	return waiting, nil
}

// redirected is the name, for a hook of a model, of a path's table while this
// run builds it; "" where it builds none.
func (r *run) redirected(model *project.Model, path string) (string, error) {
	named := r.project.ModelAt(path)
	if named == nil || !r.building[named.Name] {
		return "", nil
	}
	if named.ID != model.ID && !slices.Contains(model.Reads, named.ID) {
		return "", fmt.Errorf("a hook names the table of the model %s: write {{ ref('%s') }}, so that it comes after it", named.Name, named.Name)
	}
	return r.project.RelationOf(r.nextOf(named)), nil
}

// withHooks notes that hooks of a model have run: they may have changed any of
// its rows.
func (b *building) withHooks(model *project.Model, waiting []string) {
	b.waiting = waiting
	if len(model.Config.Hooks()) == 0 || b.err != nil || !model.Stored() {
		return
	}
	if b.merged, b.touched = false, everything; b.status == unchanged {
		b.status = replaced
	}
}

// copyForHooks makes the next contents of the published ones where hooks run
// before there are any.
func (r *run) copyForHooks(ctx context.Context, model *project.Model) error {
	found := r.stored(model.Table())
	if len(model.Config.PreHooks) == 0 || found.identity == "" || found.isView || r.stored(r.nextOf(model)).definition != "" {
		return nil
	}
	_, err := r.copyPublished(ctx, model, "")
	return err
}

// runRunHooks runs the hooks of a run: on-run-start or on-run-end.
func (r *run) runRunHooks(ctx context.Context, hooks []project.Hook) error {
	for _, hook := range hooks {
		text, err := r.project.RenderHook(nil, hook, project.Compilation{
			Vars: r.vars, FullRefresh: r.options.FullRefresh,
			Query:   func(sql string) ([]map[string]any, error) { return r.warehouse.query(ctx, sql) },
			Results: r.report.results(),
		})
		if err == nil && text != "" {
			err = r.send(ctx, text)
		}
		if err != nil {
			return fmt.Errorf("running %s: %w", hook.Of, err)
		}
	}
	return nil
}
