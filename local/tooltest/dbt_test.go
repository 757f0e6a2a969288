package tooltest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/local/built"
)

// A dbt project of one's own, in a folder of its own and a dataset that does not
// exist yet.
type project struct {
	*system
	t      *testing.T
	folder string
}

func (s *system) project(t *testing.T, files map[string]string) *project {
	t.Helper()
	p := &project{s, t, t.TempDir()}
	for name, text := range files {
		p.write(name, text)
	}
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// dbt runs a command in a shell that knows nothing of the system, and names a
// dataset of its own.
func (p *project) dbt(want int, line string) (out, errs string) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), built.Program(p.t, "stationflow"), append([]string{"dbt"}, strings.Fields(line)...)...)
	command.Dir = p.folder
	command.Env = append(os.Environ(), "PROD_DATASET=shop_marts", "XDG_RUNTIME_DIR="+p.system.folder)
	var o, e bytes.Buffer
	command.Stdout, command.Stderr = &o, &e
	if err := command.Run(); command.ProcessState == nil {
		p.t.Fatal(err)
	}
	if code := command.ProcessState.ExitCode(); code != want {
		p.t.Fatalf("dbt %s ended with %d, want %d\n%s%s", line, code, want, o.String(), e.String())
	}
	said, begins := strings.CutPrefix(e.String(), "local system at "+p.Page+"\nPROD_DATASET is shop_marts, as this shell says\n")
	if !begins {
		p.t.Errorf("dbt %s says %s", line, e.String())
	}
	return o.String(), said
}

// shared is what a run says that publishes nothing, in a shell without a dataset
// of its own.
func (p *project) shared() string {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), built.Program(p.t, "stationflow"), "dbt", "run", "--select", "by_station")
	command.Dir, command.Env = p.folder, append(os.Environ(), "XDG_RUNTIME_DIR="+p.system.folder)
	said, _ := command.CombinedOutput() // the model is wrong
	return string(said)
}

// What somebody meets who writes the first models of their own: the dataset is
// made, a mistake is told with its line, and once.
func TestDbt_AProjectOfOnesOwn(t *testing.T) {
	p := local(t).project(t, map[string]string{
		"dbt_project.yml":       "name: shop\n",
		"models/stg.sql":        "select station, severity, duration\nfrom {{ source('staging_data', 'incidents') }}",
		"models/by_station.sql": "{{ config(\n  materialized='table'\n) }}\n\nselect station,\n  count(*) as incidents,\n  sum(duration) as minutes\nfrom {{ ref('stg') }}\ngroup by 1",
		"models/t.yml": `sources: [{name: staging_data, tables: [{name: incidents}]}]
models: [{name: by_station, columns: [{name: station, data_tests: [unique, not_null]}]}]
unit_tests:
- name: adds_up
  model: by_station
  given: [{input: ref('stg'), rows: [{station: A, duration: 2}, {station: A, duration: 3}]}]
  expect: {rows: [{station: A, incidents: 2, minutes: 5}]}
`,
	})
	if out, _ := p.dbt(0, "parse"); out != "2 models, 2 tests, 1 unit test and 1 sources are as they should be\n" {
		t.Errorf("parse: %s", out)
	}
	out, _ := p.dbt(0, "debug")
	if !strings.Contains(out, "dataset shop_marts does not exist yet: build, run, seed and snapshot make it") {
		t.Errorf("debug: %s", out)
	}
	for line, want := range map[string]string{
		"deps": "nothing to install: neither packages.yml nor dependencies.yml names a package\n", "source freshness": "nothing to look at: no selected source has loaded_at_field and freshness\n",
	} {
		if out, errs := p.dbt(0, line); out != "" || errs != want {
			t.Errorf("%s: %s%s", line, out, errs)
		}
	}
	p.dbt(0, "compile")
	p.dbt(0, "docs generate")
	if _, errs := p.dbt(1, "test --select not_null_by_station_station"); strings.Count(errs, "\n") != 1 {
		t.Errorf("test: %s", errs)
	}
	if _, errs := p.dbt(1, "build --dry-run"); !strings.Contains(errs, "dataset shop_marts of project stationflow-local does not exist") {
		t.Errorf("a dry run: %s", errs)
	}
	out, errs := p.dbt(0, "build")
	if errs != "made dataset shop_marts\n" || !strings.Contains(out, "created") {
		t.Errorf("build: %s%s", out, errs)
	}
	if _, errs := p.dbt(0, "run"); errs != "" {
		t.Errorf("run: %s", errs)
	}
	if code, rows, errs := p.tool(t, "", "query", "select incidents, minutes from shop_marts.by_station"); code != 0 || !strings.Contains(rows, "3,1800") {
		t.Errorf("%s%s", rows, errs)
	}

	good, err := os.ReadFile(filepath.Join(p.folder, "models/by_station.sql"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("models/by_station.sql", strings.Replace(string(good), "sum(duration)", "sum(duratoin)", 1))
	for _, command := range []string{"build", "run", "run --full-refresh", "build --json", "run --dry-run"} {
		out, errs := p.dbt(1, command)
		if n := strings.Count(out+errs, "at line 7 of models/by_station.sql"); n == 0 || n > 2 || strings.Contains(out+errs, "[3:") || strings.Contains(out+errs, "[7:") {
			t.Errorf("%s: %s%s", command, out, errs)
		}
	}
	if _, errs := p.dbt(1, "show --select by_station"); !strings.Contains(errs, "at line 7 of models/by_station.sql") {
		t.Errorf("show: %s", errs)
	}
	p.write("models/by_station.sql", strings.Replace(string(good), "sum(duration)", "{{ 'sum(duratoin)' }}", 1))
	where := "at line 5 of target/compiled/shop/models/by_station.sql, written by line 7 of models/by_station.sql"
	if out, _ := p.dbt(1, "run"); !strings.Contains(out, where) {
		t.Errorf("what Jinja writes: %s", out)
	}
	if text, err := os.ReadFile(filepath.Join(p.folder, "target/compiled/shop/models/by_station.sql")); err != nil || !strings.Contains(strings.Split(string(text), "\n")[4], "duratoin") {
		t.Errorf("%v: %s", err, text)
	}

	if said := p.shared(); !strings.Contains(said, "dataset prod_data is where the function transform publishes: give the project shop one of its own by PROD_DATASET\n") {
		t.Errorf("into the function's own dataset: %s", said)
	}
	p.write("models/by_station.sql", strings.Replace(string(good), "sum(duration)", "max(duration)", 1))
	out, errs = p.dbt(1, "build")
	if strings.Count(out+errs, "actual differs from expected") != 1 || errs != "stationflow dbt: the run failed\n" {
		t.Errorf("a failing unit test: %s%s", out, errs)
	}
}
