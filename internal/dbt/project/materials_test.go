package project

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func load(t *testing.T, overrides map[string]string) *Project {
	t.Helper()
	p, err := Load(files(overrides), Target{Project: "p", Dataset: "d", LookupEnv: func(name string) (string, bool) {
		value, ok := map[string]string{"SET": "value", "EMPTY": ""}[name]
		return value, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compiled(t *testing.T, p *Project, name string) string {
	t.Helper()
	out, err := p.Compile(p.Model(name), Compilation{})
	if err != nil {
		t.Fatal(err)
	}
	return out.SQL
}

// The texts are what dbt-core 1.12 compiles of the same files.
func TestCompile_EphemeralModels(t *testing.T) {
	p := load(t, map[string]string{
		"models/e1.sql":      "{{ config(materialized='ephemeral') }}\nselect 1 as n from {{ ref('raw') }}",
		"models/e2.sql":      "{{ config(materialized='ephemeral') }}select n from {{ ref('e1') }}",
		"models/marts/a.sql": "-- first\nwith x as (select 1)\nselect n from {{ ref('e2') }}",
		"models/marts/b.sql": "select n from {{ ref('e1') }}, {{ ref('e2') }}",
	})
	want := "-- first\nwith  __dbt__cte__e1 as (\n\nselect 1 as n from `p`.`d`.`raw`\n),  __dbt__cte__e2 as (\nselect n from __dbt__cte__e1\n), x as (select 1)\nselect n from __dbt__cte__e2"
	if diff := cmp.Diff(want, compiled(t, p, "a")); diff != "" {
		t.Error(diff)
	}
	want = "with __dbt__cte__e1 as (\n\nselect 1 as n from `p`.`d`.`raw`\n),  __dbt__cte__e2 as (\nselect n from __dbt__cte__e1\n) select n from __dbt__cte__e1, __dbt__cte__e2"
	if diff := cmp.Diff(want, compiled(t, p, "b")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"model.p.raw"}, p.Through(p.Model("a").Reads)); diff != "" {
		t.Error(diff)
	}
}

func TestCompile_SeedsAreTheirRows(t *testing.T) {
	p := load(t, map[string]string{
		"seeds/s.csv":        "id,name,share,day,on,code\n1,it's,0.5,2026-11-22,true,007\n2,,3,2026-11-23,false,12\n",
		"seeds/s.yml":        "seeds: [{name: s, config: {column_types: {code: STRING}}}]",
		"models/marts/a.sql": "select 1 as n from {{ ref('s') }}",
	})
	want := "select * from unnest(array<struct<id int64, name string, share float64, day date, on bool, code string>>[\n" +
		"    (1, 'it\\'s', 0.5, cast('2026-11-22' as date), true, '007'),\n    (2, null, 3, cast('2026-11-23' as date), false, '12')\n])"
	if diff := cmp.Diff(want, compiled(t, p, "s")); diff != "" {
		t.Error(diff)
	}
}

// The types are those that dbt-core gives.
func TestSeeds_Types(t *testing.T) {
	for values, want := range map[string]string{
		"1,007,-3": "int64", "1234567890123456789,1": "int64", "1.5,2": "float64", "1.50,3": "float64", "true,FALSE": "bool", "2026-11-22": "date",
		"2026-11-22 10:00:00": "datetime", "a,1": "string", "1,2026-11-22": "string", ",": "int64", "true,1": "string", "null,x": "string",
		"1e3,2": "", "null,3": "", "$5": "", "1.0": "", "2026-1-2": "", "1,2.0": "",
	} {
		var records [][]string
		for _, value := range strings.Split(values, ",") {
			records = append(records, []string{value})
		}
		got, err := typeOf(records, 0)
		if got != want || (want == "") != (err != nil) {
			t.Errorf("%s is %q (%v), want %q", values, got, err, want)
		}
	}
	p := load(t, map[string]string{"seeds/s.csv": "a;b\n1;x\n", "seeds/s.yml": "seeds: [{name: s, config: {delimiter: ';'}}]"})
	if got := p.Model("s").Columns; len(got) != 2 || got[1].Name != "b" {
		t.Errorf("the columns are %+v", got)
	}
}

func TestCompile_Macros(t *testing.T) {
	p := load(t, map[string]string{
		"macros/d.sql": "{% macro own(x) %}{{ adapter.dispatch('own', 'p')(x) }}{% endmacro %}" +
			"{% macro default__own(x) %}no{% endmacro %}{% macro bigquery__own(x) %}{{ twice(x) }}{% endmacro %}",
		"models/raw.sql": "select {{ own(1) }} {{ none }} {{ var('zone') if true }} {{ 'y' if false else none }} {{ env_var('SET') }} {{ env_var('UNSET', 'd') }}" +
			"{% for i in range(1, 4) %} {{ i }}{{ ',' if not loop.last }}{% endfor %} {{ target.schema }} {{ project_name }}",
	})
	want := "select 1 1 None UTC None value d 1, 2, 3 d p"
	if diff := cmp.Diff(want, compiled(t, p, "raw")); diff != "" {
		t.Error(diff)
	}
}

// The texts are what Jinja2 renders.
func TestCompile_RendersAsJinjaDoes(t *testing.T) {
	for source, want := range map[string]string{
		"{% for k in var('d') %}{{ k }}{{ var('d')[k] }}{% endfor %} {{ var('d').b }}":                      "b1a2 1",
		"{% for k in {'b': 1, 'a': 2} %}{{ k }}{% endfor %}":                                                "ba",
		"{% for r in var('l') %}{{ r.x }}{{ loop.index }}{% endfor %}":                                      "11",
		"{{ 'x' | default('y', true) }}{{ '' | default('y', true) }}{{ none | default('y') }}":              "xyNone",
		"{{ undefined_name | default('y') }}{{ undefined_name is defined }}":                                "yFalse",
		"{{ 7 // 2 }} {{ 7 / 2 }} {{ 1e3 }} {{ 0.1 + 0.2 }} {{ true }} {{ [1, 'a'] }} {{ 'a' * 3 }}":        "3 3.5 1000.0 0.30000000000000004 True [1, 'a'] aaa",
		"{% set ns = namespace(v=1) %}{% for i in [1, 2] %}{% set ns.v = ns.v + i %}{% endfor %}{{ ns.v }}": "4",
		"{% set t = 1 %}{% for i in [1, 2] %}{% set t = t + i %}{% endfor %}{{ t }}":                        "1",
		"{% set x %}a{% endset %}{{ x }}{% raw %}{{ x }}{% endraw %}{# c #}":                                "a{{ x }}",
		"a  {%- if true -%}  b  {%- endif %}  c":                                                            "ab  c",
	} {
		p := load(t, map[string]string{
			"dbt_project.yml": "name: p\nvars: {zone: UTC, p: {d: {b: 1, a: 2}, l: [{x: 1}]}}\nmodels: {p: {marts: {+materialized: table}}}\n",
			"models/raw.sql":  source,
		})
		if got := compiled(t, p, "raw"); got != want {
			t.Errorf("%s renders %q, want %q", source, got, want)
		}
	}
}

func TestTests_ThatTheProjectDefines(t *testing.T) {
	p := load(t, map[string]string{
		"tests/generic/positive.sql": "{% test positive(model, column_name, than=0, of=none) %}\nselect * from {{ model }} where {{ column_name }} <= {{ than }}{% if of %} and {{ of }}{% endif %}\n{% endtest %}",
		"models/t.yml":               "models: [{name: raw, columns: [{name: n, data_tests: [{positive: {arguments: {than: 3, of: \"ref('b')\"}, config: {where: \"n < 9\", limit: 5}}}]}]}]",
	})
	sql, err := p.CompileTest(p.Tests[0], Compilation{})
	if err != nil {
		t.Fatal(err)
	}
	want := "select * from (select * from `p`.`d`.`raw` where n < 9) dbt_subquery where n <= 3 and `p`.`d`.`b`"
	if diff := cmp.Diff(want, strings.Join(strings.Fields(sql.SQL), " ")); diff != "" {
		t.Error(diff)
	}
	if name := p.Tests[0].Name; name != "positive_raw_n__ref_b___3" {
		t.Errorf("the test is named %s", name)
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		test     Test
		failures int64
		want     string
	}{
		{Test{}, 0, Pass}, {Test{}, 1, Fail}, {Test{Warn: true}, 1, Warn},
		{Test{ErrorIf: "> 10"}, 10, Warn}, {Test{ErrorIf: ">10"}, 11, Fail}, {Test{Warn: true, ErrorIf: "> 10"}, 11, Warn},
		{Test{WarnIf: ">= 5", ErrorIf: ">= 9"}, 4, Pass}, {Test{WarnIf: "= 0", ErrorIf: "!= 0"}, 0, Warn},
	} {
		if got := c.test.Verdict(c.failures); got != c.want {
			t.Errorf("%+v with %d failures: %s, want %s", c.test, c.failures, got, c.want)
		}
	}
}

func TestLoad_WarnsOfUnusedConfiguration(t *testing.T) {
	p := load(t, map[string]string{
		"dbt_project.yml": "name: p\nvars: {zone: UTC}\nmodels:\n  p:\n    marts: {+materialized: table}\n    mart: {+tags: x}\nseeds:\n  p: {+enabled: true}\n",
	})
	want := []string{
		"dbt_project.yml: the configuration models.p.mart applies to nothing: no resource is in that folder",
		"dbt_project.yml: the configuration seeds.p applies to nothing: no resource is in that folder",
	}
	if diff := cmp.Diff(want, p.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestDescriptions_AreRendered(t *testing.T) {
	with := map[string]string{
		"models/docs.md": "# x\n{% docs raw %}\n It's raw.\n{% enddocs %}{% docs other %}o{% enddocs %}",
		"models/t.yml":   "models: [{name: raw, description: \"{{ doc('raw') }} In {{ target.schema }}\", config: {persist_docs: {relation: true}},\n columns: [{name: n,\n description: \"{{ doc('x') }}\"}]}]",
	}
	if _, err := Load(files(with), Target{Project: "p", Dataset: "d"}); err == nil || !strings.Contains(err.Error(), `models/t.yml:3: doc: there is no docs block "x"`) {
		t.Errorf("a block that is not there: %v", err)
	}
	with["models/t.yml"] = strings.Replace(with["models/t.yml"], "doc('x')", "doc('other')", 1)
	p := load(t, with)
	if got := p.Model("raw"); got.Description != "It's raw. In d" || got.Columns[0].Description != "o" {
		t.Errorf("described as %q, its column as %q", got.Description, got.Columns[0].Description)
	}
}
