package warehouse

import (
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
)

// TestRequests_SeeNothingOfEachOther runs pairs of requests: what the second answers must be what it answers without
// the first.
func TestRequests_SeeNothingOfEachOther(t *testing.T) {
	w, _ := start(t, "")
	client, other := restClient(t, w), restClient(t, w)
	createTable(t, client, "t", bigquery.Schema{{Name: "station", Type: bigquery.StringFieldType}, {Name: "n", Type: bigquery.IntegerFieldType}})
	run(t, client, "insert into s.t values ('a', 1), ('b', 2), ('c', 3)")
	const rows = "select count(*) from s.t where station = 'a' and n < 9"
	firsts := map[string]string{
		"declare":                     "declare station string default 'z'; declare n int64 default 99; select station",
		"declare alone":               "declare station string default 'z'",
		"declare in a comment":        "select 1 -- ; declare station string default 'z'",
		"declare in a comment, dry":   "select 1 /* ; declare station string default 'z' */",
		"declare in a text":           "select '''it's; declare station string default \"z\"''' as x",
		"declare in a raw text":       `select r'\'; declare n int64 default 99` + "\n--'",
		"set":                         "declare n int64; set n = 99; select n",
		"failing after declare":       "declare n int64 default 99; select error('stop')",
		"set time zone":               "set @@time_zone = 'Asia/Tokyo'; select 1",
		"open transaction":            "begin transaction; insert into s.t values ('a', 1); select 1",
		"rolled back":                 "begin transaction; delete from s.t where true; rollback transaction",
		"failing transaction":         "begin transaction; delete from s.t where true; select error('stop'); commit transaction",
		"begin alone":                 "begin transaction",
		"temporary table":             "create temp table t as select 'a' as station, 5 as n; select * from t",
		"temporary table that fails":  "create temp table u as select 1 as n; select error('stop')",
		"temporary function":          "create temp function f(x int64) as (x + 1); select f(1)",
		"temporary function, failing": "create temp function f(x int64) as (x + 1); select f(1), error('stop')",
		"failed table":                "create table s.u as select error('stop') as n",
		"block":                       "begin declare n int64 default 99; select n; end",
	}
	seconds := []struct {
		sql  string
		want [][]bigquery.Value // nil when it must fail
	}{
		{rows, [][]bigquery.Value{{int64(1)}}},
		{"select sum(n) from s.t", [][]bigquery.Value{{int64(6)}}},
		{"select string(timestamp '2026-11-28 00:00:00')", [][]bigquery.Value{{"2026-11-28 00:00:00+00"}}},
		{"declare n int64 default 7; select n", [][]bigquery.Value{{int64(7)}}},
		{"begin transaction; delete from s.t where false; commit transaction; select 4", [][]bigquery.Value{{int64(4)}}},
		{"select station", nil},
		{"select n", nil},
		{"select f(1)", nil},
		{"select * from u", nil},
		{"select * from s.u", nil},
		{"rollback transaction", nil},
		{"commit transaction", nil},
	}
	for name, first := range firsts {
		t.Run(name, func(t *testing.T) {
			_, _ = tryRun(t.Context(), client, first) // some are to fail
			for _, second := range seconds {
				got, err := tryRun(t.Context(), other, second.sql)
				if second.want == nil {
					if err == nil {
						t.Errorf("then %s: %v, want an error", second.sql, got)
					}
					continue
				}
				if diff := cmp.Diff(second.want, got); err != nil || diff != "" {
					t.Errorf("then %s: %v %s", second.sql, err, diff)
				}
			}
		})
	}
}

func TestScripts_AnswerAsBigQuerys(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", bigquery.Schema{{Name: "station", Type: bigquery.StringFieldType}, {Name: "n", Type: bigquery.IntegerFieldType}})
	for _, test := range []struct {
		sql  string
		want bigquery.Value
	}{
		{"declare x int64 default 5; select x", int64(5)},
		{"declare x, y int64 default 5; select x + y", int64(10)},
		{"declare x float64 default 5 / 2; select x", 2.5},
		{"declare x default 'it''s'; select x", nil},
		{"declare x default \"it's\"; select x", "it's"},
		{"declare x int64; select x is null", true},
		{"declare x int64 default 1; set x = x + 1; set x = x * 10; select x", int64(20)},
		{"declare d date default date '2026-11-28'; select date_add(d, interval 1 day) = date '2026-11-29'", true},
		{"declare moment timestamp default timestamp '2026-11-28 07:30:00.25'; select string(moment)", "2026-11-28 07:30:00.250+00"},
		{"declare names array<string> default ['a', 'b']; select array_to_string(names, '+')", "a+b"},
		{"declare names array<string> default ['a', 'b']; select count(*) from unnest(names)", int64(2)},
		{"declare b bytes default b'\\xff\\x00'; select to_hex(b)", "ff00"},
		{"insert into s.t values ('a', 1), ('b', 2); declare station string default 'b'; select count(*) from s.t where station = station", int64(2)},
		{"declare wanted string default 'b'; select max(n) from s.t where station = wanted", int64(2)},
		{"declare most int64 default (select max(n) from s.t); select most", int64(2)},
		{"declare x int64 default 3; insert into s.t values ('c', x); select max(n) from s.t", int64(3)},
		{"begin transaction; update s.t set n = 30 where station = 'c'; rollback transaction; select max(n) from s.t", int64(3)},
		{"begin transaction; update s.t set n = 30 where station = 'c'; commit transaction; select max(n) from s.t", int64(30)},
		{"assert (select count(*) from s.t) = 3 as 'three rows'; select 1", int64(1)},
		{"create temp table x as select 7 as n; select n from x", int64(7)},
		{"create temp function f(x int64) as (x * 2); select f(4)", int64(8)},
		{"create or replace table s.u as select 1 as n; create or replace table s.u as select 2 as n; select n from s.u", int64(2)},
	} {
		if test.want == nil {
			continue
		}
		rows, err := tryRun(t.Context(), client, test.sql)
		if err != nil || len(rows) != 1 || rows[0][0] != test.want {
			t.Errorf("%s: %v, %v, want %v", test.sql, rows, err, test.want)
		}
	}
	for sql, want := range map[string]string{
		"assert 1 = 2 as 'never'":                                     "Assertion failed: never",
		"if true then select 1; end if":                               Refusal,
		"execute immediate 'select 1'":                                Refusal,
		"set @@time_zone = 'Asia/Tokyo'":                              Refusal,
		"alter table s.t add column m int64":                          Refusal,
		"declare x int64 default 'a'":                                 "",
		"declare x int64; declare x int64":                            "redeclaration",
		"set y = 1":                                                   "Undeclared variable: y",
		"select cast(date '2026-11-28' as string format 'YYYY')":      Refusal,
		"select * from s.t for system_time as of current_timestamp()": Refusal,
	} {
		if _, err := tryRun(t.Context(), client, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
}

// A script stops at the statement that fails: what was done before it stays, as in BigQuery.
func TestScripts_KeepWhatWasDoneBeforeAFailure(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", bigquery.Schema{{Name: "n", Type: bigquery.IntegerFieldType}})
	if _, err := tryRun(context.Background(), client, "insert into s.t values (1); create table s.u as select 1 as n; select error('stop')"); err == nil {
		t.Error("no error")
	}
	if got := count(t, client, "select (select count(*) from s.t) + (select count(*) from s.u)"); got != 2 {
		t.Errorf("%d rows", got)
	}
}
