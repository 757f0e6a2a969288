package warehouse

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
)

// Each table has a row of 8 bytes in each of 24 partitions, and column k of 3 bytes a row.
func TestMetering_PartitionsThatConditionsLeave(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	run(t, client, "create table s.hours (ts timestamp, k string) partition by timestamp_trunc(ts, hour)")
	run(t, client, "insert into s.hours select timestamp_add(timestamp '2026-11-28 00:30:00+00', interval n hour), 'x' from unnest(generate_array(0, 23)) n")
	run(t, client, "create table s.days (d date, k string) partition by d")
	run(t, client, "insert into s.days select date_add(date '2026-11-01', interval n day), 'x' from unnest(generate_array(0, 23)) n")
	run(t, client, "create table s.ranges (n int64, k string) partition by range_bucket(n, generate_array(0, 240, 10))")
	run(t, client, "insert into s.ranges select n * 10 + 5, 'x' from unnest(generate_array(0, 23)) n")
	run(t, client, "insert into s.ranges values (1000, 'x'), (null, 'x')") // in a partition for the rest, and in one for NULL
	run(t, client, "create view s.v as select ts as seen, k from s.hours")
	run(t, client, "create view s.w as select ts as seen, k from s.hours qualify row_number() over (partition by k) = 1")
	for _, test := range []struct {
		where string
		rows  int64 // of the partitions that are read
	}{
		{"hours where ts >= timestamp '2026-11-28 22:00:00+00'", 2},
		{"hours where ts >= '2026-11-28 22:00:00'", 2},
		{"hours where ts > timestamp('2026-11-28 21:59:59.999999')", 2},
		{"hours where '2026-11-28 22:00:00' <= ts", 2},
		{"hours where ts < timestamp '2026-11-28 02:00:00+00' and k = 'x'", 2},
		{"hours where ts <= timestamp '2026-11-28 02:00:00+00'", 3},
		{"hours where ts > '2026-11-28'", 24},
		{"hours where ts between timestamp '2026-11-28 01:00:00+00' and timestamp '2026-11-28 01:59:00+00' and true", 1},
		{"hours where (ts >= '2026-11-28 03:00:00+01:00') and (ts < '2026-11-28 05:00:00')", 3},
		{"hours where ts = timestamp '2026-11-28 05:30:00+00'", 1},
		{"hours where ts >= timestamp_micros(1795824000000000 + 22 * 3600000000)", 2},
		{"hours where ts >= timestamp_sub(timestamp '2026-11-29 00:00:00+00', interval 90 minute)", 2},
		{"hours where ts > timestamp_add(current_timestamp(), interval 400000 day)", 0},
		{"hours where date(ts) = '2026-11-28'", 24},
		{"hours where date(ts) > date '2026-11-28'", 0},
		{"hours where ts >= '2026-11-28 22:00:00' or k = 'x'", 24},
		{"hours where ts >= (select max(ts) from s.hours)", 24},
		{"hours where not ts >= '2026-11-28 22:00:00'", 24},
		{"hours h where h.ts >= '2026-11-28 22:00:00'", 2},
		{"hours where ts is not null", 24},
		{"days where d = '2026-11-03'", 1},
		{"days where d > date '2026-11-22'", 2},
		{"days where d >= date '2026-11-22'", 3},
		{"days where d <= '2026-11-02'", 2},
		{"days where d in (date '2026-11-03', date '2026-11-20')", 2},
		{"days where d between '2026-11-03' and '2026-11-05'", 3},
		{"days where d = date_sub(date '2026-11-03', interval 1 day)", 1},
		{"ranges where n < 20", 3}, // and the one for the rest
		{"ranges where n = 25", 2},
		{"ranges", 26},
		{"v where seen >= '2026-11-28 22:00:00'", 2},
		{"w where seen >= '2026-11-28 22:00:00'", 24},
		{"(select * from s.hours) where ts >= '2026-11-28 22:00:00'", 2},
	} {
		from := "s." + test.where
		if strings.HasPrefix(test.where, "(") {
			from = test.where
		}
		// Conditions on ts read it, so only k is asked for in addition.
		bytes, _ := processed(t, client, "select k from "+from)
		per := int64(3)
		if strings.Contains(test.where, "where") {
			per = 11
		}
		if want := test.rows * per; bytes != want {
			t.Errorf("%s: %d bytes, want %d", test.where, bytes, want)
		}
	}
	for _, test := range []struct {
		sql   string
		bytes int64
	}{
		{"delete from s.days where d = date '2026-11-03'", 0}, // a whole partition
		{"delete from s.days where d in (date '2026-11-04', date '2026-11-05')", 0},
		{"delete from s.hours where ts < timestamp '2026-11-28 02:00:00+00'", 0},
		{"delete from s.hours where ts < timestamp '2026-11-28 02:45:00+00'", 11},
		{"delete from s.days where d = date '2026-11-06' and k = 'x'", 11},
		{"update s.days set k = 'y' where d = date '2026-11-07'", 11},
		{"select * from s.days", 20 * 11},
		{"delete from s.days where true", 0},
	} {
		if bytes, _ := processed(t, client, test.sql); bytes != test.bytes {
			t.Errorf("%s: %d bytes, want %d", test.sql, bytes, test.bytes)
		}
	}
}

