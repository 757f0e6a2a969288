package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
)

func TestQuery_Results(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	at := time.Date(2026, 11, 22, 7, 30, 0, 250000000, time.UTC)
	tests := []struct {
		sql  string
		want []bigquery.Value
	}{
		{"select 1, 'é', 0.5, true, null", []bigquery.Value{int64(1), "é", 0.5, true, nil}},
		{"select timestamp '2026-11-22 07:30:00.25', b'\\x00\\xff'", []bigquery.Value{at, []byte{0, 0xff}}},
		{"select timestamp '1969-12-31 23:59:59.5'", []bigquery.Value{time.Unix(-1, 500000000).UTC()}},
		{"select [timestamp '2026-11-22 07:30:00.25', null]", []bigquery.Value{[]bigquery.Value{at, nil}}},
		{"select struct(1 as n, timestamp '2026-11-22 07:30:00.25' as at_time)", []bigquery.Value{[]bigquery.Value{int64(1), at}}},
		{"select if(false, struct(timestamp '2026-11-22 07:30:00.25' as at_time), null)", []bigquery.Value{nil}},
	}
	for _, test := range tests {
		if diff := cmp.Diff([][]bigquery.Value{test.want}, run(t, client, test.sql)); diff != "" {
			t.Errorf("%s: %s", test.sql, diff)
		}
		job, err := client.Query(test.sql).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		it, err := job.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var row []bigquery.Value
		if err := it.Next(&row); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, row); diff != "" {
			t.Errorf("as a job: %s: %s", test.sql, diff)
		}
	}
}

