// Package transformtest runs the dbt project natively against the local
// warehouse and compares every dashboard figure with package expect.
package transformtest

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/local/staged"
)

const (
	project = staged.Project
	prod    = staged.Prod
)

// A system is a warehouse with empty staging tables, and the transform on it.
type system struct {
	*staged.Warehouse
	t         testing.TB
	config    transform.Config
	transform *transform.Transformer
	now       time.Time // of the transform
}

func start(t testing.TB, location *time.Location, now time.Time) *system {
	t.Helper()
	w := staged.Start(t, prod)
	s := &system{Warehouse: w, t: t, now: now, config: transform.Config{
		Config: run.Config{
			Files: dbt.Files, Warehouse: w.Config, Location: location, Statement: time.Minute, Log: slog.New(slog.DiscardHandler),
		},
		Wait: time.Minute, Run: 5 * time.Minute,
	}}
	s.config.Now = func() time.Time { return s.now }
	s.restart()
	return s
}

// restart makes the transform again, as a new instance of the function.
func (s *system) restart() {
	s.t.Helper()
	transformer, err := transform.New(s.t.Context(), s.config)
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, transformer.Close()) })
	s.transform = transformer
}

// run transforms, which must succeed, and returns the report.
func (s *system) run() *run.Report {
	s.t.Helper()
	report := s.transform.Run(s.t.Context())
	if report == nil || !report.OK() {
		s.t.Fatalf("the run failed: %s", faults(report))
	}
	return report
}

// faults says what went wrong in a run.
func faults(report *run.Report) string {
	if report == nil {
		return "no report"
	}
	all := []string{report.Message}
	for _, model := range report.Models {
		if model.Message != "" {
			all = append(all, model.Name+" "+model.Status+": "+model.Message)
		}
	}
	for _, test := range report.Tests {
		all = append(all, fmt.Sprintf("%s %s: %d failures %s", test.Name, test.Status, test.Failures, test.Message))
	}
	return strings.Join(all, "\n")
}

// verify compares every row of the dashboard tables with what is expected of
// the records appended so far.
func (s *system) verify(when string) {
	s.t.Helper()
	differences := s.differences()
	for i, difference := range differences {
		if i == 10 {
			s.t.Errorf("%s: and %d more", when, len(differences)-i)
			break
		}
		s.t.Errorf("%s: %s", when, difference)
	}
}

func (s *system) differences() []string {
	s.t.Helper()
	var all []string
	for table, want := range expect.Dashboards(s.Records, s.now, s.config.Location, 5*time.Minute) {
		for _, difference := range expect.Diff(want, s.Dashboard(prod, table)) {
			all = append(all, table+": "+difference)
		}
	}
	return all
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// statuses returns the models of a report with one of the statuses, sorted.
func statuses(report *run.Report, of ...string) []string {
	var names []string
	for _, model := range report.Models {
		if slices.Contains(of, model.Status) {
			names = append(names, model.Name)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}
