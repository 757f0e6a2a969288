package run

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// diamond is a project of a → b, c → d with an ephemeral model between b and
// d, a view v over the source, and tests of a, of b and c together, and of d.
func diamond(t *testing.T) *project.Project {
	t.Helper()
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"dbt_project.yml": "name: p\nmodels: {p: {+materialized: table}}\n",
		"models/v.sql":    "{{ config(materialized='view') }}select * from {{ source('s', 'x') }}",
		"models/a.sql":    "select n from {{ source('s', 'x') }}",
		"models/b.sql":    "select n from {{ ref('a') }}",
		"models/c.sql":    "select n from {{ ref('a') }} join {{ source('s', 'y') }} using (n) join {{ ref('v') }} using (n)",
		"models/e.sql":    "{{ config(materialized='ephemeral') }}select n from {{ ref('b') }}",
		"models/d.sql":    "select n from {{ ref('e') }} join {{ ref('c') }} using (n)",
		"models/z.sql":    "select n from {{ ref('b') }}",
		"tests/of_a.sql":  "select * from {{ ref('a') }}",
		"tests/of_bc.sql": "select * from {{ ref('b') }}, {{ ref('c') }}",
		"tests/of_e.sql":  "select * from {{ ref('e') }}",
		"tests/of_x.sql":  "select * from {{ source('s', 'x') }}",
		"models/all.yml": "sources: [{name: s, tables: [{name: x}, {name: y}]}]\nmodels:\n" +
			strings.Join([]string{one("a"), one("b"), one("c"), one("d"), one("z")}, ""),
	} {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	p, err := project.Load(files, project.Target{Project: "p", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func one(name string) string {
	return "- {name: " + name + ", columns: [{name: n, data_type: int64}]}\n"
}

func built(p *project.Project) []*project.Model {
	return slices.DeleteFunc(slices.Clone(p.Models), func(m *project.Model) bool { return m.Config.Materialized == project.Ephemeral })
}

// alone is each test as a group of its own.
func alone(tests []*project.Test) (all []*group) {
	for _, test := range tests {
		all = append(all, &group{tests: []*project.Test{test}, reads: test.Reads})
	}
	return all
}

func label(t *task) string {
	if t.model != nil {
		return t.model.Name
	}
	return t.tests.tests[0].Name
}

func TestSchedule_TestsAsSoonAsTheyCanAndBuildsAfterThem(t *testing.T) {
	p := diamond(t)
	var order []string
	runTasks(schedule(p, built(p), alone(p.Tests)), 1, func(t *task) { order = append(order, label(t)) })
	if diff := cmp.Diff("a of_a of_x b of_e v c of_bc d z", strings.Join(order, " ")); diff != "" {
		t.Error(diff)
	}
}

func TestSchedule_ManyThreadsKeepTheOrder(t *testing.T) {
	p := diamond(t)
	for range 50 {
		var mu sync.Mutex
		ended := map[string]bool{}
		running, most := 0, 0
		runTasks(schedule(p, built(p), alone(p.Tests)), 3, func(x *task) {
			mu.Lock()
			running++
			most = max(most, running)
			for _, before := range map[string][]string{
				"b": {"a", "of_a"}, "c": {"a", "of_a", "v"}, "d": {"b", "c", "of_bc", "of_e"}, "z": {"b", "of_e"}, "of_bc": {"b", "c"}, "of_e": {"b"},
			}[label(x)] {
				if !ended[before] {
					t.Errorf("%s began before %s had ended", label(x), before)
				}
			}
			mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			running--
			ended[label(x)] = true
		})
		if most > 3 || len(ended) != 10 {
			t.Fatalf("%d at once, %d of 10 tasks done", most, len(ended))
		}
	}
}

func TestPlan_OnlyWhatChangedIsDue(t *testing.T) {
	p := diamond(t)
	made, err := newPlan(p, map[string]any{"today": "2026-11-22"}, "2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{"source.p.s.x": 3, "source.p.s.y": 5}
	settled := func() *state {
		s := &state{Models: map[string]modelState{}}
		r := &run{Runner: &Runner{project: p}, plan: made, rows: rows, lease: &Lease{token: 7}}
		for _, model := range built(p) {
			s.Models[model.Name] = r.stateOf(model, true, s)
		}
		return s
	}
	due := func(s *state, rows map[string]int64) string {
		var names []string
		for _, model := range built(p) {
			if made.isDue(model, s, rows) {
				names = append(names, model.Name)
			}
		}
		return strings.Join(names, " ")
	}
	change := func(name string, how func(*modelState)) *state {
		s := settled()
		model := s.Models[name]
		how(&model)
		s.Models[name] = model
		return s
	}
	for name, c := range map[string]struct {
		state *state
		rows  map[string]int64
		want  string
	}{
		"nothing":        {settled(), rows, ""},
		"first run":      {&state{}, rows, "a b v c d z"},
		"rows of x":      {settled(), map[string]int64{"source.p.s.x": 4, "source.p.s.y": 5}, "a c"}, // c reads x through the view
		"rows of y":      {settled(), map[string]int64{"source.p.s.x": 3, "source.p.s.y": 6}, "c"},
		"b built alone":  {change("b", func(m *modelState) { m.Version = 8 }), rows, "d z"},
		"c not shown":    {change("c", func(m *modelState) { m.Pending = true }), rows, "c"},
		"SQL of v":       {change("v", func(m *modelState) { m.SQL = "other" }), rows, "v"},
		"v is published": {change("v", func(m *modelState) { m.Version = 8 }), rows, "c"},
	} {
		again, err := parseState(c.state.String()) // as it is read back
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, due(again, c.rows)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if n := made.newRows(settled(), map[string]int64{"source.p.s.x": 4, "source.p.s.y": 7}); n != 3 {
		t.Errorf("%d new rows, want 3", n)
	}
	if n := made.newRows(&state{}, rows); n != -1 {
		t.Errorf("%d new rows without a state, want -1", n)
	}
}

func TestBlock_ReachesAllThatDependOnIt(t *testing.T) {
	p := diamond(t)
	r := &run{Runner: &Runner{project: p}, broken: map[string]string{}}
	r.block("model.p.b", "its test failed")
	if diff := cmp.Diff(map[string]string{
		"model.p.b": "its test failed", "model.p.e": "b failed", "model.p.d": "b failed", "model.p.z": "b failed",
	}, r.broken); diff != "" {
		t.Error(diff)
	}
}

func TestStatements(t *testing.T) {
	p := diamond(t)
	model := *p.Model("a")
	model.Config.UniqueKey = []string{"n"}
	written := []project.Column{{Name: "n", Type: "int64"}, {Name: "m", Type: "int64"}}
	model.Config.Predicates, model.Config.ExcludeColumns = []string{"DBT_INTERNAL_DEST.m > 0"}, []string{"N"}
	want := "merge into t as DBT_INTERNAL_DEST\nusing u as DBT_INTERNAL_SOURCE\non (DBT_INTERNAL_DEST.m > 0) and (DBT_INTERNAL_SOURCE.n = DBT_INTERNAL_DEST.n)\n" +
		"when matched then update set `m` = DBT_INTERNAL_SOURCE.`m`\n" +
		"when not matched then insert (`n`, `m`) values (DBT_INTERNAL_SOURCE.`n`, DBT_INTERNAL_SOURCE.`m`);"
	if diff := cmp.Diff(want, merging("t", "u", &model, written)); diff != "" {
		t.Error(diff)
	}
	model.Config.PartitionBy = &project.Partition{Field: "d", DataType: "datetime", Granularity: "hour"}
	if got := within(&model, "datetime '2026-11-22 00:00:00'"); got != "datetime_trunc(d, hour) in (datetime '2026-11-22 00:00:00')" {
		t.Errorf("got %s", got)
	}
	l := &Lease{relation: "l", token: 3, holder: "me"}
	want = "update l\nset holder = '', interrupted = false, expires_at = current_timestamp(), state = '{\"run\":\"it\\'s\",\"models\":{}}'\nwhere if(token = 3 and holder = 'me', true, error('stationflow: the lease is lost'));"
	if diff := cmp.Diff(want, l.finish(&state{Run: "it's", Models: map[string]modelState{}})); diff != "" {
		t.Error(diff)
	}
}

// A task that panics has failed, and what depends on it is skipped, tests as
// well.
func TestTasks_APanicIsTheTasksError(t *testing.T) {
	p := diamond(t)
	r := &run{
		Runner: &Runner{project: p}, options: Options{Always: true}, report: &Report{}, // without a warehouse the first statement panics
		lease: &Lease{}, known: &state{}, plan: &plan{}, building: map[string]bool{}, built: map[string]building{}, changed: map[string]bool{}, broken: map[string]string{},
	}
	for _, model := range built(p) {
		r.building[model.Name] = true
	}
	runTasks(schedule(p, built(p), alone(p.Tests)), 2, func(x *task) {
		if x.model != nil {
			r.buildOne(t.Context(), x.model)
		} else {
			r.testGroup(t.Context(), x.tests)
		}
	})
	got := map[string]string{}
	for _, model := range r.report.Models {
		got[model.Name] = model.Status
		if (model.Status == failed) != strings.Contains(model.Message, "panicked") {
			t.Errorf("%s %s: %s", model.Name, model.Status, model.Message)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": failed, "v": failed, "b": skipped, "c": skipped, "d": skipped, "z": skipped}, got); diff != "" {
		t.Error(diff)
	}
	for _, test := range r.report.Tests {
		want := skipped
		if test.Name == "of_x" { // reads a source alone
			want = failed
		}
		if test.Status != want {
			t.Errorf("test %s %s: %s, want %s", test.Name, test.Status, test.Message, want)
		}
	}
	if len(r.report.Tests) != len(p.Tests) {
		t.Errorf("there are %d tests in the report, want all %d", len(r.report.Tests), len(p.Tests))
	}

	r.report = &Report{}
	r.built = map[string]building{} // the tests alone
	runTasks(schedule(p, nil, alone(p.Tests)), 2, func(x *task) { r.testGroup(t.Context(), x.tests) })
	for _, test := range r.report.Tests {
		if test.Status != failed || !strings.Contains(test.Message, "panicked") {
			t.Errorf("test %s %s: %s", test.Name, test.Status, test.Message)
		}
	}
	if len(r.report.Tests) != len(p.Tests) {
		t.Errorf("%d tests failed, want all %d", len(r.report.Tests), len(p.Tests))
	}
}

// Only what lies beside a model under an earlier mark was left by a run that
// lost its lease: no table of a model, nothing that others have made, and
// nothing of a later run, to which this one has lost its own.
func TestIsStray(t *testing.T) {
	p := diamond(t)
	l := Lease{token: 7, holder: "20261122T120000.000000Z-ABCDEFG2"}
	for mark, strays := range map[string]string{
		"":       "a__next_7_abcdefg2 a__new_6_zyxwvut3",
		l.mark(): "a__next a__new_6_zyxwvut3",
	} {
		r := &run{Runner: &Runner{project: p}, mark: mark, lease: &Lease{token: 8}}
		var got []string
		for _, name := range []string{"a", "a__next", "a__next_7_abcdefg2", "a__new_6_zyxwvut3", "a__next_8_zyxwvut3", "a__next_9_zyxwvut3", "a__next_other", "other__next", "a__", "b"} {
			if r.isStray(name) {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(strays, strings.Join(got, " ")); diff != "" {
			t.Errorf("with the mark %q: %s", mark, diff)
		}
	}
}

// What a dry run estimates is what the command would run.
func TestRuns_IsWhatTheOptionsSay(t *testing.T) {
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"dbt_project.yml": "name: p\n", "seeds/s.csv": "n\n1\n", "models/v.sql": "select n from {{ ref('e') }}",
		"models/e.sql": "{{ config(materialized='ephemeral') }}select n from {{ ref('s') }}", "tests/t.sql": "select * from {{ ref('v') }}",
	} {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	p, err := project.Load(files, project.Target{Project: "p", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"build": {Options{}, "s t v"},
		"run":   {Options{NoTests: true, Types: []string{project.TypeModel}}, "v"},
		"seed":  {Options{NoTests: true, Types: []string{project.TypeSeed}}, "s"},
		"test":  {Options{NoModels: true}, "t"},
	} {
		runs := (&Runner{project: p}).runs(c.options)
		var got []string
		for _, resource := range p.Resources() {
			if resource.Type != project.TypeSource && runs(resource) {
				got = append(got, resource.Name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What reads a table that may have to be built again comes after the question
// that tells, and no view waits for it.
func TestSchedule_AsksFirst(t *testing.T) {
	p := diamond(t)
	b, z := p.Model("b"), p.Model("z")
	early := &group{tests: p.Tests[:1], reads: []string{b.ID}, bases: []string{b.ID}}
	ask := &group{asks: b, reads: []string{b.ID, z.ID}, bases: []string{b.ID}}
	var order []string
	runTasks(schedule(p, []*project.Model{b, z}, []*group{early, ask}), 1, func(x *task) {
		switch {
		case x.model != nil:
			order = append(order, x.model.Name)
		case x.tests == ask:
			order = append(order, "ask")
		default:
			order = append(order, "test")
		}
	})
	if got := strings.Join(order, " "); got != "b z ask test" {
		t.Errorf("the order is %s", got)
	}
}
