package ingest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/bigquery"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

var update = flag.Bool("update", false, "write the golden files again")

// The shapes of what leaves the function, for every table: a change is meant
// or it is a mistake.
func TestShapes(t *testing.T) {
	var shapes strings.Builder
	for _, name := range append(event.Topics(), "quarantine") {
		columns := event.QuarantineColumns()
		if schema, known := event.SchemaOf(name); known {
			columns = schema.StagingColumns()
			fmt.Fprintf(&shapes, "%s\n\n", lake.NewParquet(rows.Staging(schema)).Schema)
		}
		fmt.Fprintf(&shapes, "row of %s {\n", name)
		for _, field := range bigquery.NewEncoder(rows.NewLayout(columns)).Descriptor().Field {
			fmt.Fprintf(&shapes, "\t%v %v %s = %d;\n", field.GetLabel(), field.GetType(), field.GetName(), field.GetNumber())
		}
		shapes.WriteString("}\n\n")
	}
	golden(t, "shapes.txt", shapes.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is out of date (go test ./functions/ingest -update writes it again); got\n%s", path, got)
	}
}

func decode(t *testing.T, d *decoded, of *topic, b *batch.Batch) {
	t.Helper()
	if err := d.decode(t.Context(), of, b, noon); err != nil {
		t.Fatal(err)
	}
}

// No accepted record may give a row that an append cannot carry.
func TestLargestRowFitsARequest(t *testing.T) {
	tp, d := offline("incidents")
	b := sampleBatch("incidents", 1, 1)
	field := fmt.Sprintf(`,"unknown":%q}`, strings.Repeat("x", rows.MaxRecordBytes-len(b.Records[0].Key)-len(b.Records[0].Value)-13))
	b.Records[0].Value = append(bytes.TrimSuffix(b.Records[0].Value, []byte("}")), field...)
	if size := len(b.Records[0].Key) + len(b.Records[0].Value); size != rows.MaxRecordBytes {
		t.Fatalf("the record has %d bytes, want %d", size, rows.MaxRecordBytes)
	}
	decode(t, d, tp, b)
	if len(d.good.Rows) != 1 {
		t.Fatalf("the record is rejected: %v", d.rejections)
	}
	var r bigquery.Request
	r.Fill(bigquery.NewEncoder(tp.table.Layout), d.good, []int{0}, noon.UnixMicro())
	if n := len(r.Rows[0]); n > 3<<20-16 {
		t.Errorf("its row has %d bytes", n)
	}
	b.Records[0].Key = append(b.Records[0].Key, 'x')
	if decode(t, d, tp, b); len(d.rejections) != 1 || d.rejections[0].reason != event.RefusedByWarehouse || d.rejections[0].detail == "" {
		t.Errorf("one byte more is not too large, or nobody is told: %v", d.rejections)
	}
}

// A batch whose schemas make much more of it than it has bytes does not fill the
// memory: what is too much goes to quarantine.
func TestDecode_BoundsTheTextsOfABatch(t *testing.T) {
	tp, d := offline("incidents")
	b := sampleBatch("incidents", 1, 1)
	decode(t, d, tp, b)
	row := make(event.Row, len(tp.schema.Columns)+1)
	d.texts = maxTexts - d.texts
	if refused := d.judge(row, 0, &b.Records[0]); refused != nil {
		t.Fatalf("a record that fits is refused: %v", refused)
	}
	if refused := d.judge(row, 0, &b.Records[0]); refused == nil || refused.Reason != event.RefusedByWarehouse {
		t.Errorf("with as many texts as there may be another record is %v", refused)
	}
}

// Memory that only one batch in many needs is not kept, nor what a crash left.
func TestDecoded_IsNotKeptWhenLarge(t *testing.T) {
	tp, d := offline("incidents")
	if decode(t, d, tp, sampleBatch("incidents", 1000, 1)); !d.reusable() {
		t.Errorf("%d bytes of texts are too many", d.texts)
	}
	if d.texts = batch.MaxEncodedBytes + 1; d.reusable() {
		t.Error("memory that no batch of JSON needs is kept")
	}
	if decode(t, d, tp, sampleBatch("incidents", 10, 2)); !d.reusable() {
		t.Errorf("a batch is taken for the one before")
	}
	if d.crash = new(fault.Crash); d.reusable() {
		t.Error("memory is kept in which the program crashed")
	}
}

