package warehouse

import (
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
)

// processed is what a job says that its query read and was billed by.
func processed(t *testing.T, client *bigquery.Client, sql string) (bytes, billed int64) {
	t.Helper()
	job, err := client.Query(sql).Run(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	status, err := job.Wait(t.Context())
	if err != nil || status.Err() != nil {
		t.Fatalf("%s: %v %v", sql, err, status.Err())
	}
	if !strings.HasPrefix(sql, "select") && !strings.HasPrefix(sql, "with") {
		return status.Statistics.TotalBytesProcessed, status.Statistics.Details.(*bigquery.QueryStatistics).TotalBytesBilled
	}
	q := client.Query(sql)
	q.DryRun = true
	dry, err := q.Run(t.Context())
	if err != nil {
		t.Fatalf("dry run of %s: %v", sql, err)
	}
	if got := dry.LastStatus().Statistics.TotalBytesProcessed; got != status.Statistics.TotalBytesProcessed {
		t.Errorf("%s: the dry run says %d", sql, got)
	}
	return status.Statistics.TotalBytesProcessed, status.Statistics.Details.(*bigquery.QueryStatistics).TotalBytesBilled
}

// The sizes are those that BigQuery's pricing page gives each type.
func TestMetering_SizesOfTypes(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	run(t, client, `create table s.t (i int64, f float64, b bool, s string, y bytes, n numeric, g bignumeric, d date, c time, dt datetime, ts timestamp, j json, iv interval,
		l array<int64>, sl array<string>, r struct<a int64, b string, c array<bool>>)`)
	for range 2 {
		run(t, client, `insert into s.t values (1, 2.5, true, 'é"<x>', b'\x00\xff\x01', 1.5, bignumeric '2.5', date '2026-11-28', time '07:30:00', datetime '2026-11-28 07:30:00',
			timestamp '2026-11-28 07:30:00+00', json '{"a":1}', interval 1 day, [1, 2, 3], ['a', 'bc'], struct(1, 'xy', [true, false]))`)
	}
	run(t, client, "insert into s.t (i) values (null)")
	for column, size := range map[string]int64{
		"i": 8, "f": 8, "b": 1, "s": 2 + 6, "y": 2 + 3, "n": 16, "g": 32, "d": 8, "c": 8, "dt": 8, "ts": 8, "j": 2 + 7, "iv": 16,
		"l": 3 * 8, "sl": 3 + 4, "r": 8 + 4 + 2,
	} {
		if bytes, billed := processed(t, client, "select "+column+" from s.t"); bytes != 2*size || billed != leastBilled {
			t.Errorf("%s: %d bytes, %d billed, want %d", column, bytes, billed, 2*size)
		}
	}
	run(t, client, "create table s.copied as select b, i from s.t")
	if bytes, _ := processed(t, client, "select b, i from s.copied"); bytes != 2*(1+8) {
		t.Errorf("a table made from a query: %d bytes", bytes)
	}
}

func TestMetering_ColumnsThatAreRead(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	run(t, client, "create table s.t as select 1 as a, 2.5 as b, true as c, 'xyz' as d, [1, 2] as l, date '2026-11-28' as date") // 8, 8, 1, 5, 16, 8
	run(t, client, "create table s.u as select 1 as a, numeric '1' as e")                                                        // 8, 16
	run(t, client, "create view s.v as select a as k, b, d from s.t where c")
	run(t, client, "create view s.w as select * from s.v qualify row_number() over (partition by k order by d) = 1")
	const mib10 = leastBilled
	for _, test := range []struct {
		sql           string
		bytes, billed int64
	}{
		{"select 1", 0, 0},
		{"select * from s.t", 46, mib10},
		{"select count(*) from s.t", 0, 0},
		{"select a from s.t", 8, mib10},
		{"select t.a from s.t", 8, mib10},
		{"select x.a from s.t as x", 8, mib10},
		{"select a from s.t where c", 9, mib10},
		{"select a from s.t where d = 'date' -- b", 13, mib10},
		{"select a, date '2026-01-01', cast(d as string) from s.t", 13, mib10},
		{"select * except (l, d) from s.t", 25, mib10},
		{"select * replace (1 as a) from s.t", 46, mib10},
		{"select count(c) from s.t order by 1", 1, mib10},
		{"select sum(b) from s.t group by a having max(c)", 17, mib10},
		{"select d from s.t group by 1", 5, mib10},
		{"select e from s.t join s.u using (a)", 32, 2 * mib10},
		{"select t.b from s.t, s.u u where t.a = u.a", 24, 2 * mib10},
		{"select x.a, y.b from s.t x join s.t y on x.a = y.a", 16, mib10},
		{"select n from s.t, unnest(l) n", 16, mib10},
		{"select n from s.t, t.l as n", 16, mib10},
		{"select a from (select * from s.t)", 8, mib10},
		{"select a from (select a, b from s.t where d > '')", 13, mib10},
		{"with q as (select * from s.t), r as (select a, b from q) select a from r", 8, mib10},
		{"with q as (select a, b as z from s.t) select z from q", 8, mib10},
		{"select k from s.v", 9, mib10},
		{"select d from s.v", 6, mib10},
		{"select k from s.w", 14, mib10},
		{"select b from s.w", 22, mib10},
		{"select a from s.t union all select a from s.u", 16, 2 * mib10},
		{"select x from (select a as x, b from s.t union all select a, e from s.u)", 16, 2 * mib10},
		{"select a, b from s.t union distinct select a, e from s.u", 40, 2 * mib10},
		{"select (select max(e) from s.u) from s.t", 16, mib10},
		{"select b from s.t where a in (select a from s.u)", 24, 2 * mib10},
		{"select b from s.t x where exists (select 1 from s.u y where y.a = x.a)", 24, 2 * mib10},
		{"select to_json_string(t) from s.t", 46, mib10},
		{"select array(select as struct a, b from s.t)", 16, mib10},
		{"select row_number() over (partition by c order by d) from s.t", 6, mib10},
		{"select column_name from s.INFORMATION_SCHEMA.COLUMNS", mib10, mib10},
		{"create table s.made as select a, c from s.t", 9, mib10},
		{"insert into s.made select a, c from s.t", 9, mib10},
		{"insert into s.made (a, c) values (1, true)", 0, 0},
		{"update s.made set a = 2 where c", 27, mib10},
		{"delete from s.made where a = 7", 27, mib10},
		{"create view s.other as select * from s.t", 0, 0},
		{"begin transaction; insert into s.made select a, c from s.t; select e from s.u; commit transaction", 25, 2 * mib10},
		{"truncate table s.made", 0, 0},
		{"select * from s.made", 0, 0},
		{"drop table s.made", 0, 0},
	} {
		if bytes, billed := processed(t, client, test.sql); bytes != test.bytes || billed != test.billed {
			t.Errorf("%s: %d bytes, %d billed, want %d, %d", test.sql, bytes, billed, test.bytes, test.billed)
		}
	}
}
