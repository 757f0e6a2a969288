package dbtequal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/local/built"
)

// dbt-core takes the runner's manifest for the state of a project: nothing is
// modified until somebody changes something.
func TestState_IsThatOfDbtCore(t *testing.T) {
	dbt := os.Getenv("STATIONFLOW_DBT")
	if dbt == "" {
		t.Skip("set STATIONFLOW_DBT to the dbt of a Python environment with local/dbtequal/requirements.txt installed")
	}
	forms := small{files: map[string]string{
		"dbt_project.yml": "name: p\nversion: 1.0.0\nconfig-version: 2\nprofile: p\nvars: {kind: table}\n" +
			"models: {p: {sub: {+materialized: view, +tags: [a, b]}, lib: {+enabled: true}}, lib: {+tags: over}}\ndata_tests: {p: {+severity: warn}}\nseeds: {p: {+delimiter: ';'}}\n",
		"packages.yml":                     "packages: [{local: ../lib}]\n",
		"dbt_packages/lib/dbt_project.yml": "name: lib\nmodels: {lib: {+materialized: view}}\n",
		"dbt_packages/lib/models/l.sql":    "{{ config(tags=['x']) }}select 1 as n",
		"dbt_packages/lib/macros/m.sql":    "\n\n{%- macro own() -%} 1 {%- endmacro -%}\n\n{% test few(model, n) %}{{ config(fail_calc='sum(1)') }}select {{ n }} from {{ model }}{% endtest %}\n",
		"models/simple.sql":                "{{ config(materialized='table', tags=['a', 'b'], enabled=True, meta={'k': ['v']}) }}\nselect 1 as n from {{ ref('s') }}\n",
		"models/rendered.sql":              "{%- set x = 1 %}{{ config(materialized=var('kind'), tags=[\"a\", 'b'], meta={'k': [1, 2.5, none, true, x ~ 'y'], 'd': x == 1 and not x}, alias='other') }} select {{ lib.own() }} as n\n",
		"models/sub/dict.sql":              "{{ config({'tags': 'c'}) }}select 1 as n, 2 as m from {{ source('raw', 'events') }}",
		"models/contract.sql":              "select 1 as n, 'x' as b",
		"models/t.yml": "sources: [{name: raw, schema: \"{{ target.schema }}\", config: {tags: [s], meta: {a: 1}}, tables: [{name: events, tags: [t], loaded_at_field: at, freshness: {warn_after: {count: 1, period: day}}}, {name: more, freshness: null}]}]\n" +
			"models:\n- {name: contract, access: public, description: one, config: {contract: {enforced: true}, materialized: \"{{ var('kind') }}\", meta: {a: 1}}, columns: [{name: n, data_type: INT64, constraints: [{type: not_null}]}, {name: b, data_type: string}]}\n" +
			"- {name: simple, data_tests: [lib.few: {arguments: {n: 1}, config: {where: \"n > 'a\\\"b'\"}}, lib.few: {n: 2}], columns: [{name: n, data_tests: [unique: {tags: [q]}, not_null, accepted_values: {arguments: {values: [1, 2.5, true, x]}, config: {severity: warn, limit: 3, meta: {a: 1}}}]}]}\n",
		"seeds/s.csv":     "a;b\n1;x\n\n",
		"tests/odd.sql":   "{{ config(severity='error', tags=['z']) }}\nselect *  from {{ ref('simple') }}\n",
		"tests/other.sql": "select * from {{ ref('simple') }}",
		"tests/t.yml":     "data_tests: [{name: other, config: {meta: {b: 2}}}]\n",
		"models/docs.yml": "exposures: [{name: page, type: dashboard, owner: {name: x}, depends_on: [ref('simple')]}]\n" +
			"unit_tests: [{name: one, model: simple, given: [{input: ref('s'), rows: [{a: 1, b: null}, {a: 2, b: 'it''s'}]}], expect: {rows: [{n: 1.0}]}, overrides: {vars: {z: [1], a: x}}}]\n",
	}}.write(t)
	for name, folder := range map[string]string{"own": projectDir, "forms": forms} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			if said := listModified(t, dbt, folder, state); said != "" {
				t.Errorf("modified are\n%s", said)
			}
		})
	}
	state := t.TempDir()
	listModified(t, dbt, forms, state)
	check(t, os.WriteFile(filepath.Join(forms, "models", "simple.sql"), []byte("{{ config(materialized='table', tags=['a'], enabled=True, meta={'k': ['v']}) }}\nselect 1 as n from {{ ref('s') }}"), 0o644))
	if said := modified(t, dbt, forms, state); said != "p.simple\n" {
		t.Errorf("modified are\n%s, want p.simple", said)
	}
}

// listModified writes the runner's manifest to a folder and lists what dbt-core
// takes for modified.
func listModified(t *testing.T, dbt, folder, state string) string {
	t.Helper()
	process := exec.Command(built.Program(t, "stationflow"), "dbt", "parse", "--project-dir", folder, "--target-path", state)
	process.Env = append(os.Environ(), "GOOGLE_CLOUD_PROJECT=proj", "PROD_DATASET=d", "XDG_RUNTIME_DIR="+t.TempDir()) // no system of others
	output, err := process.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return modified(t, dbt, folder, state)
}

func modified(t *testing.T, dbt, folder, state string) string {
	t.Helper()
	process := exec.Command(dbt, "--quiet", "ls", "--resource-types", "all", "--select", "state:modified", "--indirect-selection", "empty", "--state", state,
		"--project-dir", folder, "--profiles-dir", folder, "--target-path", t.TempDir(), "--log-path", t.TempDir(), "--no-partial-parse")
	process.Env = append(os.Environ(), "GOOGLE_CLOUD_PROJECT=proj", "PROD_DATASET=d", "DBT_SEND_ANONYMOUS_USAGE_STATS=false", "DBT_VERSION_CHECK=false")
	var said strings.Builder
	process.Stdout, process.Stderr = &said, &said
	check(t, process.Run())
	var lines []string
	for _, line := range strings.SplitAfter(said.String(), "\n") {
		if !strings.Contains(line, "No nodes selected") && !strings.Contains(line, "[WARNING]") && strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
