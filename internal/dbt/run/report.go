package run

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// Statuses of a run.
const (
	statusOK     = "success"
	statusFailed = "failed"
)

// A Report says what a run did.
type Report struct {
	Status   string        `json:"status"` // success or failed
	RunID    string        `json:"run_id"`
	TookMS   int64         `json:"took_ms"`
	Message  string        `json:"message,omitempty"` // what went wrong besides models and tests
	RowsNew  int64         `json:"rows_new"`          // in the sources since the last run; -1 when that is not known
	Models   []ModelReport `json:"models"`
	TestsRun int           `json:"tests_run"`
	Tests    []TestReport  `json:"tests"` // those that found something, or could not run

	StartedAt time.Time    `json:"-"`
	passed    []TestReport // tests that found nothing
	wrote     bool         // whether there was something to do
}

// A ModelReport says what became of a model.
type ModelReport struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // created, replaced, unchanged, failed, skipped or held
	TookMS  int64  `json:"took_ms"`
	Message string `json:"message,omitempty"`

	result artifact.Result
}

// A TestReport says what a test found.
type TestReport struct {
	Name     string `json:"name"`
	Status   string `json:"status"`   // failed, warned or skipped
	Failures int64  `json:"failures"` // rows that must not be
	TookMS   int64  `json:"took_ms"`
	Message  string `json:"message,omitempty"`

	result artifact.Result
}

// A UnitReport says what a unit test came to.
type UnitReport struct {
	Test *project.UnitTest
	Text project.Text // the query
	Diff string       // "" for none
	Err  error        // why it could not be run
	Took time.Duration
}

// check runs the unit tests of a model, and says what keeps it from being built:
// "" for nothing.
func (r *run) check(ctx context.Context, model *project.Model) (cause string) {
	if r.options.Check == nil || ctx.Err() != nil {
		return ""
	}
	var reports []UnitReport
	if err := guarded(func() error { reports = r.options.Check(ctx, model, r.compilation(ctx)); return nil }); err != nil {
		return "running its unit tests: " + err.Error()
	}
	for _, one := range reports {
		entry := TestReport{Name: one.Test.Name, Status: project.Pass, Message: one.Diff, TookMS: one.Took.Milliseconds()}
		if one.Err != nil {
			of := compiledOf(&one.Test.Resource, one.Text)
			of.File = model.Path + ", tested by " + of.File
			entry.Message = fmt.Sprintf("running unit test %s: %v", one.Test.Name, of.Placed(r.options.Compiled, one.Err))
		}
		if entry.Message != "" {
			entry.Status, entry.Failures, cause = failed, 1, "its unit test "+one.Test.Name+" failed"
		}
		entry.result = artifact.Result{ID: one.Test.ID, Started: time.Now().Add(-one.Took), Failures: &entry.Failures, SQL: one.Text.SQL, IsFailure: one.Diff != ""}
		r.mu.Lock()
		r.noteOutage(one.Err)
		if r.report.TestsRun++; entry.Status == failed {
			r.report.Tests = append(r.report.Tests, entry)
		} else {
			r.report.passed = append(r.report.passed, entry)
		}
		r.mu.Unlock()
	}
	return cause
}

// Failed is the report of a run that did not start.
func Failed(message string) *Report { return &Report{Status: statusFailed, Message: message} }

// Wrote reports whether there was something to do.
func (r *Report) Wrote() bool { return r.wrote }

// OK reports whether all models and all tests of severity error succeeded.
func (r *Report) OK() bool { return r.Status == statusOK }

// finish sums up.
func (r *Report) finish(took time.Duration) {
	r.Status, r.TookMS = statusOK, took.Milliseconds()
	if r.Message != "" {
		r.Status = statusFailed
	}
	for _, model := range r.Models {
		if model.Status == failed || model.Status == skipped || model.Status == held {
			r.Status = statusFailed
		}
	}
	for _, test := range r.Tests {
		if test.Status == failed {
			r.Status = statusFailed
		}
	}
}