func TestDecode_ReusedMemoryHoldsTheLastBatchOnly(t *testing.T) {
	tp, d := offline("incidents")
	for seed := range uint64(20) {
		b := sampleBatch("incidents", 1+int(seed*37%90), seed)
		b.Records[0].Value = []byte("x")
		decode(t, d, tp, b)
		if len(d.good.Rows) != len(b.Records)-1 || len(d.rejections) != 1 || d.rejections[0].record != 0 {
			t.Fatalf("%d rows and %d rejections of %d records", len(d.good.Rows), len(d.rejections), len(b.Records))
		}
		offsets := d.good.Own[tp.table.Own[rows.Position(tp.table.Columns, "kafka_offset")]].Numbers
		for i, row := range d.good.Rows {
			record := &b.Records[d.records[i]]
			if id := d.good.Own[0].Text(row); string(id) != string(record.Key) || offsets[row] != record.Offset {
				t.Fatalf("row %d holds event %s, want %s", i, id, record.Key)
			}
		}
	}
}

// What a reader has unescaped, or kept of unknown fields, is used again after some
// rows, and each row still has its own.
func TestDecode_RowsKeepTheirTexts(t *testing.T) {
	tp, d := offline("incidents")
	b := sampleBatch("incidents", 10*blockRows, 1)
	for i := range b.Records {
		b.Records[i].Value = bytes.Replace(b.Records[i].Value, []byte(`{"id":"`), fmt.Appendf(nil, `{"gate":%d,"id":"\u0041`, i), 1)
	}
	decode(t, d, tp, b)
	for i, row := range d.good.Rows {
		id, extra := d.good.Own[0].Text(row), d.good.Own[len(tp.schema.Columns)].Text(row)
		if string(id) != "A"+string(b.Records[i].Key) || string(extra) != fmt.Sprintf(`{"gate":%d}`, i) {
			t.Errorf("row %d holds event %s with %s", i, id, extra)
		}
	}
	if len(d.good.Rows) != len(b.Records) {
		t.Errorf("%d rows of %d records", len(d.good.Rows), len(b.Records))
	}
}

func TestClean(t *testing.T) {
	if got := clean("a\xffb"); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
	if got := clean(strings.Repeat("é", maxDetailBytes)); len(got) > maxDetailBytes+8 || strings.ToValidUTF8(got, "") != got {
		t.Errorf("%d bytes", len(got))
	}
}

func TestFromEnv(t *testing.T) {
	good := map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b", "STATION_TIMEZONE": "Europe/Paris", "STATION_EPOCH_UNIT": "ms", "INGEST_APPEND_TIMEOUT": "7s"}
	config, err := FromEnv(func(name string) string { return good[name] })
	if err != nil {
		t.Fatal(err)
	}
	if config.AppendTimeout != 7*time.Second || config.CallTimeout != 2*time.Minute || config.Location.String() != "Europe/Paris" ||
		config.EpochUnit != event.Milliseconds || config.Bucket != "b" || config.Warehouse.StagingDataset != "staging_data" {
		t.Errorf("config %+v", config)
	}
	bad := map[string]string{"STATION_TIMEZONE": "Paris", "STATION_EPOCH_UNIT": "minutes", "INGEST_CALL_TIMEOUT": "1h"}
	_, err = FromEnv(func(name string) string { return bad[name] })
	for _, name := range []string{"GOOGLE_CLOUD_PROJECT", "LAKE_BUCKET", "STATION_TIMEZONE", "STATION_EPOCH_UNIT", "INGEST_CALL_TIMEOUT"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("New takes a configuration without anything")
	}
}
