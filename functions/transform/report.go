package transform

import (
	"context"
	"log/slog"
	"time"
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
	results   []TestReport // of all tests that were run
}

// A ModelReport says what became of a model.
type ModelReport struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // created, replaced, unchanged, failed, skipped or held
	TookMS  int64  `json:"took_ms"`
	Message string `json:"message,omitempty"`
}

// A TestReport says what a test found.
type TestReport struct {
	Name     string `json:"name"`
	Status   string `json:"status"`   // failed or warned
	Failures int64  `json:"failures"` // rows that must not be
	TookMS   int64  `json:"took_ms"`
	Message  string `json:"message,omitempty"`

	id string
}

// OK tells whether all models and all tests of severity error succeeded.
func (r *Report) OK() bool { return r.Status == statusOK }

// finish sums up.
func (r *Report) finish(took time.Duration) {
	r.Status, r.TookMS = statusOK, took.Milliseconds()
	if r.Message != "" {
		r.Status = statusFailed
	}
	for _, model := range r.Models {
		if model.Status == failed || model.Status == skipped {
			r.Status = statusFailed
		}
	}
	for _, test := range r.Tests {
		if test.Status == failed {
			r.Status = statusFailed
		}
	}
}

// log writes one line for the run, and one for each thing that failed.
func (r *Report) log(log *slog.Logger) {
	changed := 0
	for _, model := range r.Models {
		switch model.Status {
		case failed:
			log.Error("model failed", "run_id", r.RunID, "model", model.Name, "error", model.Message)
		case created, replaced:
			changed++
			log.Debug("model built", "run_id", r.RunID, "model", model.Name, "status", model.Status, "took_ms", model.TookMS)
		}
	}
	for _, test := range r.Tests {
		level := slog.LevelError
		if test.Status == warned {
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