func TestQuery_FloatTimestampsForClientsThatAskForNoOther(t *testing.T) {
	w, _ := start(t, "")
	body := `{"query":"select timestamp '2026-11-22 07:30:00.25', [timestamp '1969-12-31 23:59:59.5'], 7","useLegacySql":false}`
	answer, err := http.Post(w.RESTURL()+"/bigquery/v2/projects/"+testProject+"/queries", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		Rows   json.RawMessage
		Schema struct{ Fields []struct{ Name string } }
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	const want = `[{"f":[{"v":"1795332600.250000"},{"v":[{"v":"-0.500000"}]},{"v":"7"}]}]`
	if string(got.Rows) != want {
		t.Errorf("rows %s, want %s", got.Rows, want)
	}
	if names := fmt.Sprint(got.Schema.Fields); names != "[{f0_} {f1_} {f2_}]" {
		t.Errorf("columns %s", names)
	}
}

func TestQuery_PagesLargeResults(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	const sql = "select n from unnest(generate_array(1, 2500)) n order by n"
	job, err := client.Query(sql).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	it, err := job.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	it.PageInfo().MaxSize = 1000
	for want := int64(1); want <= 2500; want++ {
		var row []bigquery.Value
		if err := it.Next(&row); err != nil || row[0] != want {
			t.Fatalf("row %d: %v, %v", want, row, err)
		}
	}
	if it.TotalRows != 2500 {
		t.Errorf("%d rows in total", it.TotalRows)
	}
	if status, err := job.Status(t.Context()); err != nil || !status.Done() || status.Err() != nil {
		t.Errorf("status %v, %v", status, err)
	}
}

func TestQuery_FaultsHaveBigQuerysCodes(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", bigquery.Schema{{Name: "a", Type: bigquery.IntegerFieldType}})
	for sql, code := range map[string]int{
		"selec 1":                      http.StatusBadRequest,
		"select b from s.t":            http.StatusBadRequest,
		"select * from s.nope":         http.StatusNotFound,
		"select * from nope.t":         http.StatusNotFound,
		"drop table s.nope":            http.StatusNotFound,
		"create table s.t (a int64)":   http.StatusConflict,
		"create schema s":              http.StatusConflict,
		"drop schema s":                http.StatusBadRequest, // not empty
		"insert into s.t values ('x')": http.StatusBadRequest,
		"select error('made to fail')": http.StatusBadRequest,
	} {
		if _, err := tryRun(t.Context(), client, sql); !hasCode(err, code) {
			t.Errorf("%s: %v, want %d", sql, err, code)
		}
		job, err := client.Query(sql).Run(t.Context())
		if err != nil {
			t.Errorf("inserting the job of %s: %v", sql, err)
			continue
		}
		if status, err := job.Status(t.Context()); err != nil || status.Err() == nil {
			t.Errorf("the job of %s has status %+v, %v: want a failure", sql, status, err)
		}
	}
	for path, code := range map[string]int{
		"/projects/" + testProject + "/datasets/nope/tables/t": http.StatusNotFound,
		"/projects/" + testProject + "/jobs/nope":              http.StatusNotFound,
		"/nowhere": http.StatusNotFound,
	} {
		answer, err := http.Get(w.RESTURL() + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != code {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, code)
		}
	}
}

func TestStatements_ThatTheEmulatorMisunderstands(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	for _, sql := range []string{
		"create schema s", "create schema if not exists s", "create schema `" + testProject + "`.other",
		"create table s.t as select 1 as a",
		"create or replace table s.t as select 2 as b, 'x' as c",
		"create or replace table s.t as select b + 1 as b, c, 0.5 as d from s.t",
		"create view s.v as select b from s.t",
		"create or replace view s.v as select b, d from s.t",
		"create or replace table s.new (a int64)",
		"drop schema other",
	} {
		run(t, client, sql)
	}
	if diff := cmp.Diff([][]bigquery.Value{{int64(3), "x", 0.5}}, run(t, client, "select * from s.t")); diff != "" {
		t.Errorf("the replaced table: %s", diff)
	}
	if diff := cmp.Diff([][]bigquery.Value{{int64(3), 0.5}}, run(t, client, "select * from s.v")); diff != "" {
		t.Errorf("the replaced view: %s", diff)
	}
	if _, err := tryRun(t.Context(), client, "create or replace table s.t as select nope from s.t"); err == nil {
		t.Error("a table was replaced by a query that fails")
	}
	if n := count(t, client, "select count(*) from s.t"); n != 1 {
		t.Errorf("after a failed replacement the table has %d rows, want the old one", n)
	}
	tables := map[string]bigquery.TableType{}
	it := client.Dataset("s").Tables(t.Context())
	for {
		table, err := it.Next()
		if err != nil {
			break
		}
		metadata, err := table.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tables[table.TableID] = metadata.Type
	}
	if diff := cmp.Diff(map[string]bigquery.TableType{"t": "TABLE", "v": "VIEW", "new": "TABLE"}, tables); diff != "" {
		t.Error(diff)
	}
}

func TestJobs_SayWhatTheirStatementsDid(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	for _, test := range []struct{ sql, kind, table string }{
		{"create table s.t as select 1 as a", "CREATE_TABLE_AS_SELECT", "t"},
		{"create or replace view s.v as select a from s.t", "CREATE_VIEW", "v"},
		{"insert into s.t values (2)", "INSERT", "t"},
		{"delete from s.t where a = 2", "DELETE", "t"},
		{"begin transaction; delete from s.t where true; commit transaction", "SCRIPT", ""},
		{"drop view s.v", "DROP_VIEW", ""},
	} {
		job, err := client.Query(test.sql).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		status, err := job.Wait(t.Context())
		if err != nil || status.Err() != nil {
			t.Fatalf("%s: %v %v", test.sql, err, status.Err())
		}
		config, err := job.Config()
		if err != nil {
			t.Fatal(err)
		}
		got := status.Statistics.Details.(*bigquery.QueryStatistics).StatementType
		destination := config.(*bigquery.QueryConfig).Dst
		if got != test.kind || test.table != "" && (destination == nil || destination.TableID != test.table) {
			t.Errorf("%s: %s to %v, want %s to %q", test.sql, got, destination, test.kind, test.table)
		}
	}
}

func TestJobs_LeaveNothingInTheEmulator(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", bigquery.Schema{{Name: "a", Type: bigquery.IntegerFieldType}})
	for range 3 {
		run(t, client, "select * from s.t")
		run(t, client, "insert into s.t values (1)")
		job, err := client.Query("select * from s.t").Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again, err := client.JobFromID(t.Context(), job.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.gate.enter(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	defer w.gate.leave()
	answer, fault := w.emulator.call(t.Context(), http.MethodGet, "/projects/"+testProject+"/jobs", nil)
	if fault != nil || strings.Contains(string(answer.body), "jobReference") {
		t.Errorf("the emulator remembers jobs: %v %s", fault, answer.body)
	}
	answer, fault = w.emulator.call(t.Context(), http.MethodGet, "/projects/"+testProject+"/datasets", nil)
	if fault != nil || strings.Count(string(answer.body), `"datasetId"`) != 1 {
		t.Errorf("the emulator has datasets of results: %v %s", fault, answer.body)
	}
}

func TestQuery_WritesToADestination(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	for _, step := range []struct {
		sql   string
		write bigquery.TableWriteDisposition
		want  string
	}{
		{"select 1 as a", bigquery.WriteEmpty, "[[1]]"},
		{"select 2 as a", bigquery.WriteAppend, "[[1] [2]]"},
		{"select 3 as a, 'x' as b", bigquery.WriteTruncate, "[[3 x]]"},
		{"select 4 as a, 'y' as b", bigquery.WriteEmpty, "duplicate"},
	} {
		q := client.Query(step.sql)
		q.Dst, q.WriteDisposition = client.Dataset("s").Table("dst"), step.write
		var got string
		rows, err := func() ([][]bigquery.Value, error) {
			if _, err := q.Read(t.Context()); err != nil {
				return nil, err
			}
			return run(t, client, "select * from s.dst"), nil
		}()
		if got = fmt.Sprint(rows); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, step.want) {
			t.Errorf("%s with %s: %s, want %s", step.sql, step.write, got, step.want)
		}
	}
}

func TestTables_FloatColumnsAndPages(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", everyType)
	run(t, client, "insert into s.t (name, ratio) select cast(n as string), n / 4 from unnest(generate_array(1, 25)) n")
	metadata, err := client.Dataset("s").Table("t").Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if metadata.Schema[2].Type != bigquery.FloatFieldType || !metadata.Schema[0].Required || metadata.NumRows != 25 {
		t.Errorf("metadata %+v with %d rows", metadata.Schema[2], metadata.NumRows)
	}
	if got := run(t, client, "select sum(ratio) from s.t")[0][0]; got != 81.25 {
		t.Errorf("sum %v, want 81.25", got)
	}
	it := client.Dataset("s").Table("t").Read(t.Context())
	it.PageInfo().MaxSize = 10
	for n := 1; n <= 25; n++ {
		var row []bigquery.Value
		if err := it.Next(&row); err != nil || row[0] != fmt.Sprint(n) || row[2] != float64(n)/4 {
			t.Fatalf("row %d: %v %v", n, row, err)
		}
	}
}

func TestInsertAll_KeepsTypesAndReportsRows(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", everyType)
	inserter := client.Dataset("s").Table("t").Inserter()
	at := time.Date(2026, 11, 22, 7, 30, 0, 250000000, time.UTC)
	rows := []*bigquery.ValuesSaver{
		{Schema: everyType, Row: []bigquery.Value{"a \"quoted\"\n", 7, 0.25, true, at, []byte{0, 0xff}}},
		{Schema: everyType, Row: []bigquery.Value{"b", nil, nil, nil, nil, nil}},
	}
	if err := inserter.Put(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	want := [][]bigquery.Value{{"a \"quoted\"\n", int64(7), 0.25, true, at, []byte{0, 0xff}}, {"b", nil, nil, nil, nil, nil}}
	if diff := cmp.Diff(want, run(t, client, "select * from s.t order by name")); diff != "" {
		t.Error(diff)
	}
	bad := []*bigquery.ValuesSaver{
		{Schema: everyType[:1], Row: []bigquery.Value{"c"}},
		{Schema: bigquery.Schema{everyType[0], {Name: "nope", Type: bigquery.StringFieldType}}, Row: []bigquery.Value{"d", "x"}},
		{Schema: everyType[1:2], Row: []bigquery.Value{1}}, // no name, which is required
	}
	var failed []int
	err := inserter.Put(t.Context(), bad)
	if multi, ok := err.(bigquery.PutMultiError); ok {
		for _, row := range multi {
			failed = append(failed, row.RowIndex)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 0}, failed); diff != "" {
		t.Errorf("%v: %s", err, diff)
	}
	inserter.SkipInvalidRows = true
	if err := inserter.Put(t.Context(), bad); err == nil {
		t.Error("no error for rows that were skipped")
	}
	if n := count(t, client, "select count(*) from s.t"); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

func TestQuery_AbandonedStatementsStopAndChangeNothing(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	run(t, client, "create table s.n as select n from unnest(generate_array(1, 3000)) n")
	run(t, client, "create table s.t as select 1 as n")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := tryRun(ctx, client, "begin transaction; delete from s.t where true;"+
			"insert into s.t select count(*) from s.n a join s.n b on a.n + b.n > 0 join s.n c on c.n + a.n > 0; commit transaction")
		failed <- err
	}()
	waitUntilBusy(w)
	cancel()
	if err := <-failed; err == nil {
		t.Error("a statement of minutes ended at once")
	}
	if n := count(t, client, "select n from s.t"); n != 1 {
		t.Errorf("the table holds %d, want 1: the transaction was not rolled back", n)
	}
	run(t, client, "insert into s.t values (2)")
}

// waitUntilBusy waits until someone is inside of the gate.
func waitUntilBusy(w *Warehouse) {
	for {
		w.gate.mu.Lock()
		busy := w.gate.busy
		w.gate.mu.Unlock()
		if busy {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestREST_TakesManyClientsAtOnce(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", bigquery.Schema{{Name: "a", Type: bigquery.IntegerFieldType}})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 5 {
				if _, err := tryRun(t.Context(), client, fmt.Sprintf("insert into s.t values (%d)", i)); err != nil {
					t.Error(err)
				}
				if _, err := tryRun(t.Context(), client, "select count(*) from s.t"); err != nil {
					t.Error(err)
				}
				if _, err := client.Dataset("s").Table("t").Metadata(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := count(t, client, "select count(*) from s.t"); n != 40 {
		t.Errorf("%d rows, want 40", n)
	}
}

// TestTables_MakingThemTakesNoMemory makes a table 25 times; each would keep 10 MB and more.
func TestTables_MakingThemTakesNoMemory(t *testing.T) {
	if role() == "" {
		if output, err := child(t, "measure"); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	run(t, client, "create table s.t as select 1 as a")
	before := heapInUse()
	for range 25 {
		run(t, client, "create or replace table s.t as select 1 as a")
	}
	if grown := heapInUse() - before; grown > 200<<20 {
		t.Errorf("%d MB more are in use", grown>>20)
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
