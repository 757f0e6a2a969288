// Package run builds a dbt project on BigQuery, tests it, and publishes what
// passed.
//
// A run (run.go) decides from the row counts of the sources and from what is
// published what is due (idle.go, state.go, input.go), takes the lease that
// lets one run write at a time (lease.go), builds each due model beside the
// published one (build.go, beside.go), tests it (datatest.go), and publishes
// what passed in one transaction (publish.go). report.go says what happened.
// SQL that decides numbers is the project's; this package only wraps it into
// the statements that store it.
//
// Runs are harmless to repeat, to overlap and to kill: readers see the whole
// of what a run published or nothing of it, and the next run catches up.
package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/tracing"
)

// A Runner runs one project against one warehouse. It remembers nothing of
// what is published: others publish, too. It is safe for concurrent use, but
// only one run of a dataset happens at a time, in all processes.
type Runner struct {
	project       *project.Project
	warehouse     *warehouse
	staging       string // dataset of the staging tables
	leaseDuration time.Duration
	location      *time.Location
	now           func() time.Time
	threads       int

	mu    sync.Mutex
	plans map[string]*plan // by hours; see planOf
}

// run is one run in progress.
type run struct {
	*Runner
	id        string
	startedAt time.Time // by the runner's clock
	options   Options
	vars      map[string]any
	plan      *plan
	selected  map[string]bool // ids
	rows      map[string]int64
	known     *state // that the last run published
	lease     *Lease
	mark      string          // in the names of what lies beside the published relations
	tested    string          // digest of the tests that this run runs; "" when it runs none
	moved     map[string]bool // names of models whose published relation is not the one that known speaks of; fixed before it starts
	published *state          // what this run is about to publish
	exchanges []string        // the statements that do so
	preparing bool            // what can be published alone may be
	claimed   bool            // the lease says so

	mu        sync.Mutex // guards what follows
	relations map[string]stored
	memory    map[string][]map[string]any // that models leave for the next run, by name
	asks      map[string]bool             // models that have asked, or now have to
	texts     map[string]project.Text     // of models, as they were compiled last, by id
	building  map[string]bool             // names of the models that this run may build; fixed before it starts
	built     map[string]building
	changed   map[string]bool   // ids
	broken    map[string]string // ids of models that must not be published, and why
	unproven  bool              // a test failed of what is published already
	outage    error             // of the warehouse: it makes no sense to go on
	report    *Report
}

// ErrBusy says that another run was in progress until the end of the wait.
var ErrBusy = errors.New("another run is in progress")

// ErrInterrupted says that the context of a run was cancelled.
var ErrInterrupted = errors.New("interrupted")

// Run builds the models that are due beside the published ones, each after
// those it reads, tests them, and publishes what passed in one transaction.
// What depends on a failure is skipped and keeps its contents.
//
// The error is ErrBusy, ErrInterrupted, or that of a selector; every other
// failure is part of the report. An interrupted run gives its lease back.
func (r *Runner) Run(ctx context.Context, options Options) (*Report, error) {
	selected, err := r.project.Select(options.Select, options.Exclude)
	if err != nil {
		return nil, err
	}
	start, now := time.Now(), r.now()
	today, given := r.project.Target().Vars["today"].(string)
	if !given {
		today = now.In(r.location).Format(time.DateOnly)
	}
	current := &run{
		Runner: r, options: options, selected: selected, startedAt: now, id: now.UTC().Format("20060102T150405.000000Z"),
		vars:     map[string]any{"today": today},
		lease:    &Lease{warehouse: r.warehouse, relation: r.project.RelationOf(leaseTable), duration: r.leaseDuration},
		building: map[string]bool{}, built: map[string]building{}, changed: map[string]bool{}, broken: map[string]string{},
		memory: map[string][]map[string]any{}, asks: map[string]bool{}, texts: map[string]project.Text{},
	}
	current.report = &Report{RunID: current.id, Models: []ModelReport{}, Tests: []TestReport{}, RowsNew: -1, StartedAt: start.UTC()}
	err = current.carryOut(ctx)
	switch {
	case errors.Is(err, ErrBusy):
		return nil, err
	case err != nil && isInterrupted(ctx):
		return nil, current.interruption()
	case err != nil:
		current.report.Message = err.Error()
	}
	for i := range current.report.Models {
		if entry := &current.report.Models[i]; current.broken[entry.result.ID] != "" && entry.Status != failed && entry.Status != skipped {
			entry.Status, entry.Message = held, current.broken[entry.result.ID]
		}
	}
	current.report.finish(time.Since(start))
	return current.report, nil
}

