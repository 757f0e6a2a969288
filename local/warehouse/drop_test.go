package warehouse

import (
	"slices"
	"testing"
)

// What is dropped is gone, by any name, and what is not stays: with its columns, and where a table is made anew with those
// that it has now. The schema is asked for what it has.
func TestDrop_LeavesTheOthers(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	for _, sql := range []string{
		"create schema s", "create schema r", "create table s.a as select 1 as x", "create table s.b as select 2 as x",
		"create table r.a as select 3 as y", "create view r.v as select x from s.a", "create view r.w as select net.host('http://a.b/') as h, x from s.a",
	} {
		run(t, client, sql)
	}
	for _, step := range []struct {
		sql  string
		left map[string][]string // what answers, to which query
		gone []string
	}{
		{"drop table if exists s.nothing", map[string][]string{"select * from s.b": {"2"}, "select * from r.v": {"1"}}, []string{"select * from s.nothing"}},
		{"drop table s.b", map[string][]string{"select * from s.a": {"1"}, "select * from `" + testProject + ".r.a`": {"3"}, "select x, h from r.w": {"1", "a.b"}}, []string{"select * from s.b"}},
		{"create or replace view r.v as select 4 as z", map[string][]string{"select z from r.v": {"4"}, "select upper(table_name) from r.INFORMATION_SCHEMA.TABLES where table_name = 'v'": {"V"}}, []string{"select x from r.v"}},
		{"create or replace table s.a as select 5 as x, 6 as u", map[string][]string{"select u from s.a": {"6"}, "select x from r.w": {"5"}}, nil},
		{"drop view r.w", map[string][]string{"select u, z from s.a, r.v": {"6", "4"}, "select * from r.a": {"3"}}, []string{"select * from r.w"}},
		{"drop schema r cascade", map[string][]string{"select x from s.a": {"5"}}, []string{"select * from r.a", "select * from r.v"}},
	} {
		run(t, client, step.sql)
		for query, want := range step.left {
			if rows := run(t, client, query); len(rows) != 1 || !slices.Equal(showAll(rows[0]), want) {
				t.Errorf("after %s, %s is %v, want %v", step.sql, query, rows, want)
			}
		}
		for _, query := range step.gone {
			if rows, err := tryRun(t.Context(), client, query); err == nil {
				t.Errorf("after %s, %s is %v, want an error", step.sql, query, rows)
			}
		}
	}
}
