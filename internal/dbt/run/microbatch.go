package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A model of the strategy microbatch is built batch by batch, each for a span of
// time: the rows of the partitions that a batch gives take the place of those
// that the table has. The runner builds one after the other, and publishes them
// together.

// buildBatches brings such a model's next contents up to date.
func (r *run) buildBatches(ctx context.Context, model *project.Model) (done building) {
	failure := func(err error) building { done.status, done.err = failed, err; return done }
	keeps, err := r.keeps(ctx, model)
	if err == nil {
		err = r.copyForHooks(ctx, model)
	}
	if err != nil {
		return failure(err)
	}
	waiting, err := r.runHooks(ctx, model, model.Config.PreHooks, keeps)
	if err != nil {
		return failure(err)
	}
	done = building{status: unchanged, model: model}
	var touched []string
	batches := model.Config.Batches(r.startedAt, keeps)
	for i, batch := range batches {
		one := r.buildBatch(ctx, model, batch, keeps || i > 0)
		if done.sql = one.sql; one.err != nil {
			return failure(fmt.Errorf("the batch of %s: %w", batch.Start.Format("2006-01-02 15:04"), one.err))
		}
		if done.model = one.model; one.touched != "" {
			touched = append(touched, one.touched)
		}
		if one.changed() && done.status != created {
			done.status = one.status
		}
	}
	if done.touched = strings.Join(touched, ", "); slices.Contains(touched, everything) {
		done.touched = everything
	}
	after, err := r.runHooks(ctx, model, model.Config.PostHooks, keeps || len(batches) > 1)
	if err != nil {
		return failure(err)
	}
	done.withHooks(model, append(waiting, after...))
	return done
}

// buildBatch builds one batch: the first of a table that is new makes it.
func (r *run) buildBatch(ctx context.Context, model *project.Model, batch project.Batch, isIncremental bool) (done building) {
	compilation := r.compilation(ctx)
	compilation.Incremental, compilation.Batch = isIncremental && !r.refreshes(model), &batch // as in dbt, where the first batch makes the table
	compiled, err := r.compileModel(model, compilation)
	if err != nil {
		return building{err: err}
	}
	given, err := r.given(ctx, model, compiled.SQL, !isIncremental)
	if err != nil {
		return building{sql: compiled.SQL, err: err}
	}
	if isIncremental {
		done = r.addRows(ctx, model, compiled, given)
	} else {
		done = building{status: created, touched: everything, model: withColumns(model, given)}
		done.err = r.replaceRows(ctx, &done, compiled.SQL)
	}
	done.sql = compiled.SQL
	return done
}
