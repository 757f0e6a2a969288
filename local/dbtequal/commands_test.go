package dbtequal

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/staged"
)

// commands run commands of both tools in one project and one dataset each.
type commands struct {
	*both
	program string
}

// newCommands puts a project into a folder, and has both tools build it.
func newCommands(t *testing.T, files map[string]string) *commands {
	t.Helper()
	python(t)
	w := staged.Start(t)
	macros, err := os.ReadFile("testdata/tables/local.sql")
	check(t, err)
	files["profiles.yml"], files["macros/local.sql"] = onWarehouse, string(macros)
	c := &commands{&both{T: t, w: w, core: startCore(t, w), by: [2]string{"core", "native"}}, built.Program(t, "stationflow")}
	c.makeDatasets()
	c.folder = small{files: files}.write(t)
	return c
}

// native runs a command of the runner.
func (c *commands) call(args ...string) (said string, ok bool) {
	c.Helper()
	process := exec.Command(c.program, append(append([]string{"dbt"}, args...), "--project-dir", c.folder, "--target-path", c.folder+"/native")...)
	process.Env = append(os.Environ(), "GOOGLE_CLOUD_PROJECT="+staged.Project, "BIGQUERY_EMULATOR_HOST="+c.w.Config.RESTEndpoint,
		"BIGQUERY_STORAGE_EMULATOR_HOST="+c.w.Config.GRPCEndpoint, "STAGING_DATASET="+staged.Staging, "PROD_DATASET="+c.by[1], "DATASET="+c.by[1])
	var out, errs strings.Builder
	process.Stdout, process.Stderr = &out, &errs
	if err := process.Run(); err != nil {
		return out.String() + errs.String(), false
	}
	return out.String(), true
}

// bothRun runs a command of both, which must succeed.
func (c *commands) bothRun(args ...string) {
	c.Helper()
	if built := c.core.call(c.T, c.folder, c.by[0], args); !built.Success {
		c.Fatalf("dbt-core: %v: %s", args, built.Said)
	}
	if said, ok := c.call(args...); !ok {
		c.Fatalf("the runner: %v: %s", args, said)
	}
}

// same runs a command of both, whose outputs must be the same. dbt-core's has no
// title, because it is told to be quiet.
func (c *commands) same(args ...string) {
	c.Helper()
	want := c.core.call(c.T, c.folder, c.by[0], args)
	got, ok := c.call(args...)
	if strings.HasPrefix(got, "Previewing") {
		_, got, _ = strings.Cut(got, "\n")
	}
	if ok != want.Success {
		c.Errorf("%v: dbt-core succeeded: %v, the runner: %v\n%s\n%s", args, want.Success, ok, want.Said, got)
	}
	said := strings.ReplaceAll(want.Said, c.by[0], c.by[1])
	if ok && strings.TrimRight(got, "\n") != strings.TrimRight(said, "\n") {
		c.Errorf("%v: dbt-core prints\n%s\nand the runner\n%s", args, said, got)
	}
}

// Rows are printed as dbt-core prints them.
func TestTables_AreShownAsByDbtCore(t *testing.T) {
	c := newCommands(t, map[string]string{
		"models/kinds.sql": `select 1 as n, 1234567.5 as f, numeric '0.12345' as exact, true as yes, "it's \"ä\"" as word, date '2026-11-22' as d, 7 as seventh union all
select null, -0.25, numeric '3', null, 'a text that is longer than the table shows', null, 8 order by seventh`,
		"models/times.sql":  `select datetime '2026-11-22 07:30:00.5' as dt, timestamp '2026-11-22 07:30:00+00' as ts, time '07:30:00' as t, b'a\x01' as b, cast(null as string) as nil, 2.0 as whole`,
		"models/lists.sql":  `select [1, 2] as l, struct(1 as x, 'y' as y, 2.0 as f) as s, [struct('ü' as z)] as deep, json '{"a": [1, true]}' as j, cast([] as array<int64>) as empty`,
		"models/e.sql":      `{{ config(materialized='ephemeral') }}select n from {{ ref('kinds') }}`,
		"models/which.sql":  `select '{{ flags.WHICH }}' as which`,
		"seeds/letters.csv": "letter,place\na,1\nb,2\n",
		"tests/none.sql":    "select * from {{ ref('kinds') }} where n = 1",
	})
	c.bothRun("run")
	for _, output := range []string{"text", "json"} {
		for _, args := range [][]string{
			{"--select", "kinds"}, {"--select", "times"}, {"--select", "lists"}, {"--select", "e", "--limit", "1"}, {"--select", "none"}, {"--select", "which"},
			{"--inline", "select {{ var('x', 3) }} as n from {{ ref('e') }}"}, {"--inline", "select 1 as n from unnest([])"}, {"--inline", "select n from unnest(generate_array(1, 7)) as n order by n"},
			{"--inline", "select n from unnest(generate_array(1, 7)) as n order by n", "--limit", "-1"}, {"--inline", "select * from {{ ref('gone') }}"}, {"--inline", "select"},
		} {
			c.same(append(append([]string{"show"}, args...), "--output", output)...)
		}
	}
}

