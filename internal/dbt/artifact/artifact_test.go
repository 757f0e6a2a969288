package artifact

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

var update = flag.Bool("update", false, "write the golden files again")

func artifacts(t *testing.T) map[string][]byte {
	t.Helper()
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"dbt_project.yml":       "name: small\nmodels: {small: {+materialized: table, +tags: [x]}}\n",
		"models/e.sql":          "{{ config(materialized='ephemeral') }}select id as n from {{ source('raw', 'events') }}",
		"models/a.sql":          "select n from {{ ref('e') }} join {{ ref('kinds') }} using (n)",
		"seeds/kinds.csv":       "n,name\n1,one\n",
		"macros/m.sql":          "{#- Twice. -#}\n{% macro twice(n) -%}\n{{ n }} * 2\n{%- endmacro %}\n",
		"tests/generic/few.sql": "{% test few(model) %}select * from {{ model }}{% endtest %}",
		"models/docs.yml": "exposures: [{name: page, label: A page, type: dashboard, maturity: high, description: Shows a., owner: {name: Someone}, depends_on: [ref('a'), \"source('raw', 'events')\"]}]\n" +
			"unit_tests: [{name: one, model: a, description: One., given: [{input: ref('kinds'), rows: [{n: 1}]}], expect: {rows: [{n: 1}]}, overrides: {vars: {today: '2026-11-22'}}}]\n",
		"tests/odd.sql": "{{ config(severity='warn', warn_if='> 2') }}select * from {{ ref('a') }}",
		"models/all.yml": "sources: [{name: raw, tables: [{name: events, loaded_at_field: at, freshness: {warn_after: {count: 1, period: hour}}}]}]\n" +
			"models: [{name: a, description: A. One row per n., config: {contract: {enforced: true}, meta: {k: v}}, columns: [{name: n, data_type: int64, data_tests: [unique]}]}]\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	p, err := project.Load(files, project.Target{Project: "some-project", Dataset: "prod_data"})
	if err != nil {
		t.Fatal(err)
	}
	at, none, two := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), int64(0), int64(2)
	return map[string][]byte{
		ManifestName: Manifest(p, map[string]string{"model.small.a": "select 1"}, "i", at),
		RunResultsName: RunResults("i", at, 3*time.Second, []Result{
			{ID: "model.small.a", Status: "success", Started: at, Took: time.Second, SQL: "select 1", Relation: "`some-project`.`prod_data`.`a`"},
			{ID: "model.small.b", Status: "error", Started: at, Message: "no"}, {ID: "model.small.c", Status: "skipped", Started: at}, {ID: "model.small.d", Status: "no-op", Started: at},
			{ID: "test.small.unique_a_n", Status: "pass", Started: at, Failures: &none}, {ID: "test.small.odd", Status: "warn", Started: at, Failures: &two},
			{ID: "test.small.x", Status: "fail", Started: at, Failures: &two},
		}),
		SourcesName: Sources("i", at, time.Second, []Age{
			{Source: p.Sources[0], Status: "warn", Newest: at.Add(-2 * time.Hour), AskedAt: at, Started: at, Took: time.Second},
			{Source: p.Sources[0], Status: "runtime error", Message: "no"},
		}),
	}
}

func TestArtifacts_Golden(t *testing.T) {
	for name, got := range artifacts(t) {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s changed; if that is meant, run go test ./internal/dbt/artifact -update\n%s", name, diff)
		}
	}
}

// dbt-core's own classes and schemas accept the artifacts. It runs where
// DBT_PYTHON names a Python that has dbt-core and jsonschema.
func TestArtifacts_DbtReadsThem(t *testing.T) {
	python := os.Getenv("DBT_PYTHON")
	if python == "" {
		t.Skip("DBT_PYTHON names no Python with dbt-core")
	}
	folder := t.TempDir()
	for name, content := range artifacts(t) {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const program = `
import json, sys, jsonschema
from dbt.artifacts.schemas.freshness import FreshnessExecutionResultArtifact
from dbt.artifacts.schemas.manifest import WritableManifest
from dbt.artifacts.schemas.run import RunResultsArtifact
for kind, name in ((WritableManifest, "manifest.json"), (RunResultsArtifact, "run_results.json"), (FreshnessExecutionResultArtifact, "sources.json")):
    path = sys.argv[1] + "/" + name
    kind.read_and_check_versions(path)
    schema = kind.json_schema()
    jsonschema.validate(json.load(open(path)), schema if isinstance(schema, dict) else schema.to_dict())
`
	if out, err := exec.CommandContext(t.Context(), python, "-c", program, folder).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