// isInterrupted tells a context that somebody cancelled from one whose time is
// up: what the warehouse still works on then is better left to the lease.
func isInterrupted(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// interruption says what an interrupted run leaves.
func (r *run) interruption() error {
	switch {
	case r.options.NoModels:
		return ErrInterrupted
	case r.preparing:
		return fmt.Errorf("%w while publishing: some tables may be the new ones, the next run completes it", ErrInterrupted)
	}
	return fmt.Errorf("%w; nothing was published", ErrInterrupted)
}

func (r *run) carryOut(ctx context.Context) (err error) {
	if r.options.NoModels {
		return r.testAlone(ctx)
	}
	if r.plan, err = r.planOf(r.vars, r.startedAt); err != nil {
		return err
	}
	r.tested = r.plan.testsDigest(r.tests)
	idle, err := r.isIdle(ctx)
	if err != nil || idle {
		return err
	}
	if idle, err = r.acquire(ctx); err != nil || idle {
		return err
	}
	if err = r.hold(ctx); err != nil {
		if isInterrupted(ctx) {
			r.lease.Release(ctx)
		}
		return err
	}
	r.report.wrote = true
	return r.runRunHooks(ctx, r.project.OnRunEnd)
}

// testAlone tests what is published.
func (r *run) testAlone(ctx context.Context) (err error) {
	if len(r.options.Deferred) > 0 {
		if r.relations, err = r.warehouse.relations(ctx, nil, 1); err != nil {
			return err
		}
	}
	if err := r.runRunHooks(ctx, r.project.OnRunStart); err != nil {
		return err
	}
	r.test(ctx)
	for _, model := range r.project.Models {
		r.check(ctx, model)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return r.runRunHooks(ctx, r.project.OnRunEnd)
}

// hold builds, tests and publishes, and renews the lease meanwhile.
func (r *run) hold(ctx context.Context) (err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	keeping, abandon := context.WithCancel(ctx)
	defer abandon()
	stop := make(chan struct{})
	var keeper sync.WaitGroup
	keeper.Go(func() { r.lease.keep(keeping, stop, end) })
	if err = r.execute(ctx); err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		r.preparing = true
		err = r.prepare(ctx)
	}
	if err != nil {
		abandon()
	}
	close(stop)
	keeper.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, ErrLeaseLost) {
		return cause
	}
	if err != nil {
		return err
	}
	_, span := tracing.Begin(ctx, "publish")
	span.SetInt("stationflow.statements", int64(len(r.exchanges)))
	err = r.lease.Publish(ctx, r.published, r.exchanges)
	span.End(err)
	if err != nil {
		return fmt.Errorf("publishing %d tables: %w", len(r.exchanges), err)
	}
	return nil
}

// execute builds and tests.
func (r *run) execute(ctx context.Context) (err error) {
	if err = r.look(ctx); err != nil {
		return err
	}
	if err = r.dropStrays(ctx); err != nil {
		return err
	}
	if err = r.runRunHooks(ctx, r.project.OnRunStart); err != nil {
		return err
	}
	var models []*project.Model
	for _, model := range r.project.Models {
		if r.wants(model) {
			models = append(models, model)
			r.building[model.Name] = r.mayBuild(model)
		}
	}
	var tests []*project.Test
	for _, test := range r.project.Tests {
		if r.tests(test) {
			tests = append(tests, test)
		}
	}
	runTasks(schedule(r.project, models, r.groups(tests, models)), r.threads, func(t *task) {
		if t.model != nil {
			r.buildOne(ctx, t.model)
		} else {
			r.testGroup(ctx, t.tests)
		}
	})
	for _, model := range r.project.Models {
		if !r.wants(model) {
			r.check(ctx, model)
		}
	}
	return r.outage
}

// guarded turns a panic into an error.
func guarded(do func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("it panicked: %v", fault)
		}
	}()
	return do()
}