// The lines of list have what dbt-core's have, in any order.
func TestTables_AreListedAsByDbtCore(t *testing.T) {
	c := newCommands(t, map[string]string{
		"models/a.sql":     "{{ config(materialized='table', tags=['x'], alias='other', meta={'k': 1}) }}select * from {{ ref('s') }}",
		"models/sub/b.sql": "select * from {{ source('raw', 'events') }} join {{ ref('a') }} using (n)",
		"models/t.yml":     "sources: [{name: raw, tables: [{name: events}]}]\nmodels: [{name: a, description: one, columns: [{name: n, data_tests: [unique]}]}]\n",
		"seeds/s.csv":      "n\n1\n",
		"tests/odd.sql":    "select * from {{ ref('a') }}",
	})
	for _, args := range [][]string{
		{"--output-keys", "name", "resource_type", "config.materialized", "depends_on.nodes"},
		{"--output-keys", "unique_id package_name original_file_path tags alias source_name fqn config.nothing", "--select", "+b"},
		{"--output-keys", "unique_id", "--resource-type", "seed", "test", "source"},
		{"--output-keys", "unique_id", "--resource-types", "all", "--exclude-resource-types", "test", "model"},
	} {
		args = append([]string{"list", "--output", "json"}, args...)
		want := c.core.call(c.T, c.folder, c.by[0], args)
		said, ok := c.call(args...)
		if !ok || !want.Success {
			t.Fatalf("%s\n%s", want.Said, said)
		}
		if diff := cmp.Diff(linesOf(t, want.Said), linesOf(t, said)); diff != "" {
			t.Errorf("%v: %s", args, diff)
		}
	}
}

// linesOf are lines of JSON, in their order.
func linesOf(t *testing.T, text string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		var read any
		check(t, json.Unmarshal([]byte(line), &read))
		written, err := json.Marshal(read)
		check(t, err)
		lines = append(lines, string(written))
	}
	slices.Sort(lines)
	return lines
}

