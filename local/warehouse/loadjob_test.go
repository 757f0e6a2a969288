package warehouse

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"google.golang.org/api/iterator"
)

type lakeRow struct {
	Name  string    `parquet:"name"`
	N     *int64    `parquet:"n,optional"`
	Small int32     `parquet:"small"`
	Ratio float64   `parquet:"ratio"`
	Ok    bool      `parquet:"ok"`
	Raw   []byte    `parquet:"raw"`
	Seen  time.Time `parquet:"seen,timestamp(microsecond)"`
	Day   int32     `parquet:"day,date"`
	Price int64     `parquet:"price,decimal(2:10)"`
	Tags  []string  `parquet:"tags,list"`
	Where struct {
		X int64   `parquet:"x"`
		Y *string `parquet:"y,optional"`
	} `parquet:"where_at"`
}

func lakeFile(t *testing.T, names ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[lakeRow](&out)
	for i, name := range names {
		n := int64(i)
		row := lakeRow{Name: name, N: &n, Small: 3, Ratio: 0.25, Ok: true, Raw: []byte{0, 0xff}, Day: 20785, Price: 150, Tags: []string{"a", "b"},
			Seen: time.Date(2026, 11, 28, 7, 30, 0, 250000000, time.UTC)}
		row.Where.X = 5
		if i > 0 {
			row.N, row.Tags = nil, nil
		}
		if _, err := w.Write([]lakeRow{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// withLake runs a warehouse and a bucket with these objects.
func withLake(t *testing.T, content map[string][]byte) *bigquery.Client {
	t.Helper()
	var objects []fakestorage.Object
	for name, text := range content {
		objects = append(objects, fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "lake", Name: name}, Content: text})
	}
	storage, err := fakestorage.NewServerWithOptions(fakestorage.Options{InitialObjects: objects, Scheme: "http", Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(storage.Stop)
	w, _ := startConfig(t, Config{Storage: storage.URL()})
	client := restClient(t, w)
	run(t, client, "create schema s")
	return client
}

// loaded runs a load job and returns its rows and its error.
func loaded(t *testing.T, loader *bigquery.Loader) (int64, error) {
	t.Helper()
	job, err := loader.Run(t.Context())
	if err != nil {
		return 0, err
	}
	status, err := job.Wait(t.Context())
	if err != nil {
		return 0, err
	}
	return status.Statistics.Details.(*bigquery.LoadStatistics).OutputRows, status.Err()
}

func parquetFrom(uris ...string) *bigquery.GCSReference {
	from := bigquery.NewGCSReference(uris...)
	from.SourceFormat = bigquery.Parquet
	from.ParquetOptions = &bigquery.ParquetOptions{EnableListInference: true}
	return from
}

func TestLoad_ParquetFromABucket(t *testing.T) {
	client := withLake(t, map[string][]byte{
		"a/1.parquet": lakeFile(t, "one", "two"), "a/2.parquet": lakeFile(t, "three"), "a/b/3.parquet": lakeFile(t, "four"), "broken.parquet": []byte("PAR1 no"),
		"csv/1.csv": []byte("n,s\n1,x\n"), "csv/2.csv": zipped(t, "n,s\n2,y"), "rows.json": []byte(`{"n":1,"s":"x"}` + "\n" + `{"n":2}`), "bad.json": []byte(`{"n":"x"}`),
	})
	table := func(id string) *bigquery.Table { return client.Dataset("s").Table(id) }
	if rows, err := loaded(t, table("t").LoaderFrom(parquetFrom("gs://lake/a/1.parquet"))); err != nil || rows != 2 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	at := time.Date(2026, 11, 28, 7, 30, 0, 250000000, time.UTC)
	one := []bigquery.Value{"one", int64(0), int64(3), 0.25, true, []byte{0, 0xff}, at, civil.Date{Year: 2026, Month: 11, Day: 28}, big.NewRat(3, 2),
		[]bigquery.Value{"a", "b"}, []bigquery.Value{int64(5), nil}}
	if diff := cmp.Diff([][]bigquery.Value{one}, run(t, client, "select * from s.t where name = 'one'"), cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	metadata, err := table("t").Metadata(t.Context())
	if err != nil || !metadata.Schema[0].Required || metadata.Schema[1].Required || metadata.Schema[8].Type != bigquery.NumericFieldType {
		t.Errorf("schema %+v %v", metadata.Schema, err)
	}
	if rows, err := loaded(t, table("t").LoaderFrom(parquetFrom("gs://lake/a/*.parquet"))); err != nil || rows != 4 {
		t.Errorf("appending all: %d rows, %v", rows, err)
	}
	truncate := table("t").LoaderFrom(parquetFrom("gs://lake/a/2.parquet"))
	truncate.WriteDisposition = bigquery.WriteTruncate
	if rows, err := loaded(t, truncate); err != nil || rows != 1 || count(t, client, "select count(*) from s.t") != 1 {
		t.Errorf("replacing: %d rows, %v", rows, err)
	}
	partitioned := table("parts").LoaderFrom(parquetFrom("gs://lake/a/2.parquet"))
	partitioned.TimePartitioning = &bigquery.TimePartitioning{Type: bigquery.HourPartitioningType, Field: "seen"}
	if _, err := loaded(t, partitioned); err != nil {
		t.Error(err)
	}
	if metadata, err := table("parts").Metadata(t.Context()); err != nil || metadata.TimePartitioning == nil || metadata.TimePartitioning.Field != "seen" {
		t.Errorf("partitioning %+v %v", metadata, err)
	}

	texts := bigquery.NewGCSReference("gs://lake/csv/*")
	texts.Schema, texts.SkipLeadingRows = bigquery.Schema{{Name: "n", Type: bigquery.IntegerFieldType, Required: true}, {Name: "s", Type: bigquery.StringFieldType}}, 1
	if rows, err := loaded(t, table("texts").LoaderFrom(texts)); err != nil || rows != 2 || fmt.Sprint(run(t, client, "select * from s.texts order by n")) != "[[1 x] [2 y]]" {
		t.Errorf("CSV: %d rows, %v", rows, err)
	}
	lines := bigquery.NewGCSReference("gs://lake/rows.json")
	lines.SourceFormat, lines.Schema = bigquery.JSON, texts.Schema
	if rows, err := loaded(t, table("lines").LoaderFrom(lines)); err != nil || rows != 2 {
		t.Errorf("JSON: %d rows, %v", rows, err)
	}
	if _, err := tryRun(t.Context(), client, "insert into s.lines (s) values ('x')"); err == nil {
		t.Error("a required column of a loaded table took NULL")
	}
}

func TestLoad_ThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	client := withLake(t, map[string][]byte{"a.parquet": lakeFile(t, "one"), "broken.parquet": []byte("PAR1 no"), "bad.json": []byte(`{"n":1}` + "\n" + `{"n":"x"}`), "x.avro": []byte("Obj")})
	run(t, client, "create table s.narrow (name string)")
	run(t, client, "create table s.other as select 1 as name")
	schema := bigquery.Schema{{Name: "n", Type: bigquery.IntegerFieldType}}
	for name, test := range map[string]struct {
		uri    string
		table  string
		change func(*bigquery.GCSReference, *bigquery.Loader)
		want   string
	}{
		"no such object": {"gs://lake/nope*.parquet", "made", nil, "Not found: URI gs://lake/nope*.parquet"},
		"no such bucket": {"gs://nope/a.parquet", "made", nil, "Not found"},
		"no Parquet":     {"gs://lake/broken.parquet", "made", nil, "reading the Parquet file"},
		"one of two":     {"gs://lake/*.parquet", "made", nil, "reading the Parquet file"},
		"no URI":         {"lake/a.parquet", "made", nil, "Invalid source URI"},
		"Avro":           {"gs://lake/x.avro", "made", func(r *bigquery.GCSReference, _ *bigquery.Loader) { r.SourceFormat = bigquery.Avro }, "not AVRO"},
		"bad JSON":       {"gs://lake/bad.json", "made", func(r *bigquery.GCSReference, _ *bigquery.Loader) { r.SourceFormat, r.Schema = bigquery.JSON, schema }, ""},
		"more columns":   {"gs://lake/a.parquet", "narrow", nil, "Cannot add fields (field: n)"},
		"another type":   {"gs://lake/a.parquet", "other", nil, "Field name has changed type from INTEGER to STRING"},
		"never created":  {"gs://lake/a.parquet", "made", func(_ *bigquery.GCSReference, l *bigquery.Loader) { l.CreateDisposition = bigquery.CreateNever }, "made"},
		"not empty":      {"gs://lake/a.parquet", "other", func(_ *bigquery.GCSReference, l *bigquery.Loader) { l.WriteDisposition = bigquery.WriteEmpty }, "Already Exists"},
		"changing columns": {"gs://lake/a.parquet", "narrow", func(_ *bigquery.GCSReference, l *bigquery.Loader) {
			l.SchemaUpdateOptions = []string{"ALLOW_FIELD_ADDITION"}
		}, "adds no columns"},
	} {
		from := parquetFrom(test.uri)
		loader := client.Dataset("s").Table(test.table).LoaderFrom(from)
		if test.change != nil {
			test.change(from, loader)
		}
		if _, err := loaded(t, loader); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if _, err := client.Dataset("s").Table("made").Metadata(t.Context()); !hasCode(err, http.StatusNotFound) {
			t.Errorf("%s: left a table behind: %v", name, err)
		}
		if got := fmt.Sprint(run(t, client, "select * from s.narrow"), run(t, client, "select * from s.other")); got != "[] [[1]]" {
			t.Errorf("%s: left rows behind: %s", name, got)
		}
	}
	copier := client.Dataset("s").Table("copy").CopierFrom(client.Dataset("s").Table("other"))
	if _, err := copier.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "CREATE TABLE ... AS SELECT") {
		t.Errorf("a copy job: %v", err)
	}
}

// TestLoad_IntoTheHiddenDataset loads where a client finds query results to be: the tables of ibis' memtables are there.
func TestLoad_IntoTheHiddenDataset(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	job, err := client.Query("select 1 as n").Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config, err := job.Config()
	if err != nil {
		t.Fatal(err)
	}
	table := client.Dataset(config.(*bigquery.QueryConfig).Dst.DatasetID).Table("memory")
	for _, row := range []string{"1\n", "2\n"} {
		source := bigquery.NewReaderSource(strings.NewReader(row))
		source.Schema = bigquery.Schema{{Name: "n", Type: bigquery.IntegerFieldType}}
		load, err := table.LoaderFrom(source).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status, err := load.Wait(t.Context()); err != nil || status.Err() != nil {
			t.Fatalf("loading: %v, %v", err, status.Err())
		}
	}
	if got := count(t, client, "select sum(n) from `"+table.DatasetID+".memory`"); got != 3 {
		t.Errorf("the sum of what was loaded is %d", got)
	}
	if meta, err := table.Metadata(t.Context()); err != nil || len(meta.Schema) != 1 {
		t.Errorf("the table's metadata are %+v, %v", meta, err)
	}
	if listed, err := client.Datasets(t.Context()).Next(); !errors.Is(err, iterator.Done) {
		t.Errorf("datasets.list has %v, %v", listed, err)
	}
	if rows, err := job.Read(t.Context()); err != nil || rows.TotalRows != 1 {
		t.Errorf("the query's result is lost: %v", err)
	}
}

// A load job may have numbers as texts, as the Python client sends them, and
// types in SQL's words, as dbt does.
func TestUpload_TakesWhatOtherClientsSend(t *testing.T) {
	job := map[string]any{"configuration": map[string]any{"load": map[string]any{
		"skipLeadingRows": "1", "schema": map[string]any{"fields": []any{
			map[string]any{"name": "n", "type": "int64"},
			map[string]any{"name": "r", "type": "struct", "fields": []any{map[string]any{"name": "s", "type": "string"}}},
		}},
	}}}
	asSent(job)
	want := map[string]any{"configuration": map[string]any{"load": map[string]any{
		"skipLeadingRows": int64(1), "schema": map[string]any{"fields": []any{
			map[string]any{"name": "n", "type": "INTEGER"},
			map[string]any{"name": "r", "type": "RECORD", "fields": []any{map[string]any{"name": "s", "type": "STRING"}}},
		}},
	}}}
	if diff := cmp.Diff(want, job); diff != "" {
		t.Error(diff)
	}
}
