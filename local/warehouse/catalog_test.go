package warehouse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"google.golang.org/api/iterator"
)

// TestCatalog_KnowsWhatAnyClientChanged makes changes of every kind in random order. After each, tables.get has the rows,
// columns and labels that there are, and a later time of the last change only where there was one.
func TestCatalog_KnowsWhatAnyClientChanged(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s; create table s.other as select 1 as n")
	table := client.Dataset("s").Table("t")
	create := func() {
		run(t, client, "create or replace table s.t (n int64); insert into s.t values (1)")
	}
	create()
	labels := 0
	changes := map[string]func() error{
		"insert": func() error { return answered(t, client, "insert into s.t values (2), (3)") },
		"update": func() error { return answered(t, client, "update s.t set n = n + 1 where n > 1") },
		"delete": func() error { return answered(t, client, "delete from s.t where n = 3") },
		"merge": func() error {
			return answered(t, client, "merge s.t t using s.other o on t.n = o.n + 100 when not matched then insert (n) values (7)")
		},
		"transaction": func() error {
			return answered(t, client, "begin transaction; delete from `stationflow-test.s.t` where true; insert into s.t select 5; commit transaction")
		},
		"script":   func() error { return answered(t, client, "declare x int64 default 4; insert into s.t select x") },
		"truncate": func() error { return answered(t, client, "truncate table s.t") },
		"default dataset": func() error {
			q := client.Query("insert into t values (8)")
			q.DefaultDatasetID = "s"
			_, err := q.Read(t.Context())
			return err
		},
		"destination": func() error {
			q := client.Query("select 9 as n")
			q.Dst, q.WriteDisposition = table, bigquery.WriteAppend
			job, err := q.Run(t.Context())
			if err == nil {
				_, err = job.Wait(t.Context())
			}
			return err
		},
		"insertAll": func() error {
			return table.Inserter().Put(t.Context(), &bigquery.ValuesSaver{
				Schema: bigquery.Schema{{Name: "n", Type: bigquery.IntegerFieldType}}, Row: []bigquery.Value{10},
			})
		},
		"create again": func() error { create(); return nil },
		"another type": func() error {
			return answered(t, client, "create or replace table s.t as select n, 'x' as s from s.t; create or replace table s.t as select n from s.t")
		},
		"labels": func() error {
			labels++
			update := bigquery.TableMetadataToUpdate{}
			update.SetLabel("n", fmt.Sprint(labels))
			_, err := table.Update(t.Context(), update, "")
			return err
		},
	}
	names := []string{
		"insert", "update", "delete", "merge", "transaction", "script", "truncate", "default dataset", "destination", "insertAll", "create again",
		"another type", "labels", "nothing",
	}
	random := rand.New(rand.NewPCG(7, 8))
	was := describe(t, table)
	for range 40 {
		name := names[random.IntN(len(names))]
		if change := changes[name]; change != nil {
			if err := change(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		} else if _, err := client.Query("select count(*) from s.t").Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		is := describe(t, table)
		if want := count(t, client, "select count(*) from s.t"); is.NumRows != uint64(want) {
			t.Fatalf("after %s: %d rows, want %d", name, is.NumRows, want)
		}
		if later := is.LastModifiedTime.After(was.LastModifiedTime); later != (name != "nothing") {
			t.Fatalf("after %s: changed at %v, before at %v", name, is.LastModifiedTime, was.LastModifiedTime)
		}
		if name == "labels" && is.Labels["n"] != fmt.Sprint(labels) {
			t.Fatalf("labels %v, want n=%d", is.Labels, labels)
		}
		was = is
	}
}

func TestCatalog_KnowsAppendsAndDrops(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s; create table s.t (id int64, name string)")
	table := client.Dataset("s").Table("t")
	before := describe(t, table)
	rows := newRowType(t, before.Schema)
	stream, err := writeClient(t, w).NewManagedStream(t.Context(),
		managedwriter.WithDestinationTable(tableName("s", "t")), managedwriter.WithSchemaDescriptor(rows.schema))
	if err != nil {
		t.Fatal(err)
	}
	result, err := stream.AppendRows(t.Context(), [][]byte{rows.row(t, 1, "a"), rows.row(t, 2, "b"), rows.row(t, 3, nil)})
	if err == nil {
		_, err = result.GetResult(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	after := describe(t, table)
	if after.NumRows != 3 || !after.LastModifiedTime.After(before.LastModifiedTime) {
		t.Errorf("%d rows, changed at %v, before at %v", after.NumRows, after.LastModifiedTime, before.LastModifiedTime)
	}
	run(t, client, "drop table s.t")
	if _, err := table.Metadata(t.Context()); err == nil {
		t.Error("tables.get knows a table that was dropped")
	}
	if it := client.Dataset("s").Tables(t.Context()); it != nil {
		if table, err := it.Next(); err == nil {
			t.Errorf("tables.list knows %s", table.TableID)
		}
	}
}

// answered runs statements whose answer does not matter.
func answered(t *testing.T, client *bigquery.Client, sql string) error {
	t.Helper()
	_, err := tryRun(t.Context(), client, sql)
	return err
}

// describe asks twice: the second answer is remembered.
func describe(t *testing.T, table *bigquery.Table) *bigquery.TableMetadata {
	t.Helper()
	first, err := table.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := table.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.NumRows != second.NumRows || !first.LastModifiedTime.Equal(second.LastModifiedTime) || len(first.Schema) != len(second.Schema) {
		t.Errorf("asked again: %v, before %v", second, first)
	}
	return first
}

// TestCatalog_CountsWhatWasThereAsChangedByTheStart holds that a restart forgets no change: nothing looks older than it is.
func TestCatalog_CountsWhatWasThereAsChangedByTheStart(t *testing.T) {
	dir := t.TempDir()
	w, stop := start(t, dir)
	client := restClient(t, w)
	run(t, client, "create schema s; create table s.t as select 1 as n; insert into s.t values (2)")
	before := describe(t, client.Dataset("s").Table("t")).LastModifiedTime
	stop()
	w, _ = start(t, dir)
	after := describe(t, restClient(t, w).Dataset("s").Table("t"))
	if after.LastModifiedTime.Before(before) || after.NumRows != 2 || time.Since(after.LastModifiedTime) < 0 {
		t.Errorf("changed at %v, before the restart %v", after.LastModifiedTime, before)
	}
}

// TestCatalog_KnowsAViewThatWasDescribed holds what is remembered of a view, and of a table with required columns, to
// what the emulator itself says.
func TestCatalog_KnowsAViewThatWasDescribed(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s; create view s.v as select 1 as n, 1.5 as f, true as b")
	if _, err := client.Dataset("s").Table("v").Update(t.Context(), bigquery.TableMetadataToUpdate{Description: "a view"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, known := w.emulator.catalog.find("/" + tablePath(testProject, "s", "v")); !known {
		t.Error("the view must be asked for again")
	}
	schema := bigquery.Schema{
		{Name: "n", Type: bigquery.IntegerFieldType, Required: true}, {Name: "f", Type: bigquery.FloatFieldType}, {Name: "b", Type: bigquery.BooleanFieldType},
	}
	if err := client.Dataset("s").Table("t").Create(t.Context(), &bigquery.TableMetadata{Schema: schema, Description: "a table"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"v", "t"} {
		said := func() string {
			metadata, err := client.Dataset("s").Table(name).Metadata(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			metadata.LastModifiedTime, metadata.ETag = time.Time{}, ""
			text := ""
			for _, field := range metadata.Schema {
				text += fmt.Sprintf(" %+v", *field)
			}
			metadata.Schema = nil
			return fmt.Sprintf("%+v", *metadata) + text
		}
		remembered := said()
		w.emulator.catalog.clear()
		if asked := said(); asked != remembered {
			t.Errorf("of %s is remembered\n%s\nand the emulator says\n%s", name, remembered, asked)
		}
	}
}

// TestCatalog_KnowsWhatIsNotThere holds that CREATE OR REPLACE asks for no table that was made or is not there, and
// replaces one that is, however it came there.
func TestCatalog_KnowsWhatIsNotThere(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	dataset := client.Dataset("s")
	absent := func(table string) bool { return w.emulator.catalog.absent(tablePath(testProject, "s", table)) }
	list := func() {
		t.Helper()
		for it := dataset.Tables(t.Context()); ; {
			if _, err := it.Next(); errors.Is(err, iterator.Done) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, client, "create schema s; create table s.There as select 1 as n")
	if absent("there") || absent("v") {
		t.Error("nothing was listed: nothing is known")
	}
	list()
	if absent("there") || !absent("v") {
		t.Error("the list says what is there, and what is not")
	}
	asked := &gets{RoundTripper: w.emulator.client.Transport}
	w.emulator.client.Transport = asked
	for range 2 {
		run(t, client, "create or replace view s.v as select 1 as n; create or replace table s.There as select 2 as n")
		if absent("v") || !absent("w") {
			t.Error("a view that was made is there, and no other is")
		}
		if n := asked.n.Load(); n != 0 {
			t.Errorf("the engine was asked for %d tables", n)
		}
	}
	list()
	if err := dataset.Table("w").Create(t.Context(), &bigquery.TableMetadata{ViewQuery: "select 1 as n"}); err != nil {
		t.Fatal(err)
	}
	if absent("w") {
		t.Error("a view of tables.insert is there")
	}
	run(t, client, "create or replace view s.w as select 2 as n; drop view s.w; create or replace view s.w as select 3 as n")
}

// gets counts requests for what there is.
type gets struct {
	http.RoundTripper
	n atomic.Int64
}

func (g *gets) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		g.n.Add(1)
	}
	return g.RoundTripper.RoundTrip(r)
}
