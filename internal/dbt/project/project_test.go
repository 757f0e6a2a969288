package project

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// files is a small project; overrides replace or add files.
func files(overrides map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, content := range map[string]string{
		"dbt_project.yml":      "name: p\nvars: {zone: UTC}\nmodels: {p: {marts: {+materialized: table}}}\n",
		"macros/m.sql":         "{% macro twice(x) %}{{ x }} {{ x }}{% endmacro %}",
		"models/raw.sql":       "select * from {{ source('s', 'events') }}",
		"models/marts/b.sql":   "select 1 as n from {{ ref('raw') }} where zone = '{{ var('zone') }}'",
		"models/marts/a.sql":   "select n from {{ ref('b') }}",
		"models/marts/all.yml": "models:\n- {name: a, columns: [{name: n, data_type: INT64}]}\n- {name: b, columns: [{name: n, data_type: int64, data_tests: [unique]}]}\n",
		"models/sources.yml":   "sources:\n- {name: s, schema: \"{{ var('other', 'raw_data') }}\", tables: [{name: events}]}\n",
	} {
		fs[name] = &fstest.MapFile{Data: []byte(content)}
	}
	for name, content := range overrides {
		fs[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fs
}

func TestLoad_OrdersModelsAndKnowsTheirRelations(t *testing.T) {
	project, err := Load(files(nil), Target{Project: "my-project", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, model := range project.Models {
		compiled, err := project.Compile(model, Compilation{})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, model.Config.Materialized+" "+model.Name+": "+compiled.SQL)
	}
	want := []string{
		"view raw: select * from `my-project`.`raw_data`.`events`",
		"table b: select 1 as n from `my-project`.`d`.`raw` where zone = 'UTC'",
		"table a: select n from `my-project`.`d`.`b`",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(project.Tests) != 1 || project.Tests[0].Name != "unique_b_n" {
		t.Errorf("got tests %+v", project.Tests)
	}
}

func TestLoad_NamesFileAndFault(t *testing.T) {
	for name, c := range map[string]struct{ file, content, want string }{
		"unknown model":       {"models/marts/a.sql", "select 1\nfrom {{ ref('nothing') }}", `models/marts/a.sql:2: ref: there is no model "nothing"`},
		"unknown source":      {"models/raw.sql", "{{ source('s', 'nothing') }}", "models/raw.sql:1: source: no yml file declares s.nothing"},
		"unknown variable":    {"models/raw.sql", "\n\n{{ var('nothing') }}", `models/raw.sql:3: var: "nothing" is not set`},
		"unknown environment": {"models/raw.sql", "{{ env_var('HOME') }}", "models/raw.sql:1: env_var: HOME is not set"},
		"unknown function":    {"models/raw.sql", "{{ graph.nodes }}", "graph"},
		"unknown dispatch":    {"models/raw.sql", "{{ adapter.dispatch('x')() }}", "there is no macro bigquery__x"},
		"undefined name":      {"models/raw.sql", "{{ nothing }}", "models/raw.sql"},
		"circle":              {"models/marts/b.sql", "select n from {{ ref('a') }}", "read each other"},
		"same name":           {"models/other/a.sql", "select 1", "models/other/a.sql: models/marts/a.sql already has a model of this name"},
		"materialization":     {"models/raw.sql", "{{ config(materialized='snapshot') }} select 1", `materialized is "snapshot"`},
		"strategy":            {"models/raw.sql", "{{ config(materialized='incremental', incremental_strategy='microbatch') }} select 1", `incremental_strategy is "microbatch"`},
		"unknown config":      {"models/raw.sql", "{{ config(pre_hook='x') }} select 1", `models/raw.sql: config "pre_hook" is not supported`},
		"config of a dict":    {"models/raw.sql", "{{ config({'materialized': 'table'}) }} select 1", "config takes named arguments only"},
		"syntax":              {"models/raw.sql", "select 1\n{% if %}", "models/raw.sql:2: "},
		"unclosed":            {"models/raw.sql", "select 1\n\n{{ 1 + }}", "models/raw.sql:3: "},
		"do":                  {"models/raw.sql", "{% do x.append(1) %}", "models/raw.sql:1: "},
		"call":                {"models/raw.sql", "{% call statement('x') %}{% endcall %}", "models/raw.sql:1: "},
		"materialization tag": {"macros/m.sql", "{% materialization x, default %}{% endmaterialization %}", "macros/m.sql:1: "},
		"empty dict":          {"models/raw.sql", "select 1\n{% set x = {} %}", "models/raw.sql:2: an empty dict"},
		"method of a list":    {"models/raw.sql", "{% set x = [1] %}{{ x.append(2) }}", "append"},
		"method of a string":  {"models/raw.sql", "{{ 'a'.upper() }}", "upper"},
		"unknown filter":      {"models/raw.sql", "{{ 'a' | tojson }}", "tojson"},
		"query at parse time": {"models/raw.sql", "{{ run_query('select 1') }}", "run_query: guard it"},
		"table w/o columns":   {"models/marts/c.sql", "select 1", "models/marts/c.sql: the model is a table: declare its columns"},
		"unknown test":        {"models/t.yml", "models: [{name: raw, data_tests: [fast]}]", `models/t.yml: a test of raw: there is no generic test "fast"`},
		"unknown severity":    {"models/t.yml", "models: [{name: raw, columns: [{name: n, data_tests: [{unique: {config: {severity: loud}}}]}]}]", "severity is loud"},
		"test config":         {"models/t.yml", "models: [{name: raw, columns: [{name: n, data_tests: [{unique: {config: {group_by: x}}}]}]}]", `config "group_by" is not supported`},
		"yml of no model":     {"models/t.yml", "models: [{name: nothing}]", `models/t.yml: there is no model or seed "nothing"`},
		"threshold":           {"models/t.yml", "models: [{name: raw, columns: [{name: n, data_tests: [{unique: {config: {warn_if: many}}}]}]}]", `warn_if is "many"`},
		"power":               {"models/raw.sql", "\n{{ 2 ** 3 }}", "models/raw.sql:2: **"},
		"joined none":         {"models/raw.sql", "{{ 'x' ~ none }}", "models/raw.sql:1: ~ makes no text"},
		"formatted":           {"models/raw.sql", "{{ '%s' % 3 }}", "models/raw.sql:1: % does not format"},
		"compared with true":  {"models/raw.sql", "{% if 1 == true %}{% endif %}", "models/raw.sql:1: a number never equals"},
		"printed not":         {"models/raw.sql", "{{ not 1 }}", "models/raw.sql:1: not prints"},
		"printed dict":        {"models/raw.sql", "{% set x = {'a': 1} %}{{ x }}", "a dict prints otherwise"},
		"loop":                {"models/raw.sql", "{% for i in [1] %}\n{{ loop.cycle('a') }}{% endfor %}", "models/raw.sql:2: loop.cycle"},
		"raised":              {"macros/n.sql", "{% macro unused() %}{{ exceptions.raise_compiler_error('x') }}{% endmacro %}{{ caller() }}", "macros/n.sql:1: macros take named"},
		"first lines":         {"models/raw.sql", "\n\nselect {{ ref('nothing') }}", "models/raw.sql:3: ref"},
		"hooks":               {"dbt_project.yml", "name: p\non-run-end: [x]", "on-run-end are not supported"},
		"age":                 {"models/sources.yml", "sources: [{name: s, freshness: {warn_after: {count: 1, period: week}}, tables: [{name: events}]}]", "freshness: 1 \"week\" is no age"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(files(map[string]string{c.file: c.content}), Target{Project: "p", Dataset: "d"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestCompile_MacrosDoNotSeeTheModelsVariables(t *testing.T) {
	_, err := Load(files(map[string]string{
		"macros/m.sql":   "{% macro peek() %}{{ secret }}{% endmacro %}",
		"models/raw.sql": "{% set secret = 1 %}select {{ peek() }}",
	}), Target{Project: "p", Dataset: "d"})
	if err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error about secret: dbt knows it in the model only", err)
	}
}

func TestCompile_KeepsWhatAQueryFailedWith(t *testing.T) {
	project, err := Load(files(map[string]string{
		"models/raw.sql": "{% if is_incremental() %}{{ run_query('q').rows[0].x }}{% endif %}",
	}), Target{Project: "p", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("lost")
	_, err = project.Compile(project.models["raw"], Compilation{Incremental: true, Query: func(string) ([]map[string]any, error) { return nil, lost }})
	if !errors.Is(err, lost) || len(err.Error()) > 80 {
		t.Errorf("got %v", err)
	}
}

func TestGenericTests(t *testing.T) {
	project, err := Load(files(map[string]string{"models/t.yml": `
models:
- name: raw
  data_tests:
  - unique: {arguments: {column_name: "a || b"}}
  columns:
  - name: n
    data_tests:
    - not_null
    - accepted_values: {arguments: {values: [x, "it's"]}, config: {severity: warn}}
    - accepted_values: {values: [1, 2], quote: false}
    - relationships: {arguments: {to: ref('a'), field: n}}
`}), Target{Project: "p", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, test := range project.Tests {
		sql, err := project.CompileTest(test, Compilation{})
		if err != nil {
			t.Fatal(err)
		}
		got[strings.Join(strings.Fields(sql), " ")] = test.Warn
	}
	want := map[string]bool{
		"select n as value from `p`.`d`.`b` where n is not null group by 1 having count(*) > 1":                                 false,
		"select a || b as value from `p`.`d`.`raw` where a || b is not null group by 1 having count(*) > 1":                     false,
		"select * from `p`.`d`.`raw` where n is null":                                                                           false,
		`select distinct n as value from ` + "`p`.`d`.`raw`" + ` where n not in ('x', 'it\'s')`:                                 true,
		"select distinct n as value from `p`.`d`.`raw` where n not in (1, 2)":                                                   false,
		"select n as value from `p`.`d`.`raw` where n is not null and n not in (select n from `p`.`d`.`a` where n is not null)": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_TakesFreshnessFromSourceAndTable(t *testing.T) {
	const hour = "freshness: {error_after: {count: 1, period: hour}}"
	project, err := Load(files(map[string]string{"models/sources.yml": "sources:\n- name: s\n  config: {loaded_at_field: at, " + hour + "}\n" +
		"  tables: [{name: events}, {name: quiet, config: {freshness: null}}, {name: slow, config: {freshness: {error_after: {count: 2, period: day}}}}]\n"}), Target{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, source := range project.Sources {
		if source.Error != nil {
			got[source.Name] = source.Error.Duration().String()
		}
	}
	if diff := cmp.Diff(map[string]string{"events": "1h0m0s", "slow": "48h0m0s"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTests_LongNamesHaveAShortAlias(t *testing.T) {
	long := strings.Repeat("x", 60)
	project, err := Load(files(map[string]string{
		"models/marts/all.yml": "models:\n- {name: a, columns: [{name: n, data_type: INT64, data_tests: [accepted_values: {arguments: {values: [" + long + "]}}]}]}\n- {name: b, columns: [{name: n, data_type: int64}]}\n",
	}), Target{})
	if err != nil {
		t.Fatal(err)
	}
	// dbt: the first 30 characters of kind and model, and the MD5 of the name.
	if test := project.Tests[0]; test.Name != "accepted_values_a_n__"+long || !strings.HasPrefix(test.Alias, "accepted_values_a_") || len(test.Alias) != len("accepted_values_a_")+32 {
		t.Errorf("%s has the alias %s", test.Name, test.Alias)
	}
}