// wants reports whether a model is among those that this run is about.
func (r *run) wants(model *project.Model) bool {
	return r.selected[model.ID] && model.Config.Materialized != project.Ephemeral &&
		(len(r.options.Types) == 0 || slices.Contains(r.options.Types, model.Type))
}

// tests reports whether this run runs a test.
func (r *run) tests(test *project.Test) bool { return r.selected[test.ID] && !r.options.NoTests }

// mayBuild reports whether this run may change a model: it is due, or it reads
// something that may change.
func (r *run) mayBuild(model *project.Model) bool {
	if r.options.Always || r.options.FullRefresh || r.isDue(model) {
		return true
	}
	return slices.ContainsFunc(r.plan.inputs[model.Name].models, func(name string) bool { return r.building[name] })
}

func (r *run) buildOne(ctx context.Context, model *project.Model) {
	start := time.Now()
	r.mu.Lock()
	cause, needed, outage := r.broken[model.ID], r.isNeeded(model), r.outage
	r.mu.Unlock()
	switch {
	case outage != nil:
		r.note(model, building{status: skipped, err: errors.New("the warehouse does not answer")}, 0)
		return
	case cause != "":
		r.note(model, building{status: skipped, err: errors.New(cause)}, 0)
		return
	case ctx.Err() != nil:
		r.note(model, building{status: failed, err: context.Cause(ctx)}, 0)
		return
	case !needed:
		r.note(model, building{status: unchanged, model: model}, 0)
		return
	}
	if cause := r.check(ctx, model); cause != "" {
		r.mu.Lock()
		r.block(model.ID, cause)
		r.mu.Unlock()
		r.note(model, building{status: skipped, err: errors.New(cause)}, time.Since(start))
		return
	}
	var done building
	if fault := guarded(func() error { done = r.build(ctx, model); return nil }); fault != nil {
		done = building{status: failed, err: fault}
	}
	if done.err != nil {
		done.err = fmt.Errorf("building model %s: %w", model.Name, r.ofModel(model, done.err))
	}
	r.note(model, done, time.Since(start))
}

// isNeeded reports whether a model must be built now that those it reads are.
func (r *run) isNeeded(model *project.Model) bool {
	if !r.building[model.Name] {
		return false
	}
	if r.options.Always || r.options.FullRefresh || r.isDue(model) || !model.Stored() {
		return true
	}
	return slices.ContainsFunc(r.plan.inputs[model.Name].models, func(name string) bool { return r.changed[r.project.Model(name).ID] })
}

// note keeps what became of a model.
func (r *run) note(model *project.Model, done building, took time.Duration) {
	if model.Config.Materialized == project.Ephemeral {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := ModelReport{Name: model.Name, Status: done.status, TookMS: took.Milliseconds()}
	entry.result = artifact.Result{ID: model.ID, Started: time.Now().Add(-took), SQL: r.asPublished(done.sql), Relation: r.project.Relation(model)}
	if done.err != nil {
		entry.Message = done.err.Error()
	}
	r.report.Models = append(r.report.Models, entry)
	r.noteOutage(done.err)
	if done.status == failed {
		r.block(model.ID, "it failed")
	}
	if r.building[model.Name] {
		if done.model == nil {
			done.model = model
		}
		r.built[model.Name] = done
		r.changed[model.ID] = done.changed() || done.status == unchanged && r.known.Models[model.Name].Pending
	}
}

// noteOutage ends the run when an error is not a statement's own and has not
// passed while it was tried again, or when nobody knows what became of the
// statement. Hold mu.
func (r *run) noteOutage(err error) {
	if isOutage(err) && r.outage == nil {
		r.outage = fmt.Errorf("giving up, nothing was published: %w", err)
	}
}

func isOutage(err error) bool {
	return err != nil && (retryable(err) || errors.As(err, new(unsettled)))
}

// planOf returns the plan of a moment; the last one is kept while both the
// network's date and the hour last.
func (r *Runner) planOf(vars map[string]any, at time.Time) (*plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hour := at.UTC().Format("2006-01-02T15")
	key := hour + " " + vars["today"].(string)
	if known := r.plans[key]; known != nil {
		return known, nil
	}
	made, err := newPlan(r.project, vars, hour)
	if err == nil {
		r.plans = map[string]*plan{key: made}
	}
	return made, err
}
