package transformtest

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A view that no model and no test of the run reads has no twin, and yet a
// mistake in its SQL fails it alone, not the run.
func TestRun_ViewsThatNothingReads(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	files := map[string]string{
		"models/a.sql":    "{{ config(materialized='view') }}select 1 as n",
		"models/b.sql":    "{{ config(materialized='view') }}select 2 as n",
		"tests/few_b.sql": "{{ config(tags=['deep']) }}select * from {{ ref('b') }} where n > 2",
	}
	views := func() (names []string) {
		for _, row := range s.Query("select table_name from prod_data.INFORMATION_SCHEMA.TABLES where table_type = 'VIEW' order by 1") {
			names = append(names, row[0].(string))
		}
		return names
	}
	s.config.Exclude = []string{"tag:deep"}
	s.small(files)
	s.run()
	if got := views(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("there are the views %v", got)
	}

	files["models/a.sql"] = "{{ config(materialized='view') }}select nothing as n"
	files["models/b.sql"] = "{{ config(materialized='view') }}select 3 as n"
	s.small(files)
	if got := statuses(s.transform.Run(t.Context()), "failed"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("failed: %v", got)
	}
	if got := s.rows(prod + ".b"); got != "3" {
		t.Errorf("the view without a mistake shows %s", got)
	}

	s.config.Exclude = nil
	files["models/a.sql"] = "{{ config(materialized='view') }}select 1 as n"
	files["models/b.sql"] = "{{ config(materialized='view') }}select 4 as n"
	s.small(files)
	report := s.transform.Run(t.Context())
	if got := statuses(report, "held"); !slices.Equal(got, []string{"b"}) || s.rows(prod+".b") != "3" {
		t.Errorf("held: %v, and the view shows %s", got, s.rows(prod+".b"))
	}
	if got := views(); !slices.Equal(got, []string{"a", "b", "b__next"}) {
		t.Errorf("there are the views %v", got)
	}
}

// BigQuery makes a dataset in the US unless it is told where, and at times
// takes a script for one of the US.
func TestRun_NamesTheLocationOfTheModels(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	p := s.throughProxy()
	var asked, made, statements atomic.Int32
	p.set(func(w http.ResponseWriter, r *http.Request, body string, _ func()) bool {
		switch path := r.URL.Path; {
		case r.Method == http.MethodGet && strings.HasSuffix(path, "/datasets/"+prod):
			asked.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"datasetReference": {"projectId": "` + project + `", "datasetId": "` + prod + `"}, "location": "europe-west9"}`))
			return true
		case r.Method == http.MethodPost && strings.HasSuffix(path, "/datasets"):
			made.Add(1)
		case r.Method == http.MethodPost:
			statements.Add(1)
			if !strings.Contains(body, `"labels":{"application":"stationflow","component":"transform"}`) {
				t.Errorf("a statement has no labels: %s", body)
			}
		default:
			return false
		}
		if !strings.Contains(body, `"location":"europe-west9"`) {
			t.Errorf("no location in %s %s", r.URL.Path, body)
		}
		return false
	})
	s.small(map[string]string{
		"models/a.sql":  "{{ config(materialized='view') }}select 1 as n",
		"tests/few.sql": "{{ config(severity='warn', store_failures=true) }}select * from {{ ref('a') }}",
	})
	s.run()
	if asked.Load() != 1 || made.Load() != 1 || statements.Load() < 5 {
		t.Errorf("asked for the location %d times, made %d datasets, sent %d statements", asked.Load(), made.Load(), statements.Load())
	}
	if got := s.rows(prod + "_dbt_test__audit.few"); got != "1" {
		t.Errorf("kept %s", got)
	}
}
