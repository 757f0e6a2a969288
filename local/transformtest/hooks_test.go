package transformtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
)

// Hooks change the next contents, and readers see that only when it passed its
// tests; what is said of the published table itself waits for that, too.
func TestHooks_ChangeWhatIsPublishedOnlyWithIt(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	files := map[string]string{
		"dbt_project.yml": "name: small\non-run-start: create table if not exists prod_data.said (what string)\n" +
			"on-run-end: insert into prod_data.said select concat('end ', count(*)) from prod_data.kept\nmodels: {small: {+materialized: table}}\n",
		"models/kept.sql": "{{ config(materialized='incremental', unique_key='n', pre_hook=\"{% if is_incremental() %}delete from {{ this }} where n = 1{% endif %}\"," +
			" post_hook=[\"update {{ this }} set word = 'seen' where true\", 'grant `roles/x` on table {{ this }} to \"user:a@b\"']) }}select {{ var('n') }} as n, 'new' as word",
		"models/after.sql": "select n, word from {{ ref('kept') }}",
		"tests/few.sql":    "select * from {{ ref('kept') }} where n > {{ var('most') }}",
	}
	build := func(n, most string) *run.Report {
		t.Helper()
		s.config.Vars = map[string]any{"n": n, "most": most}
		s.small(files)
		return s.transform.Run(t.Context())
	}
	granted := func() int {
		return len(s.Query("select 1 from `region-us`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_name like 'kept%'"))
	}
	if report := build("1", "0"); report.OK() || granted() != 0 || s.rows(prod+".said") != "" {
		t.Errorf("a failing test: %+v, %d grants, said %s", report, granted(), s.rows(prod+".said"))
	}
	build("1", "9")
	s.expect("kept", "1,seen")
	s.expect("after", "1,seen")
	if report := build("2", "0"); !slices.Equal(statuses(report, "held"), []string{"kept"}) {
		t.Errorf("%+v", report.Models)
	}
	if got := s.rows(prod + ".kept"); got != "1,seen" {
		t.Errorf("a failing test: readers see %s", got)
	}
	build("2", "9")
	s.expect("kept", "2,seen")
	s.expect("after", "2,seen")
	if got := s.rows(prod + ".said"); got != "end 1 end 1 end 1" || granted() != 1 {
		t.Errorf("said %s, %d grants", got, granted())
	}

	files["models/after.sql"] = "{{ config(post_hook='insert into prod_data.said select word from prod_data.kept') }}" + files["models/after.sql"]
	files["models/shown.sql"] = "{{ config(materialized='view', post_hook='insert into prod_data.said select word from prod_data.after') }}select 1 as n"
	report := build("3", "9")
	if !slices.Equal(statuses(report, "failed"), []string{"shown"}) || !strings.Contains(report.Models[len(report.Models)-1].Message+report.Models[0].Message, "write {{ ref('after') }}") {
		t.Errorf("a table named without ref: %+v", report.Models)
	}
	if got := s.rows(prod + ".said"); got != "end 1 end 1 end 1 end 2 seen seen" {
		t.Errorf("said %s", got)
	}
	if report := s.transform.Run(t.Context()); !report.OK() && len(statuses(report, "created"))+len(statuses(report, "replaced")) > 0 {
		t.Errorf("with nothing to do: %+v", report.Models)
	}
}

// Options come with what is published; those that dbt gives a table only when it
// makes it, an incremental model's table keeps.
func TestOptions_AreThoseOfWhatIsPublished(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	build := func(label, word string) {
		t.Helper()
		s.small(map[string]string{
			"models/a.sql": "{{ config(labels={'team': '" + label + "'}, hours_to_expiration=24, persist_docs={'relation': true, 'columns': true}) }}select 1 as n" + word,
			"models/b.sql": "{{ config(materialized='incremental', unique_key='n', labels={'team': '" + label + "'}, persist_docs={'relation': true}, on_schema_change='sync_all_columns'," +
				" partition_by={'field': 'd', 'data_type': 'date'}, require_partition_filter=true) }}select 1 as n, date '2026-11-22' as d" + word,
			"models/all.yml": "models:\n- {name: a, description: 'of " + label + "', columns: [{name: n, description: a number}]}\n- {name: b, description: 'of " + label + "'}",
		})
		s.run()
	}
	check := func(table, label, description string) {
		t.Helper()
		got, err := s.Client.Dataset(prod).Table(table).Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Labels["team"] != label || got.Description != description || (table == "b") != got.RequirePartitionFilter || (table == "a") == got.ExpirationTime.IsZero() {
			t.Errorf("%s has the labels %v, is described as %q, filtered %v, ends %v", table, got.Labels, got.Description, got.RequirePartitionFilter, got.ExpirationTime)
		}
		if table == "a" && got.Schema[0].Description != "a number" {
			t.Errorf("the column is described as %q", got.Schema[0].Description)
		}
	}
	build("one", "")
	check("a", "one", "of one")
	check("b", "one", "of one")
	build("two", "")
	check("a", "two", "of two")
	check("b", "one", "of two")
	build("two", ", 'x' as word") // both tables get another form
	check("a", "two", "of two")
	check("b", "one", "of two")
	if got := s.rows(prod + ".b"); got != "1,2026-11-22,x" {
		t.Errorf("b is %s", got)
	}
}