func TestMetering_FollowsWhatIsWritten(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	schema := bigquery.Schema{{Name: "a", Type: bigquery.IntegerFieldType}}
	createTable(t, client, "t", schema)
	expect := func(after string, want int64) {
		t.Helper()
		if bytes, _ := processed(t, client, "select a from s.t"); bytes != want {
			t.Errorf("after %s: %d bytes, want %d", after, bytes, want)
		}
	}
	expect("nothing", 0)
	rows := newRowType(t, schema)
	stream, err := writeClient(t, w).NewManagedStream(t.Context(), managedwriter.WithDestinationTable(tableName("s", "t")), managedwriter.WithSchemaDescriptor(rows.schema))
	if err != nil {
		t.Fatal(err)
	}
	result, err := stream.AppendRows(t.Context(), [][]byte{rows.row(t, 1), rows.row(t, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := result.GetResult(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("an append", 16)
	if err := client.Dataset("s").Table("t").Inserter().Put(t.Context(), &bigquery.ValuesSaver{Schema: schema, Row: []bigquery.Value{3}}); err != nil {
		t.Fatal(err)
	}
	expect("insertAll", 24)
	run(t, client, "insert into s.t values (4), (5)")
	expect("INSERT", 40)
	run(t, client, "delete from s.t where a > 4")
	expect("DELETE", 32)
	run(t, client, "update s.t set a = null where a = 4")
	expect("UPDATE", 24)
	run(t, client, "begin transaction; delete from s.t where true; insert into s.t values (9); commit transaction")
	expect("a transaction", 8)
	run(t, client, "create or replace table s.t as select 1 as a, 'x' as b")
	expect("a replacement", 8)
	if bytes, _ := processed(t, client, "select b from s.t"); bytes != 3 {
		t.Errorf("a column of the replacement: %d bytes", bytes)
	}
}

func TestMetering_MaximumBytesBilled(t *testing.T) {
	var told []Metered
	w, _ := startConfig(t, Config{Metered: func(m Metered) { told = append(told, m) }})
	client := restClient(t, w)
	run(t, client, "create schema s")
	run(t, client, "create table s.t as select 1 as a")
	for _, test := range []struct {
		most    int64
		refused bool
	}{{leastBilled - 1, true}, {leastBilled, false}, {0, false}} {
		q := client.Query("select a from s.t")
		q.MaxBytesBilled = test.most
		_, err := q.Read(t.Context())
		if refused := err != nil && strings.Contains(err.Error(), "bytesBilledLimitExceeded") && strings.Contains(err.Error(),
			fmt.Sprintf("Query exceeded limit for bytes billed: %d. %d or higher required.", test.most, leastBilled)) && hasCode(err, http.StatusBadRequest); refused != test.refused {
			t.Errorf("at most %d: %v", test.most, err)
		}
		job, err := q.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		status, err := job.Status(t.Context())
		if err != nil || (status.Err() != nil) != test.refused {
			t.Errorf("at most %d as a job: %v %v", test.most, err, status.Err())
		}
	}
	got := told[len(told)-1]
	if got.Kind != "SELECT" || got.Processed != 8 || got.Billed != leastBilled || fmt.Sprint(got.Tables) != "[{"+testProject+".s.t 1 8}]" {
		t.Errorf("the meter was told %+v", got)
	}
}
