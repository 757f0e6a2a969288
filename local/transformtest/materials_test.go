package transformtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
)

// small has the system run another project: these files, with a source of
// staging's incidents.
func (s *system) small(files map[string]string) {
	s.t.Helper()
	project := fstest.MapFS{
		"dbt_project.yml":    {Data: []byte("name: small\nmodels: {small: {+materialized: table}}\n")},
		"models/sources.yml": {Data: []byte("sources: [{name: staging, schema: staging_data, tables: [{name: incidents}]}]")},
	}
	for name, content := range files {
		project[name] = &fstest.MapFile{Data: []byte(content)}
	}
	s.config.Files = project
	s.restart()
}

// rows are a table's, each as its values with commas, sorted.
func (s *system) rows(table string) string {
	s.t.Helper()
	var rows []string
	for _, row := range s.Query("select * from " + table) {
		var values []string
		for _, value := range row {
			values = append(values, fmt.Sprint(value))
		}
		rows = append(rows, strings.Join(values, ","))
	}
	slices.Sort(rows)
	return strings.Join(rows, " ")
}

func (s *system) expect(table, want string) {
	s.t.Helper()
	for _, suffix := range []string{"", "__next"} {
		if got := s.rows(prod + "." + table + suffix); got != want {
			s.t.Errorf("%s%s is %s, want %s", table, suffix, got, want)
		}
	}
}

func TestMaterializations(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	columns := func(name string, columns ...string) string {
		yml := "- {name: " + name + ", columns: ["
		for _, column := range columns {
			name, kind, _ := strings.Cut(column, " ")
			yml += "{name: " + name + ", data_type: " + kind + "},"
		}
		return yml + "]}\n"
	}
	incremental := "{{ config(materialized='incremental', %s) }}\n"
	files := map[string]string{
		"seeds/kinds.csv":    "k,label\n1,it's one\n2,two\n",
		"models/doubled.sql": "{{ config(materialized='ephemeral') }}select k * 2 as k, label from {{ ref('kinds') }}",
		"models/labels.sql":  "select k, label from {{ ref('doubled') }}",
		"models/merged.sql":  fmt.Sprintf(incremental, "unique_key='k'") + "select {{ var('k') }} as k, {{ var('n') }} as n",
		"models/added.sql":   fmt.Sprintf(incremental, "on_schema_change='append_new_columns'") + "select {{ var('n') }} as n",
		"models/days.sql": fmt.Sprintf(incremental, "incremental_strategy='insert_overwrite', partition_by={'field': 'd', 'data_type': 'date'}") +
			"select date '{{ var('day') }}' as d, {{ var('n') }} as n",
		"models/shown.sql": "{{ config(materialized='view') }}select k from {{ ref('merged') }} where k > 1",
		"models/all.yml": "models:\n" + columns("labels", "k int64", "label string") + columns("merged", "k int64", "n int64") +
			columns("added", "n int64") + columns("days", "d date", "n int64"),
		"tests/few.sql": "{{ config(severity='warn', store_failures=true) }}select * from {{ ref('merged') }} where n > 10",
	}
	run := func(k, n, day string) *run.Report {
		t.Helper()
		s.config.Vars = map[string]any{"k": k, "n": n, "day": day}
		s.small(files)
		return s.run()
	}
	run("1", "10", "2026-11-21")
	s.expect("labels", "2,it's one 4,two")
	s.expect("merged", "1,10")
	s.expect("days", "2026-11-21,10")
	if got := s.rows(prod + ".shown"); got != "" {
		t.Errorf("the view shows %s", got)
	}

	report := run("2", "20", "2026-11-22")
	s.expect("merged", "1,10 2,20")
	s.expect("added", "10 20")
	s.expect("days", "2026-11-21,10 2026-11-22,20")
	if got := s.rows(prod + ".shown"); got != "2" {
		t.Errorf("the view shows %s", got)
	}
	if len(report.Tests) != 1 || report.Tests[0].Status != "warned" || s.rows(prod+"_dbt_test__audit.few") != "2,20" {
		t.Errorf("the test found %+v and kept %s", report.Tests, s.rows(prod+"_dbt_test__audit.few"))
	}

	// A second column, and other rows of the same key and day.
	files["models/added.sql"] = strings.Replace(files["models/added.sql"], " as n", " as n, 'new' as word", 1)
	files["models/all.yml"] = strings.Replace(files["models/all.yml"], columns("added", "n int64"), columns("added", "n int64", "word string"), 1)
	run("2", "21", "2026-11-22")
	s.expect("merged", "1,10 2,21")
	s.expect("added", "10,<nil> 20,<nil> 21,new")
	s.expect("days", "2026-11-21,10 2026-11-22,21")

	files["models/added.sql"] = strings.Replace(strings.Replace(files["models/added.sql"], "append_new_columns", "fail", 1), "as word", "as word, 1 as other", 1)
	s.small(files)
	if report := s.transform.Run(t.Context()); report.OK() || !slices.Equal(statuses(report, "failed"), []string{"added"}) {
		t.Errorf("new columns passed on_schema_change='fail': %+v", report.Models)
	}
	files["models/added.sql"] = strings.Replace(files["models/added.sql"], "'fail'", "'ignore'", 1)
	run("2", "22", "2026-11-22")
	s.expect("added", "10,<nil> 20,<nil> 21,new 22,new")

	// What a failed run added to the next contents is not merged a second time.
	files["tests/never.sql"] = "select * from {{ ref('added') }}"
	s.config.Vars["n"] = "23"
	s.small(files)
	if report := s.transform.Run(t.Context()); report.OK() {
		t.Error("a failing test passed")
	}
	delete(files, "tests/never.sql")
	run("2", "23", "2026-11-22")
	s.expect("added", "10,<nil> 20,<nil> 21,new 22,new 23,new")
}