// dbt's own classes read the catalog, and it has what the warehouse holds.
func TestTables_AreInTheCatalog(t *testing.T) {
	c := newCommands(t, map[string]string{
		"models/a.sql": "{{ config(materialized='table', partition_by={'field': 'd', 'data_type': 'date'}, cluster_by=['n'], persist_docs={'relation': true, 'columns': true}) }}" +
			"select 1 as n, date '2026-11-22' as d, struct('x' as word, [struct(2.5 as f)] as deep) as s",
		"models/v.sql": "select n from {{ ref('a') }}",
		"models/e.sql": "{{ config(materialized='ephemeral') }}select 1 as n",
		"models/t.yml": "sources: [{name: raw, schema: \"{{ target.schema }}\", tables: [{name: a_source, identifier: a}, {name: gone}]}]\nmodels: [{name: a, description: All., columns: [{name: n, description: A number.}]}]\n",
	})
	if said, ok := c.call("run"); !ok {
		t.Fatal(said)
	}
	if said, ok := c.call("docs", "generate"); !ok {
		t.Fatal(said)
	}
	const program = `
import json, sys, jsonschema
from dbt.artifacts.schemas.catalog import CatalogArtifact
CatalogArtifact.read_and_check_versions(sys.argv[1])
jsonschema.validate(json.load(open(sys.argv[1])), CatalogArtifact.json_schema().to_dict() if not isinstance(CatalogArtifact.json_schema(), dict) else CatalogArtifact.json_schema())
`
	file := filepath.Join(c.folder, "native", "catalog.json")
	if out, err := exec.CommandContext(t.Context(), python(t), "-c", program, file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	content, err := os.ReadFile(file)
	check(t, err)
	var read struct {
		Nodes, Sources map[string]struct {
			Metadata struct{ Type, Name, Comment string }
			Columns  map[string]struct {
				Type, Comment string
				Index         int
			}
			Stats map[string]struct{ Value any }
		}
	}
	check(t, json.Unmarshal(content, &read))
	if len(read.Nodes) != 2 || len(read.Sources) != 1 || read.Sources["source.p.raw.a_source"].Metadata.Name != "a" || read.Nodes["model.p.v"].Metadata.Type != "view" {
		t.Errorf("the catalog is %s", content)
	}
	got := fmt.Sprint(read.Nodes["model.p.a"])
	want := "{{table a All.} map[d:{DATE  2} n:{INT64 A number. 1} s:{STRUCT<word STRING, deep ARRAY<STRUCT<f FLOAT64>>>  3} s.deep:{ARRAY<STRUCT<f FLOAT64>>  4} " +
		"s.deep.f:{FLOAT64  5} s.word:{STRING  6}] "
	if !strings.HasPrefix(got, want) {
		t.Errorf("the table is %s, want %s", got, want)
	}
	if stats := read.Nodes["model.p.a"].Stats; stats["num_rows"].Value != 1.0 || stats["partitioning_type"].Value != "d" || stats["clustering_fields"].Value != "n" {
		t.Errorf("the statistics are %v", stats)
	}
	if said, ok := c.call("debug"); !ok || !strings.HasSuffix(said, "All checks passed!\n") {
		t.Errorf("debug says %s", said)
	}
	check(t, os.WriteFile(filepath.Join(c.folder, "models", "broken.sql"), []byte("{{ nothing() }}"), 0o644))
	if said, ok := c.call("debug"); ok || !strings.Contains(said, "models/broken.sql:1") {
		t.Errorf("debug of a broken project says %s", said)
	}
}

// Unit tests come to what they come to by dbt-core, and keep models from being
// built as there.
func TestTables_UnitTestsAreThoseOfDbtCore(t *testing.T) {
	c := newCommands(t, map[string]string{
		"dbt_project.yml":         "name: p\nprofile: p\nvars: {limit: 1}\n",
		"seeds/s.csv":             "n,word\n1,a\n2,\n",
		"models/base.sql":         "{{ config(materialized='table') }}select 1 as n, 'x' as word, date '2026-11-22' as d, 1.5 as f, struct(1 as a) as st, [1] as l, timestamp '2026-11-22' as ts, numeric '1.25' as num",
		"models/m.sql":            "select n, upper(word) as Word, d, f * 2 as f, {{ var('limit') }} as lim, '{{ env_var('UNIT', 'unset') }}' as env, {{ one() }} as one from {{ ref('base') }} where n >= {{ var('limit') }}",
		"models/from_seed.sql":    "select count(*) as n, max(word) as word from {{ ref('s') }}",
		"models/from_source.sql":  "with x as (select * from {{ source('raw', 'base_source') }}) select sum(n) as n from x",
		"models/e.sql":            "{{ config(materialized='ephemeral') }}select n + 1 as n from {{ ref('base') }}",
		"models/over_e.sql":       "select n from {{ ref('e') }}",
		"models/inc.sql":          "{{ config(materialized='incremental', unique_key='n') }}select n, word from {{ ref('base') }} {% if is_incremental() %} where n > (select max(n) from {{ this }}) {% endif %}",
		"models/held.sql":         "select 1 as n from {{ ref('base') }}",
		"models/below.sql":        "select * from {{ ref('held') }}",
		"macros/m.sql":            "{% macro one() %}1{% endmacro %}",
		"tests/fixtures/rows.csv": "n,word\n5,q\n6,\n",
		"tests/fixtures/out.sql":  "select 2 as n, 'q' as word",
		"models/t.yml": `
sources: [{name: raw, schema: "{{ target.schema }}", tables: [{name: base_source, identifier: s}]}]
models: # of one that its unit test keeps from being built, and of one that reads it
- {name: held, columns: [{name: n, data_tests: [unique]}]}
- {name: below, columns: [{name: n, data_tests: [not_null]}]}
unit_tests:
- {name: passes, model: m, given: [{input: ref('base'), rows: [{n: 1, word: it's}, {n: 0, word: gone}, {n: 2, d: "2026-01-02", f: 0.25}]}], expect: {rows: [{n: 2, word: null, D: "2026-01-02", f: 0.5}, {n: 1, word: IT'S, d: null, f: null}]}}
- {name: fails, model: m, given: [{input: ref('base'), rows: [{n: 1, word: a}]}], expect: {rows: [{n: 1, word: B}]}}
- {name: too_many, model: m, given: [{input: ref('base'), rows: [{n: 1, word: a}, {n: 1, word: a}]}], expect: {rows: [{n: 1}]}}
- name: overrides
  model: m
  given: [{input: ref('base'), format: csv, rows: "n,word\n3,x\n1,y\n"}]
  overrides: {vars: {limit: 2}, env_vars: {UNIT: set}, macros: {one: 7}}
  expect: {format: csv, rows: "n,lim,env,one\n3,2,set,7\n"}
- {name: in_sql, model: m, given: [{input: ref('base'), format: sql, rows: "select 1 as n, 'w' as word, date '2026-11-22' as d, 1.0 as f"}], expect: {format: sql, rows: "select 1 as n, 'W' as Word, date '2026-11-22' as d, 2.0 as f, 1 as lim, 'unset' as env, 1 as one"}}
- {name: no_rows, model: m, given: [{input: ref('base'), rows: []}], expect: {rows: []}}
- {name: wrong_column, model: m, given: [{input: ref('base'), rows: [{nothing: 1}]}], expect: {rows: []}}
- {name: wrong_expectation, model: m, given: [{input: ref('base'), rows: []}], expect: {rows: [{nothing: 1}]}}
- {name: missing_input, model: m, given: [], expect: {rows: []}}
- {name: of_a_seed, model: from_seed, given: [{input: ref('s')}], expect: {rows: [{n: 2, word: a}]}}
- {name: of_a_source, model: from_source, given: [{input: "source('raw', 'base_source')", rows: [{n: 3}, {n: 4}]}], expect: {rows: [{n: 7}]}}
- {name: of_an_ephemeral_model, model: over_e, given: [{input: ref('e'), format: sql, rows: select 3 as n}], expect: {rows: [{n: 3}]}}
- {name: of_an_ephemeral_model_in_dicts, model: over_e, given: [{input: ref('e'), rows: [{n: 3}]}], expect: {rows: [{n: 3}]}}
- {name: at_first, model: inc, overrides: {macros: {is_incremental: false}}, given: [{input: ref('base'), format: csv, fixture: rows}], expect: {rows: [{n: 6, word: null}, {n: 5, word: q}]}}
- {name: later, model: inc, overrides: {macros: {is_incremental: true}}, given: [{input: ref('base'), rows: [{n: 1, word: p}, {n: 2, word: q}]}, {input: this, rows: [{n: 1}]}], expect: {format: sql, fixture: out}}
- {name: holds, model: held, given: [{input: ref('base'), rows: [{n: 1}]}], expect: {rows: [{n: 2}]}}
- {name: lists, model: held, given: [{input: ref('base'), rows: [{st: "struct(3 as a)", l: [1, 2], ts: "2026-01-01 00:00:00", num: 2.5}]}], expect: {rows: [{n: 1}]}}
- {name: disabled, model: held, config: {enabled: false}, given: [{input: ref('base'), rows: [{n: 1}]}], expect: {rows: [{n: 3}]}}
`,
	})
	c.bothRun("seed")
	c.bothRun("build", "--exclude", "test_type:unit") // inc is compared with itself once it is there
	for _, args := range [][]string{
		{"build"}, {"test", "--select", "m"}, {"test", "--select", "unit_test:later"}, {"build", "--resource-type", "model", "seed"},
		{"build", "--exclude-resource-type", "unit_test", "model"}, {"build", "--resource-types", "unit_test", "--select", "m"}, {"test", "--resource-type", "test"},
	} {
		want := c.core.call(c.T, c.folder, c.by[0], args)
		said, ok := c.call(args...)
		got := statusesIn(t, filepath.Join(c.folder, "native", "run_results.json"))
		for name, result := range want.Results {
			status := result.Status
			if status == "success" && got[name] == "no-op" || status == "skipped" && strings.HasPrefix(name, "unit_test.") {
				continue // dbt-core ends with the first of a model that fails, in any order
			}
			if got[name] != status {
				t.Errorf("%v: %s is %q by dbt-core, and %q by the runner", args, name, status, got[name])
			}
		}
		if len(want.Results) != len(got) || ok != want.Success {
			t.Errorf("%v: dbt-core says %v\n%s\nthe runner %v\n%s", args, want.Results, want.Said, got, said)
		}
		if got["unit_test.p.m.passes"] == "error" || len(args) == 1 && !strings.Contains(said, "+++,1,A") {
			t.Errorf("the runner shows no difference: %s", said)
		}
	}
}

// statusesIn are those of run_results.json, by id.
func statusesIn(t *testing.T, file string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(file)
	check(t, err)
	var read struct{ Results []result }
	check(t, json.Unmarshal(content, &read))
	statuses := map[string]string{}
	for _, r := range read.Results {
		statuses[r.ID] = r.Status
	}
	return statuses
}

// With --defer, what is neither selected nor there is read where the state has it.
func TestTables_AreDeferredAsByDbtCore(t *testing.T) {
	c := newCommands(t, map[string]string{
		"models/a.sql":      "{{ config(materialized='table') }}select {{ var('n', 1) }} as n",
		"models/view_a.sql": "select n from {{ ref('a') }}",
		"models/e.sql":      "{{ config(materialized='ephemeral') }}select n from {{ ref('view_a') }} union all select letter from {{ ref('s') }}",
		"models/b.sql":      "{{ config(materialized='table') }}select n from {{ ref('e') }}",
		"models/inc.sql":    "{{ config(materialized='incremental', unique_key='n') }}select n from {{ ref('a') }} {% if is_incremental() %}where n > (select max(n) from {{ this }}){% endif %}",
		"seeds/s.csv":       "letter\n5\n",
		"tests/of_a.sql":    "select * from {{ ref('a') }} where n = 1",
	})
	c.bothRun("build", "--exclude", "of_a")
	states := [2]string{filepath.Join(t.TempDir(), "core"), filepath.Join(t.TempDir(), "native")}
	check(t, os.CopyFS(states[0], os.DirFS(filepath.Join(c.folder, "target"))))
	check(t, os.CopyFS(states[1], os.DirFS(filepath.Join(c.folder, "native"))))
	c.by = [2]string{"core_dev", "native_dev"}
	for _, dataset := range c.by {
		check(t, c.w.Client.Dataset(dataset).Create(t.Context(), &bigquery.DatasetMetadata{Location: "US"}))
	}
	for _, line := range []string{
		"run --select b", "run --select b inc --defer", "run --select inc --vars {n: 7} --defer", "test --select of_a --defer", "run --select a --vars {n: 3}",
		"run --select view_a b --defer", "run --select b --defer --favor-state", "test --select of_a --defer", "test --select of_a --defer --favor-state",
	} {
		args := strings.Fields(strings.ReplaceAll(line, ": ", ":\x00"))
		for i, arg := range args {
			args[i] = strings.ReplaceAll(arg, "\x00", " ")
		}
		want := c.core.call(t, c.folder, c.by[0], append(args, "--state", states[0]))
		said, ok := c.call(append(args, "--state", states[1])...)
		if ok != want.Success {
			t.Errorf("%s: dbt-core succeeded: %v, the runner: %v\n%s\n%s", line, want.Success, ok, want.Said, said)
		}
		native := c.relations(c.by[1])
		for name, by := range c.relations(c.by[0]) {
			if native[name] != by && !strings.Contains(name, "__dbt_tmp") {
				t.Errorf("%s: %s is by dbt-core\n%s\nand by the runner\n%s", line, name, by, native[name])
			}
		}
	}
}
