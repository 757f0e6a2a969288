package project

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chain is a project of models a → b → c → d, with a source above a, a tag, a
// seed and tests.
func chain(t *testing.T) *Project {
	t.Helper()
	p, err := Load(files(map[string]string{
		"dbt_project.yml":      "name: p\nmodels: {p: {marts: {+materialized: table, +tags: [gold]}}}\n",
		"models/raw.sql":       "select * from {{ source('s', 'events') }}",
		"models/marts/b.sql":   "select 1 as n from {{ ref('raw') }}",
		"models/marts/a.sql":   "{{ config(tags=['late']) }}select n from {{ ref('b') }} join {{ ref('kinds') }} using (n)",
		"seeds/kinds.csv":      "n,name\n1,one\n",
		"tests/odd.sql":        "select * from {{ ref('a') }}",
		"models/sources.yml":   "sources:\n- {name: s, tables: [{name: events, columns: [{name: id, data_tests: [not_null]}]}]}\n",
		"models/marts/all.yml": "models:\n- {name: a, columns: [{name: n, data_type: INT64}]}\n- {name: b, columns: [{name: n, data_type: int64, data_tests: [unique]}]}\n",
	}), Target{Project: "p", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSelect(t *testing.T) {
	p := chain(t)
	for _, c := range []struct{ selectors, exclude, want string }{
		{"", "", "a b events kinds odd raw source_not_null_s_events_id unique_b_n"},
		{"b", "", "b unique_b_n"},
		{"+b", "", "b events raw source_not_null_s_events_id unique_b_n"},
		{"1+b", "", "b raw unique_b_n"},
		{"raw+", "", "a b odd raw unique_b_n"},
		{"raw+1", "", "b raw unique_b_n"},
		{"@raw", "", "a b events kinds odd raw source_not_null_s_events_id unique_b_n"},
		{"a raw", "", "a odd raw"},
		{"tag:gold", "", "a b odd unique_b_n"},
		{"tag:gold,tag:late", "", "a odd"},
		{"path:models/marts", "", "a b odd unique_b_n"},
		{"models/marts/b.sql", "", "b unique_b_n"},
		{"b.sql", "", "b unique_b_n"},
		{"marts", "", "a b odd unique_b_n"},
		{"p.marts.b", "", "b unique_b_n"},
		{"source:s.events", "", "events source_not_null_s_events_id"},
		{"source:s+,resource_type:model", "", "a b odd raw unique_b_n"},
		{"test_type:singular", "", "odd"},
		{"test_type:generic", "", "source_not_null_s_events_id unique_b_n"},
		{"test_name:unique", "", "unique_b_n"},
		{"config.materialized:view", "", "raw"},
		{"resource_type:seed", "", "kinds"},
		{"resource_type:model", "a", "b raw unique_b_n"},
		{"*", "resource_type:test", "a b kinds raw"},
	} {
		selected, err := p.Select(list(c.selectors), list(c.exclude))
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		var got []string
		for id := range maps.Keys(selected) {
			parts := strings.Split(id, ".")
			name := parts[2] // behind it a generic test has dbt's hash
			if parts[0] == "source" {
				name = parts[3]
			}
			got = append(got, name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("--select %q --exclude %q: %s", c.selectors, c.exclude, diff)
		}
	}
}

func list(selector string) []string {
	if selector == "" {
		return nil
	}
	return []string{selector}
}

func TestSelect_SaysWhatIsWrong(t *testing.T) {
	p := chain(t)
	for selector, want := range map[string]string{
		"nothing":        `the selector "nothing" selects nothing`,
		"tag:nothing":    "selects nothing",
		"state:modified": `needs --state FOLDER`,
		"test_type:odd":  "test_type is generic, singular, data or unit",
		"a+b+c":          "cannot be read",
		"+":              "cannot be read",
	} {
		if _, err := p.Select([]string{selector}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", selector, err, want)
		}
	}
}