// A contract is kept when the SQL gives the declared columns with their types,
// in whatever order: dbt-core says so. Without one a table has what the SQL
// gives.
func TestContract_IsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, declared, want string }{
		"kept":              {"select 'x' as word, 1 as n, numeric '1' as d", "{name: n, data_type: integer}, {name: word, data_type: string(9)}, {name: d, data_type: decimal}", ""},
		"in other case":     {"select 'x' as word, 1 as N", "{name: n, data_type: int64}, {name: Word, data_type: string}", ""},
		"case, no contract": {"{{ config(contract={'enforced': false}) }}select 1 as N", "{name: n, data_type: int64}", ""},
		"another type":      {"select 'x' as n", "{name: n, data_type: int64}", "the contract says that column n is int64, and the SQL gives string"},
		"a column missing":  {"select 1 as n", "{name: n, data_type: int64}, {name: m, data_type: int64}", "the contract has a column m, and the SQL gives none"},
		"a column too many": {"select 1 as n, 2 as m", "{name: n, data_type: int64}", "the SQL gives a column m int64 that the yml file does not declare"},
		"no contract":       {"{{ config(contract={'enforced': false}) }}select 1 as n, 2 as m", "{name: n, data_type: int64}", ""},
		"a view":            {"{{ config(materialized='view') }}select 1 as n, 2 as m", "{name: n, data_type: int64}", "the SQL gives a column m int64 that the yml file does not declare"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.UTC, noon)
			s.small(map[string]string{
				"models/a.sql":   "{{ config(contract={'enforced': true}) }}" + c.sql,
				"models/b.sql":   "{{ config(materialized='view') }}select * from {{ ref('a') }}",
				"models/all.yml": "models: [{name: a, columns: [" + c.declared + "]}]",
			})
			report := s.transform.Run(t.Context())
			if c.want == "" {
				if !report.OK() {
					t.Errorf("%+v", report.Models)
				}
				return
			}
			if report.OK() || !strings.Contains(report.Models[0].Message, c.want) {
				t.Errorf("%+v", report.Models)
			}
		})
	}
}
