package transform

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/stationflow/stationflow/functions/transform/project"
)

// A Runner runs one project against one warehouse. It remembers, in memory,
// what the last run found and made, so that a run with no new input does
// nothing; forgetting costs time only. Run must not be called concurrently.
type Runner struct {
	project   *project.Project
	warehouse *warehouse
	location  *time.Location
	now       func() time.Time
	log       *slog.Logger
	memory    *memory
}

// memory is what was true after the last run.
type memory struct {
	definitions map[string]string // of the relations known to exist, by model
	compiled    map[string]string // SQL of the last build, by model
	moved       map[string]bool   // models whose last build failed or was skipped: due, whatever their SQL
	found       map[string]bool   // tests that found something
}

func newMemory() *memory {
	return &memory{definitions: map[string]string{}, compiled: map[string]string{}, moved: map[string]bool{}, found: map[string]bool{}}
}

// Options of a run.
type Options struct {
	FullRefresh bool // make every table anew from what staging retains
}

// run is one run in progress.
type run struct {
	*Runner
	fullRefresh bool
	vars        map[string]any
}

// Run builds all models, each after those it reads, and then tests those that
// changed. What depends on a failed model is skipped and keeps its contents.
func (r *Runner) Run(ctx context.Context, options Options) *Report {
	start, now := time.Now(), r.now()
	report := &Report{RunID: now.UTC().Format("20060102T150405.000000Z"), Models: []ModelReport{}, Tests: []TestReport{}}
	current := &run{Runner: r, fullRefresh: options.FullRefresh, vars: map[string]any{
		"today": now.In(r.location).Format(time.DateOnly),
	}}
	changed := current.models(ctx, report)
	current.tests(ctx, report, changed)
	report.finish(time.Since(start))
	if !report.OK() {
		r.memory.definitions = map[string]string{} // a table may be gone: look again
	}
	report.log(r.log)
	return report
}

// models builds all and returns which changed.
func (r *run) models(ctx context.Context, report *Report) map[string]bool {
	changed, broken := map[string]bool{}, map[string]bool{}
	for _, model := range r.project.Models {
		start := time.Now()
		entry := ModelReport{Name: model.Name}
		moved := r.memory.moved[model.Name] || firstOf(models(model.Reads), changed) != ""
		if cause := firstOf(models(model.Reads), broken); cause != "" {
			entry.Status, entry.Message = skipped, cause+" failed"
		} else {
			status, err := r.build(ctx, model, moved)
			entry.Status = status
			if err != nil {
				entry.Status, entry.Message = failed, fmt.Sprintf("building model %s: %v", model.Name, err)
			}
		}
		entry.TookMS = time.Since(start).Milliseconds()
		report.Models = append(report.Models, entry)
		changed[model.Name] = entry.Status == created || entry.Status == replaced || entry.Status == unchanged && passesOn(model, moved)
		broken[model.Name] = entry.Status == failed || entry.Status == skipped
		r.memory.moved[model.Name] = broken[model.Name]
	}
	return changed
}

// passesOn tells whether readers of an unchanged model see new rows: through a
// view they see what it reads, raw rows above all.
func passesOn(m *project.Model, moved bool) bool {
	return m.Config.Materialized == project.View && (moved || readsSource(m))
}

// warned is the status of a test of severity warn that found something.
const warned = "warned"

// tests runs the tests that read a changed model, and again those that found
// something the last time.
func (r *run) tests(ctx context.Context, report *Report, changed map[string]bool) {
	for _, test := range r.project.Tests {
		if firstOf(models(test.Reads), changed) == "" && !r.memory.found[test.Name] {
			continue
		}
		start := time.Now()
		report.TestsRun++
		failures, err := r.count(ctx, test)
		r.memory.found[test.Name] = err != nil || failures > 0
		if !r.memory.found[test.Name] {
			continue
		}
		entry := TestReport{Name: test.Name, Status: failed, Failures: failures, TookMS: time.Since(start).Milliseconds()}
		if err != nil {
			entry.Message = fmt.Sprintf("running test %s: %v", test.Name, err)
		} else if test.Warn {
			entry.Status = warned
		}
		report.Tests = append(report.Tests, entry)
	}
}

func (r *run) count(ctx context.Context, test *project.Test) (int64, error) {
	sql, err := r.project.CompileTest(test, project.Compilation{Vars: r.vars})
	if err != nil {
		return 0, err
	}
	rows, err := r.warehouse.query(ctx, "select count(*) as failures\nfrom (\n"+sql+"\n)")
	if err != nil {
		return 0, err
	}
	if len(rows) == 1 {
		if failures, ok := rows[0]["failures"].(int64); ok {
			return failures, nil
		}
	}
	return 0, fmt.Errorf("the count has %d rows", len(rows))
}

// firstOf returns the first name that is in the set, or "".
func firstOf(names []string, set map[string]bool) string {
	for _, name := range names {
		if set[name] {
			return name
		}
	}
	return ""
}

// models are the names of those that the ids name.
func models(ids []string) []string {
	var names []string
	for _, id := range ids {
		if !strings.HasPrefix(id, project.TypeSource+".") {
			names = append(names, id[strings.LastIndex(id, ".")+1:])
		}
	}
	return names
}
