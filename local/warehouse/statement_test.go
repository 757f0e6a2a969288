package warehouse

import (
	"strings"
	"testing"
)

func TestParseStatement(t *testing.T) {
	tests := []struct {
		sql, kind, path, body string
	}{
		{"", "SELECT", "", ""},
		{"select 1", "SELECT", "", ""},
		{" -- a comment; with create table\n# another\n/* and */ SELECT 1;", "SELECT", "", ""},
		{"with a as (select 1) select * from a", "SELECT", "", ""},
		{"(select 1)", "SELECT", "", ""},
		{"select 1; select 2", "SCRIPT", "", ""},
		{"select ';' , \";\", `a;b`, '''it's; fine''', r'\\';", "SELECT", "", ""},
		{"begin transaction; delete from s.t where true; commit transaction;", "SCRIPT", "", ""},
		{"insert into s.t values (1)", "INSERT", "s t", ""},
		{"insert `my-project.s.t` (a) select 1", "INSERT", "my-project s t", ""},
		{"delete from `s`.`t` where true", "DELETE", "s t", ""},
		{"delete s.t t where t.a = 1", "DELETE", "s t", ""},
		{"update my-project.s.t set a = 1 where true", "UPDATE", "my-project s t", ""},
		{"merge into s.t using s.u on false when not matched then insert row", "MERGE", "s t", ""},
		{"truncate table s.t", "TRUNCATE_TABLE", "s t", ""},
		{"create table s.t (a int64)", "CREATE_TABLE", "s t", ""},
		{"create table if not exists s.t (a int64)", "CREATE_TABLE", "s t", ""},
		{"create or replace table s.t partition by date(a) options(description='as') as\nwith x as (select 1) select * from x ;",
			"CREATE_TABLE_AS_SELECT", "s t", "with x as (select 1) select * from x"},
		{"create view s.v (a options(description=\"b\")) as select 1 as a", "CREATE_VIEW", "s v", "select 1 as a"},
		{"create temp table t as select 1", "CREATE_TABLE_AS_SELECT", "t", "select 1"},
		{"create schema if not exists `p`.`d`", "CREATE_SCHEMA", "p d", ""},
		{"create temp function f(x int64) as (x + 1)", "CREATE_FUNCTION", "f", "(x + 1)"},
		{"drop schema if exists d cascade", "DROP_SCHEMA", "d", ""},
		{"drop table if exists s.t", "DROP_TABLE", "s t", ""},
		{"drop view s.v", "DROP_VIEW", "s v", ""},
		{"alter table s.t add column b int64", "ALTER_TABLE", "s t", ""},
		{"declare x int64; select x", "SCRIPT", "", ""},
		{"'unclosed", "SCRIPT", "", ""},
		{"selec 1", "SELECT", "", ""},
		{"while true do select 1; end while", "SCRIPT", "", ""},
		{"here: loop leave here; end loop", "SCRIPT", "", ""},
	}
	for _, test := range tests {
		got := parseStatement(test.sql)
		if got.kind != test.kind || strings.Join(got.path, " ") != test.path || got.body != test.body {
			t.Errorf("%s:\n got %s %v %q\nwant %s [%s] %q", test.sql, got.kind, got.path, got.body, test.kind, test.path, test.body)
		}
	}
}

func TestStatement_KnowsWhatChangesTables(t *testing.T) {
	for sql, want := range map[string]bool{
		"select 1": false,
		"begin transaction; delete from s.t where true; insert into s.t select 1; commit transaction": false,
		"begin transaction; drop table s.t; commit transaction":                                       true,
		"create or replace view s.v as select 1":                                                      true,
		"declare x int64":                                                                             true, // better too often than stale
	} {
		s := parseStatement(sql)
		if got := s.ddl(); got != want {
			t.Errorf("%s: %v, want %v", sql, got, want)
		}
	}
}

func TestMentions(t *testing.T) {
	for sql, want := range map[string]bool{
		"select * from s.t": true, "select * from `p.s.T`": true, "select * from `p`.`s`.`t`": true,
		"select * from `p`.`s`.`t__next`": false, "select 't' from s.u": false,
	} {
		if got := mentions(sql, "t"); got != want {
			t.Errorf("%s: %v, want %v", sql, got, want)
		}
	}
}

func FuzzParseStatement(f *testing.F) {
	f.Add("create or replace table `a`.b as (select '''x''' /* ")
	f.Add("-- x\nselect r'\\")
	f.Fuzz(func(t *testing.T, sql string) {
		end := 0
		for _, token := range lex(sql) {
			if token.start < end || token.end <= token.start || token.end > len(sql) || sql[token.start:token.end] != token.text {
				t.Fatalf("token %+v after %d in %q", token, end, sql)
			}
			end = token.end
		}
		parseStatement(sql)
	})
}
