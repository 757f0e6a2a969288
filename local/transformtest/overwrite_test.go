package transformtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
)

// A model that names the partitions it replaces, and that only views read, has
// its history once, as it is published: beside it lies what changes, or all of
// it where a test needs that.
func TestOverwrite_KeepsOneCopyOfTheHistory(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	files := map[string]string{
		"models/days.sql": "{{ config(materialized='incremental', incremental_strategy='insert_overwrite', on_schema_change='append_new_columns', " +
			"partition_by={'field': 'd', 'data_type': 'date'}, partitions=[\"date '\" ~ var('day') ~ \"'\"]) }}select date '{{ var('day') }}' as d, {{ var('n') }} as n",
		"models/shown.sql":  "{{ config(materialized='view') }}select d, n from {{ ref('days') }}",
		"models/all.yml":    "models: [{name: days, columns: [{name: d, data_type: date}, {name: n, data_type: int64}]}]",
		"tests/small.sql":   "{{ config(meta={'looks_at': 'changes'}) }}select * from {{ ref('shown') }} where n > 10",
		"tests/unknown.sql": "{{ config(meta={'looks_at': 'changes'}) }}select * from {{ ref('days') }} where d is null",
	}
	prepare := func(day, n string) {
		s.config.Vars = map[string]any{"day": day, "n": n}
		s.small(files)
	}
	holds := func(table, want string) {
		t.Helper()
		if got := s.rows(prod + "." + table); got != want {
			t.Errorf("%s is %s, want %s", table, got, want)
		}
	}
	prepare("2026-11-21", "1")
	s.run()
	prepare("2026-11-22", "2")
	s.run()
	holds("days", "2026-11-21,1 2026-11-22,2")
	holds("days__next", "2026-11-22,2")

	// A test of a view that fails holds back the table behind it.
	prepare("2026-11-22", "11")
	if got := statuses(s.transform.Run(t.Context()), "held"); !slices.Equal(got, []string{"days", "shown"}) {
		t.Errorf("held back: %v", got)
	}
	holds("days", "2026-11-21,1 2026-11-22,2")

	all := maps.Clone(files)
	files["tests/two.sql"] = "select * from (select count(*) as n from {{ ref('shown') }}) where n != 2"
	prepare("2026-11-22", "3")
	s.run()
	holds("days", "2026-11-21,1 2026-11-22,3")
	holds("days__next", "2026-11-21,1 2026-11-22,3")

	files = all
	files["models/days.sql"] = strings.Replace(files["models/days.sql"], " as n", " as n, 'new' as word", 1)
	files["models/all.yml"] = "models: [{name: days, columns: [{name: d, data_type: date}, {name: n, data_type: int64}, {name: word, data_type: string}]}]"
	prepare("2026-11-22", "4")
	s.run()
	holds("days", "2026-11-21,1,<nil> 2026-11-22,4,new")
	prepare("2026-11-23", "5")
	s.run()
	holds("days", "2026-11-21,1,<nil> 2026-11-22,4,new 2026-11-23,5,new")
}

// What is deleted, inserted and published is one set, and what holds history is
// not made again by itself.
func TestOverwrite_OneSetOfRows(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	model := "{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by={'field': 'd', 'data_type': 'date'}%s) }}" +
		"select %s as d, {{ var('n') }} as n"
	build := func(config, d, n string) *run.Report {
		t.Helper()
		s.config.Vars = map[string]any{"n": n}
		s.small(map[string]string{
			"models/days.sql": fmt.Sprintf(model, config, d),
			"models/all.yml":  "models: [{name: days, columns: [{name: d, data_type: date}, {name: n, data_type: int64}]}]",
		})
		return s.transform.Run(t.Context())
	}
	holds := func(want string) {
		t.Helper()
		if got := s.rows(prod + ".days"); got != want {
			t.Errorf("days is %s, want %s", got, want)
		}
	}
	const someday = "date '2026-11-22'"
	build("", someday, "1")
	holds("2026-11-22,1")
	build("", "cast(null as date)", "2") // dbt adds such rows, each time
	holds("2026-11-22,1 <nil>,2")
	build("", "if(extract(year from current_date()) > 0, null, "+someday+")", "3")
	holds("2026-11-22,1 <nil>,2 <nil>,3")

	report := build(", partitions=[\"date '2026-11-23'\"]", someday, "4")
	if !strings.Contains(fmt.Sprint(report.Models), "rows outside of its config partitions") {
		t.Errorf("rows outside of the partitions passed: %+v", report.Models)
	}
	holds("2026-11-22,1 <nil>,2 <nil>,3")

	// dbt knows the partitions that a model names without being executed.
	build(", partitions=[\"date '2026-11-23'\"] if is_incremental() else [\"date '2026-11-22'\"]", someday, "4")
	holds("2026-11-22,4 <nil>,2 <nil>,3")

	model = strings.ReplaceAll(model, "'field': 'd'", "'field': 'D'") // BigQuery's columns have no case
	build("", someday, "5")
	holds("2026-11-22,5 <nil>,2 <nil>,3")
	model = strings.ReplaceAll(model, "'data_type': 'date'", "'data_type': 'date', 'granularity': 'month'")
	if report := build("", someday, "6"); !strings.Contains(fmt.Sprint(report.Models), "run with --full-refresh") {
		t.Errorf("another partitioning made history again: %+v", report.Models)
	}
	holds("2026-11-22,5 <nil>,2 <nil>,3")
}
