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
		"circle":              {"models/marts/b.sql", "select n from {{ ref('a') }}", "read each other"},
		"same name":           {"models/other/a.sql", "select 1", "models/other/a.sql: models/marts/a.sql already has a model of this name"},
		"materialization":     {"models/raw.sql", "{{ config(materialized='snapshot') }} select 1", `materialized is "snapshot"`},
		"strategy":            {"models/raw.sql", "{{ config(materialized='incremental', incremental_strategy='append') }} select 1", `incremental_strategy is "append"`},
		"batches":             {"models/raw.sql", "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', begin='2026-01-01', batch_size='day', partition_by={'field': 'at'}) }} select 1", "a granularity that is batch_size, day"},
		"begin":               {"models/raw.sql", "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', begin='soon') }} select 1", "config begin has a value of the wrong type: soon"},
		"hook that drops":     {"models/raw.sql", "{{ config(pre_hook='drop table if exists {{ this }}') }} select 1", "models/raw.sql: pre_hook: DROP of p.d.raw is not supported: it is a model's"},
		"hook that alters":    {"models/raw.sql", "{{ config(post_hook=['alter table d.b add column x int64']) }} select 1", "models/raw.sql: post_hook: ALTER of d.b is supported with SET OPTIONS only"},
		"hook that creates":   {"models/raw.sql", "{{ config(post_hook={'sql': 'create or replace view {{ this }} as select 1'}) }} select 1", "CREATE of p.d.raw is not supported"},
		"hook as text":        {"models/raw.sql", "{{ config(post_hook='execute immediate \"x\"') }} select 1", "EXECUTE IMMEDIATE is not supported"},
		"script with a grant": {"models/raw.sql", "{{ config(post_hook='begin select 1; grant `r` on table x.y to \"z\"; end') }} select 1", "GRANT inside of a script is not supported"},
		"hook of no SQL":      {"models/raw.sql", "{{ config(post_hook=3) }} select 1", "config post_hook is 3: it is SQL, or a dict with sql and transaction"},
		"hook unknown name":   {"models/raw.sql", "{{ config(post_hook='{{ ref(\"x\") }}') }} select 1", `post_hook: models/raw.sql:1: ref: there is no model "x"`},
		"columns as text":     {"models/marts/a.sql", "{{ config(merge_update_columns='n') }}select 1 as n", "config merge_update_columns has a value of the wrong type"},
		"columns both ways":   {"models/marts/a.sql", "{{ config(materialized='incremental', merge_update_columns=['n'], merge_exclude_columns=['n']) }}select 1 as n", "exclude each other"},
		"range":               {"models/marts/a.sql", "{{ config(partition_by={'field': 'n', 'data_type': 'int64'}) }}select 1 as n", "needs a range with start, end and interval"},
		"time of ingestion":   {"models/marts/a.sql", "{{ config(partition_by={'field': 'n', 'time_ingestion_partitioning': true}) }}select 1 as n", "time_ingestion_partitioning is not supported: select the time"},
		"copied partitions":   {"models/marts/a.sql", "{{ config(materialized='incremental', partition_by={'field': 'n', 'copy_partitions': true}) }}select 1 as n", "copy_partitions needs incremental_strategy insert_overwrite"},
		"labels":              {"models/marts/a.sql", "{{ config(labels={'n': 1}) }}select 1 as n", "config labels has a value of the wrong type"},
		"a name of a hook":    {"dbt_project.yml", "name: p\nvars: {zone: UTC}\non-run-end:\n- select 1\n- \"{% for r in thread_id %}{% endfor %}\"", "on-run-end: dbt_project.yml:5: thread_id is not supported"},
		"syntax":              {"models/raw.sql", "select 1\n{% if %}", "models/raw.sql:2: "},
		"unclosed":            {"models/raw.sql", "select 1\n\n{{ 1 + }}", "models/raw.sql:3: "},
		"do":                  {"models/raw.sql", "{% do x.append(1) %}", "models/raw.sql:1: "},
		"call":                {"models/raw.sql", "{% call statement('x') %}{% endcall %}", "models/raw.sql:1: "},
		"materialization tag": {"macros/m.sql", "{% materialization x, default %}{% endmaterialization %}", "macros/m.sql:1: "},
		"query at parse time": {"models/raw.sql", "{{ run_query('select 1') }}", "run_query: guard it"},
		"table w/o columns":   {"models/marts/c.sql", "{{ config(contract={'enforced': true}) }}select 1", "models/marts/c.sql: the model is a table with a contract"},
		"unknown test":        {"models/t.yml", "models: [{name: raw, data_tests: [fast]}]", `models/t.yml:1: a test of raw: there is no generic test "fast"`},
		"unknown severity":    {"models/t.yml", "models: [{name: raw, columns: [{name: n, data_tests: [{unique: {config: {severity: loud}}}]}]}]", "severity is loud"},
		"test config":         {"models/t.yml", "models: [{name: raw, columns: [{name: n, data_tests: [{unique: {config: {group_by: x}}}]}]}]", `config "group_by" is not supported`},
		"threshold":           {"models/t.yml", "models: [{name: raw, columns: [{name: n, data_tests: [{unique: {config: {warn_if: many}}}]}]}]", `warn_if is "many"`},
		"undefined name":      {"models/raw.sql", "select\n{{ nothing }}", "models/raw.sql:2: 'nothing' is undefined"},
		"undefined call":      {"models/raw.sql", "\n\n{{ nothing(1) }}", "models/raw.sql:3: 'nothing' is undefined"},
		"undefined field":     {"models/raw.sql", "{{ var('zone').x.y }}", "models/raw.sql:1: the attribute 'x' of a string is undefined"},
		"unknown filter":      {"models/raw.sql", "\n{{ 'a' | pprint }}", `models/raw.sql:2: there is no filter "pprint" here`},
		"method":              {"models/raw.sql", "{{ 'a'.encode() }}", "models/raw.sql:1: the method encode of a string is not supported"},
		"name of dbt":         {"models/raw.sql", "{{ invocation_id }}", "models/raw.sql:1: invocation_id is not supported: it differs from run to run"},
		"tag":                 {"models/raw.sql", "\n{% import 'x' as y %}", `models/raw.sql:2: the tag "import" is not supported: dbt sees the macros`},
		"macro in a model":    {"models/raw.sql", "\n{% macro m() %}{% endmacro %}", "models/raw.sql:2: a macro in this file"},
		"macro twice":         {"macros/n.sql", "{% macro twice(x) %}{% endmacro %}", "macros/n.sql:1: macros/m.sql already has a macro twice"},
		"macro of dbt":        {"macros/n.sql", "{% macro bigquery__create_table_as() %}{% endmacro %}", "macros/n.sql:1: the macro bigquery__create_table_as is not supported"},
		"other dataset":       {"macros/n.sql", "{% macro generate_schema_name(custom, node) %}{{ target.schema }}_x{% endmacro %}", "puts the model into d_x"},
		"same relation":       {"models/raw.sql", "{{ config(alias='a') }}select 1", "makes the same relation a"},
		"read when executed":  {"models/raw.sql", "{% if execute %}{{ ref('a') }}{% endif %}", "models/raw.sql: the ref of a is found only when the model is executed"},
		"versions":            {"models/t.yml", "models:\n- name: raw\n  versions: [{v: 1}]", `models/t.yml:3: model "versions" is not supported`},
		"unknown key":         {"models/t.yml", "models:\n- name: raw\n  colums: []", `models/t.yml:3: model "colums" is not supported: dbt does not know it either`},
		"config in yml":       {"models/t.yml", "models:\n- name: raw\n  config:\n    enable_change_history: true", `models/t.yml:4: config "enable_change_history" is not supported`},
		"config in tree":      {"dbt_project.yml", "name: p\nvars: {zone: UTC}\nmodels:\n  p:\n    +sql_header: x", `dbt_project.yml:5: config "sql_header" is not supported`},
		"setting":             {"dbt_project.yml", "name: p\nquery-commnt: x", `dbt_project.yml:2: project "query-commnt" is not supported`},
		"quoting":             {"dbt_project.yml", "name: p\nquoting:\n  identifier: false", "dbt_project.yml:3: quoting identifier: false is not supported"},
		"version of dbt":      {"dbt_project.yml", "name: p\nrequire-dbt-version: \">=2.0.0\"", "dbt_project.yml:2: the project requires dbt >=2.0.0"},
		"ignored files":       {".dbtignore", "# none\n*.md\n", ".dbtignore:2: files to ignore"},
		"default selector":    {"selectors.yml", "selectors:\n- name: a\n  default: true\n  definition: {method: tag, value: x}", "selectors.yml:3: a default selector"},
		"packages":            {"packages.yml", "packages:\n- package: x/y\n  version: 1.0.0", "packages.yml names 1 packages, and dbt_packages has 0: run stationflow dbt deps"},
		"python":              {"models/p.py", "def model(dbt, session): pass", "models/p.py: models in Python"},
		"snapshot":            {"snapshots/s.sql", "{% snapshot s %}{% endsnapshot %}", "snapshots/s.sql: the snapshot s: a snapshot has a strategy and a unique_key"},
		"key of YAML 1.1":     {"models/t.yml", "models:\n- name: raw\n  on: 1", "models/t.yml:3: the name on is true in YAML 1.1"},
		"source twice":        {"models/t.yml", "sources: [{name: s, tables: [{name: events}]}]", "already declares the source s.events"},
		"first lines":         {"models/raw.sql", "\n\nselect {{ ref('nothing') }}", "models/raw.sql:3: ref"},
		"hooks":               {"dbt_project.yml", "name: p\non-run-end: {x: y}", `dbt_project.yml:2: on-run-end is SQL, or a list of it`},
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
    - accepted_values: {arguments: {values: [x, y]}, config: {severity: warn}}
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
		got[strings.Join(strings.Fields(sql.SQL), " ")] = test.Warn
	}
	want := map[string]bool{
		"select n as unique_field, count(*) as n_records from `p`.`d`.`b` where n is not null group by n having count(*) > 1":                  false,
		"select a || b as unique_field, count(*) as n_records from `p`.`d`.`raw` where a || b is not null group by a || b having count(*) > 1": false,
		"select * from `p`.`d`.`raw` where n is null": false,
		`select n as value_field, count(*) as n_records from ` + "`p`.`d`.`raw`" + ` where n not in ('x', 'y') group by n`:           true,
		"select n as value_field, count(*) as n_records from `p`.`d`.`raw` where n not in (1, 2) group by n":                         false,
		"select n as from_field from `p`.`d`.`raw` where n is not null and n not in (select n from `p`.`d`.`a` where n is not null)": false,
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
