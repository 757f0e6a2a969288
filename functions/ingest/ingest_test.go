package ingest

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The shapes of what leaves the function, for every table: a change is meant
// or it is a mistake.
func TestShapes(t *testing.T) {
	var shapes strings.Builder
	for _, name := range append(event.Topics(), "quarantine") {
		columns := event.QuarantineColumns()
		if schema, known := event.SchemaOf(name); known {
			columns = schema.StagingColumns()
			fmt.Fprintf(&shapes, "%s\n\n", parquet.NewSchema(name, newColumnGroup(columns)))
		}
		fmt.Fprintf(&shapes, "row of %s {\n", name)
		for _, field := range newRowEncoder(newLayout(columns)).descriptor().Field {
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
		t.Errorf("%s is out of date (go test ./functions/ingest -update writes it anew); got\n%s", path, got)
	}
}

func TestByHour_KeepsEveryRowInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		rows := make([]event.Row, random.IntN(60))
		for i := range rows {
			at := time.Date(1969, 12, 31, 22, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(5*3600)) * time.Second)
			rows[i] = event.Row{event.IntValue(int64(i)), event.TimeValue(at.UnixMicro())}
		}
		seen := make(map[int64]bool)
		starts := make(map[time.Time]bool)
		for _, h := range byHour(rows, 1) {
			if starts[h.start] || h.start.Truncate(time.Hour) != h.start {
				t.Fatalf("hour %v comes twice or is none", h.start)
			}
			starts[h.start] = true
			last := int64(-1)
			for _, row := range h.rows {
				if row[1].Time().Truncate(time.Hour) != h.start || row[0].Int() <= last || seen[row[0].Int()] {
					t.Fatalf("row %d of %v in hour %v", row[0].Int(), row[1].Time(), h.start)
				}
				last = row[0].Int()
				seen[last] = true
			}
		}
		if len(seen) != len(rows) {
			t.Fatalf("%d of %d rows are left", len(seen), len(rows))
		}
	}
}

func TestRequest_HoldsAsManyRowsAsFit(t *testing.T) {
	encoder := newRowEncoder(newLayout([]event.Column{{Name: ingestedAt, Type: event.Timestamp}, {Name: "a", Type: event.String}}))
	all := rows{shared: make(event.Row, 2), own: make([]event.Row, 9)}
	for i := range all.own {
		all.own[i] = event.Row{event.StringValue(bytes.Repeat([]byte{'a' + byte(i)}, 1<<20))}
	}
	shared := encoder.appendShared(nil, all.shared, noon.UnixMicro())
	pending, taken := count(len(all.own)), 0
	for len(pending) > 0 {
		var r request
		r.fill(encoder, all, pending, noon.UnixMicro())
		if len(r.rows) != 2 && len(pending) > 1 {
			t.Fatalf("%d rows of 1 MiB in a request of at most 3 MiB with their overhead, want 2", len(r.rows))
		}
		for _, encoded := range r.rows {
			if want := append(encoder.append(nil, all.own[taken]), shared...); !bytes.Equal(encoded, want) {
				t.Fatalf("row %d is not as encoded alone", taken)
			}
			taken++
		}
		pending = pending[len(r.rows):]
	}
	if taken != len(all.own) {
		t.Errorf("%d rows taken, want %d", taken, len(all.own))
	}
}

// No accepted record may give a row that an append cannot carry.
func TestLargestRowFitsARequest(t *testing.T) {
	tp, d := offline("incidents")
	b := sampleBatch("incidents", 1, 1)
	field := fmt.Sprintf(`,"unknown":%q}`, strings.Repeat("x", maxRecordBytes-len(b.Records[0].Key)-len(b.Records[0].Value)-13))
	b.Records[0].Value = append(bytes.TrimSuffix(b.Records[0].Value, []byte("}")), field...)
	if size := len(b.Records[0].Key) + len(b.Records[0].Value); size != maxRecordBytes {
		t.Fatalf("the record has %d bytes, want %d", size, maxRecordBytes)
	}
	d.decode(tp, b, noon)
	if len(d.good.own) != 1 {
		t.Fatalf("the record is rejected: %v", d.rejections)
	}
	encoder := newRowEncoder(tp.layout)
	if n := len(encoder.appendShared(encoder.append(nil, d.good.own[0]), d.good.shared, noon.UnixMicro())); n > maxRequestBytes-16 {
		t.Errorf("its row has %d bytes", n)
	}
	b.Records[0].Key = append(b.Records[0].Key, 'x')
	if d.decode(tp, b, noon); len(d.rejections) != 1 || d.rejections[0].reason != event.RefusedByWarehouse {
		t.Errorf("one byte more is not too large: %v", d.rejections)
	}
}

func TestDecode_ReusedMemoryHoldsTheLastBatchOnly(t *testing.T) {
	tp, d := offline("incidents")
	for seed := range uint64(20) {
		b := sampleBatch("incidents", 1+int(seed*37%90), seed)
		b.Records[0].Value = []byte("x")
		d.decode(tp, b, noon)
		if len(d.good.own) != len(b.Records)-1 || len(d.rejections) != 1 || d.rejections[0].record != 0 {
			t.Fatalf("%d rows and %d rejections of %d records", len(d.good.own), len(d.rejections), len(b.Records))
		}
		for i, row := range d.good.own {
			record := &b.Records[d.records[i]]
			if string(row[0].Text()) != string(record.Key) || row[tp.own[position(tp.columns, "kafka_offset")]].Int() != record.Offset {
				t.Fatalf("row %d holds event %s, want %s", i, row[0].Text(), record.Key)
			}
		}
	}
}

func TestKafkaTimestamp(t *testing.T) {
	for millis, null := range map[int64]bool{-1: true, 0: false, noon.UnixMilli(): false, lastMillis: false, lastMillis + 1: true, 1 << 62: true} {
		v := kafkaTimestamp(&batch.Record{Timestamp: millis})
		if v.Null() != null || !null && v.Int() != millis*1000 {
			t.Errorf("%d ms is %v (NULL: %v)", millis, v.Int(), v.Null())
		}
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

// A small batch leaves the memory of a large one for those that follow.
func TestDecoded_KeepsItsMemory(t *testing.T) {
	d := newDecoded()
	for _, records := range []int{500, 10, 500} {
		e, err := sampleBatch("incidents", records, 1).Event(noon, "")
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := d.open(e)
		if err != nil || len(b.Records) != records {
			t.Fatalf("%d records: opened %d, %v", records, len(b.Records), err)
		}
		if cap(d.memory) != 500 {
			t.Errorf("after a batch of %d there is memory for %d", records, cap(d.memory))
		}
	}
}
