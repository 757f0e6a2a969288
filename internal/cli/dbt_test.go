package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func dbt(t *testing.T, line string) (code int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	streams := Streams{Getenv: func(name string) string {
		return map[string]string{"GOOGLE_CLOUD_PROJECT": "some-project"}[name]
	}, Out: &o, Err: &e}
	code = Main(t.Context(), strings.Fields("dbt "+line), streams, Commands())
	return code, o.String(), e.String()
}

func TestDbt_ListsWhatIsSelected(t *testing.T) {
	code, out, errs := dbt(t, "ls --select 1+train_dashboard,resource_type:model incident_dashboard --output name --exclude test_type:singular test_type:generic")
	if diff := cmp.Diff("incident_dashboard\ntrain_movements_hourly\ntrain_dashboard\n", out); code != 0 || diff != "" {
		t.Errorf("%d %s %s", code, errs, diff)
	}
	code, out, _ = dbt(t, "ls --select source:staging.quarantine+ --exclude resource_type:test")
	if diff := cmp.Diff("source:stationflow.staging.quarantine\nstationflow.staging.stg_quarantine\n", out); code != 0 || diff != "" {
		t.Error(diff)
	}
	code, out, _ = dbt(t, "ls -s incidents_hourly,resource_type:model --output json")
	want := `{"alias":"incidents_hourly","config":{"materialized":"incremental"},"depends_on":{"nodes":["source.stationflow.staging.incidents"]},` +
		`"name":"incidents_hourly","original_file_path":"models/marts/incidents_hourly.sql","package_name":"stationflow","resource_type":"model","tags":[],"unique_id":"model.stationflow.incidents_hourly"}`
	if line, _, _ := strings.Cut(out, "\n"); code != 0 || line != want {
		t.Errorf("%d %s", code, line)
	}
}

func TestDbt_SaysWhatIsWrong(t *testing.T) {
	for line, want := range map[string]string{
		"":                         "usage: stationflow dbt COMMAND",
		"snapshot":                 `there is no command "snapshot"`,
		"ls --select nothing":      `the selector "nothing" selects nothing`,
		"ls --output yaml":         `--output is "yaml"`,
		"ls --vars 3":              `--vars "3" is no YAML of names and values`,
		"ls --project-dir nowhere": "dbt_project.yml",
		"run all":                  `unexpected argument "all"`,
	} {
		code, _, errs := dbt(t, line)
		if wanted := map[bool]int{true: 0, false: 1}[line == ""]; code != wanted || !strings.Contains(errs, want) {
			t.Errorf("%q: exit code %d and %q, want %d and %q", line, code, errs, wanted, want)
		}
	}
}