// Log writes one line for the run, and one for each thing that failed; for
// debugging also one for each model.
func (r *Report) Log(log *slog.Logger) {
	changed := 0
	for _, model := range r.Models {
		log.Debug("model finished", "run_id", r.RunID, "model", model.Name, "status", model.Status, "took_ms", model.TookMS, "error", model.Message)
		switch model.Status {
		case failed:
			log.Error("model failed", "run_id", r.RunID, "model", model.Name, "error", model.Message)
		case created, replaced:
			changed++
			log.Info("model built", "run_id", r.RunID, "model", model.Name, "status", model.Status, "took_ms", model.TookMS)
		}
	}
	for _, test := range r.Tests {
		level := slog.LevelError
		if test.Status != failed {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "test "+test.Status, "run_id", r.RunID, "test", test.Name, "failures", test.Failures, "error", test.Message)
	}
	level := slog.LevelInfo
	if !r.OK() {
		level = slog.LevelError
	}
	log.Log(context.Background(), level, "transform finished", "run_id", r.RunID, "status", r.Status, "took_ms", r.TookMS,
		"models", len(r.Models), "changed", changed, "tests", r.TestsRun, "failures", len(r.Tests), "rows_new", r.RowsNew, "error", r.Message)
}

// dbtStatus is dbt's word for what became of a model or a test.
var dbtStatus = map[string]string{
	created: "success", replaced: "success", unchanged: "no-op", failed: "error", skipped: "skipped", held: "skipped",
	project.Pass: "pass", warned: "warn",
}

// outcomes are those of models and tests, in dbt's words.
func (r *Report) outcomes() (results []artifact.Result) {
	add := func(result artifact.Result, status, message string, tookMS int64) {
		result.Status, result.Message, result.Took = dbtStatus[status], message, time.Duration(tookMS)*time.Millisecond
		if result.Failures != nil && status == failed && (message == "" || result.IsFailure) {
			result.Status = "fail"
		}
		results = append(results, result)
	}
	for _, model := range r.Models {
		add(model.result, model.Status, model.Message, model.TookMS)
	}
	for _, tests := range [][]TestReport{r.passed, r.Tests} {
		for _, test := range tests {
			add(test.result, test.Status, test.Message, test.TookMS)
		}
	}
	return results
}

// results are what hooks are told of the outcomes. What is unchanged is a success
// to them, as dbt builds it again.
func (r *Report) results() (all []project.RunResult) {
	for _, one := range r.outcomes() {
		if one.Status == dbtStatus[unchanged] {
			one.Status = dbtStatus[replaced]
		}
		all = append(all, project.RunResult{ID: one.ID, Status: one.Status, Message: one.Message, Seconds: one.Took.Seconds(), Failures: one.Failures})
	}
	return all
}

// Artifacts are dbt's manifest.json and run_results.json of the run, by name.
func (r *Report) Artifacts(p *project.Project) map[string][]byte {
	compiled, results := map[string]string{}, r.outcomes()
	for _, result := range results {
		if result.SQL != "" {
			compiled[result.ID] = result.SQL
		}
	}
	now := time.Now()
	return map[string][]byte{
		artifact.ManifestName:   artifact.Manifest(p, compiled, r.RunID, now),
		artifact.RunResultsName: artifact.RunResults(r.RunID, now, time.Duration(r.TookMS)*time.Millisecond, results),
	}
}

// Compiled are the SQL of the models and tests of the run, by the paths of their
// files below target/compiled; of unit tests those that failed.
func (r *Report) Compiled(p *project.Project) map[string]string {
	files := map[string]string{}
	for _, model := range p.Models {
		if model.Type != project.TypeSeed { // of which it is all rows
			files[model.ID] = compiledOf(&model.Resource, project.Text{}).Path
		}
	}
	for _, test := range p.Tests {
		files[test.ID] = compiledTest(test, project.Text{}).Path
	}
	for _, test := range p.UnitTests {
		files[test.ID] = compiledOf(&test.Resource, project.Text{}).Path
	}
	compiled := map[string]string{}
	for _, result := range r.outcomes() {
		if strings.HasPrefix(result.ID, project.TypeUnitTest+".") && result.Status == dbtStatus[project.Pass] {
			continue // dbt keeps them nowhere
		}
		if file := files[result.ID]; file != "" && result.SQL != "" {
			compiled[file] = result.SQL
		}
	}
	return compiled
}

// made notes that a view is a new one although its model's rows are not.
func (r *Report) made(name string) {
	for i := range r.Models {
		if entry := &r.Models[i]; entry.Name == name && entry.Status == unchanged {
			entry.Status = created
		}
	}
}
