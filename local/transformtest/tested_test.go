package transformtest

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/staged"
)

// tested is a project whose figures a test can find wrong.
var tested = map[string]string{
	"models/counted.sql": "select count(*) as n from {{ source('staging', 'incidents') }}",
	"models/shown.sql":   "{{ config(materialized='view') }}select n from {{ ref('counted') }}",
	"models/all.yml":     "models: [{name: counted, columns: [{name: n, data_type: int64}]}]",
}

// Nothing is to be done, and yet no run succeeds, while what is published fails
// a test of the run: whichever run published it, and whichever test it is.
func TestIdle_IsNoVerdictOnWhatWasNotTested(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		test    string // fails while there are 3 incidents
		happens func(t *testing.T, s *system, wrong map[string]string)
	}{
		"published by a run without tests": {"select * from {{ ref('counted') }} where n = 3", func(t *testing.T, s *system, wrong map[string]string) {
			s.small(wrong)
			runner, err := run.New(t.Context(), s.config.Config)
			check(t, err)
			t.Cleanup(func() { check(t, runner.Close()) })
			report, err := runner.Run(t.Context(), run.Options{NoTests: true, Always: true})
			check(t, err)
			if !report.OK() {
				t.Fatalf("the run without tests failed: %+v", report)
			}
		}},
		"the test is new": {"select * from {{ ref('counted') }} where n = 3", func(_ *testing.T, s *system, wrong map[string]string) {
			s.small(tested)
			s.run()
			s.small(wrong)
		}},
		"the test is of a view": {"select * from {{ ref('shown') }} where n = 3", func(_ *testing.T, s *system, wrong map[string]string) {
			s.small(tested)
			s.run()
			s.small(wrong)
		}},
		"the test is of a source": {"select * from (select count(*) as n from {{ source('staging', 'incidents') }}) where n = 3", func(_ *testing.T, s *system, wrong map[string]string) {
			s.small(wrong)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.UTC, noon)
			g := staged.NewGenerator(54, staged.Within(noon.Add(-5*time.Hour), noon))
			s.incidents(g, 3)
			wrong := maps.Clone(tested)
			wrong["tests/wrong.sql"] = c.test
			c.happens(t, s, wrong)
			for i := range 3 {
				if report := s.transform.Run(t.Context()); report.OK() || len(report.Tests) != 1 || !strings.Contains(report.Tests[0].Name, "wrong") {
					t.Errorf("run %d says %+v", i+1, report)
				}
			}
			s.incidents(g, 1)
			s.run()
			if report := s.run(); report.TestsRun > 0 {
				t.Errorf("a run without news runs %d tests", report.TestsRun)
			}
		})
	}
}
