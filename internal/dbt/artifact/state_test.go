package artifact

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// What changed since an earlier manifest, by kind, as dbt tells.
func TestState(t *testing.T) {
	files := map[string]string{
		"dbt_project.yml": "name: p\nmodels: {p: {+materialized: view}}\n",
		"macros/m.sql":    "{% macro inner() %}1{% endmacro %}{% macro outer() %}{{ inner() }}{% endmacro %}",
		"models/a.sql":    "select {{ outer() }} as n",
		"models/b.sql":    "select 1 as n from {{ source('s', 't') }}",
		"models/t.yml":    "sources: [{name: s, tables: [{name: t}]}]\nmodels: [{name: b, config: {contract: {enforced: true}}, columns: [{name: n, data_type: int64, data_tests: [not_null]}]}]\n",
		"seeds/s.csv":     "n\n1\n",
	}
	load := func(changed map[string]string) *project.Project {
		t.Helper()
		all := fstest.MapFS{}
		for _, set := range []map[string]string{files, changed} {
			for name, content := range set {
				all[name] = &fstest.MapFile{Data: []byte(content)}
			}
		}
		p, err := project.Load(all, project.Target{Project: "proj", Dataset: "d"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	before := Manifest(load(nil), nil, "i", time.Now())
	for name, c := range map[string]struct {
		changed map[string]string
		want    string
	}{
		"nothing":      {nil, ""},
		"a body":       {map[string]string{"models/b.sql": "select 2 as n from {{ source('s', 't') }}"}, "modified: model.p.b; modified.body: model.p.b"},
		"a macro":      {map[string]string{"macros/m.sql": "{% macro inner() %}2{% endmacro %}{% macro outer() %}{{ inner() }}{% endmacro %}"}, "modified: model.p.a; modified.macros: model.p.a"},
		"a seed":       {map[string]string{"seeds/s.csv": "n\n2\n"}, "modified: seed.p.s; modified.body: seed.p.s"},
		"white space":  {map[string]string{"seeds/s.csv": "n\n1\n\n", "models/b.sql": "\nselect 1 as n from {{ source('s', 't') }}\n"}, ""},
		"a setting":    {map[string]string{"dbt_project.yml": "name: p\nmodels: {p: {+materialized: table}}\n"}, "modified: model.p.a model.p.b; modified.configs: model.p.a model.p.b; modified.contract: model.p.b"},
		"a new model":  {map[string]string{"models/c.sql": "select 1"}, "modified: model.p.c; new: model.p.c"},
		"a new source": {map[string]string{"models/u.yml": "sources: [{name: u, tables: [{name: t}]}]"}, "new: source.p.u.t"},
		"a contract": {map[string]string{"models/t.yml": strings.Replace(files["models/t.yml"], "int64", "string", 1)},
			"modified: model.p.b; modified.contract: model.p.b"},
	} {
		states, err := State(load(c.changed), before)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, state := range slices.Sorted(maps.Keys(states)) {
			if ids := slices.Sorted(maps.Keys(states[state])); len(ids) > 0 && state != "old" && state != "unmodified" {
				got = append(got, state+": "+strings.Join(ids, " "))
			}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := State(load(nil), []byte("{")); err == nil || !strings.Contains(err.Error(), "reading the manifest of --state") {
		t.Errorf("a broken manifest: %v", err)
	}
}
