package lake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/lake/pages"
)

// A long value is in a file once. What is short keeps its statistics, also
// in the next file of the same writer.
func TestParquet_LongStatisticsAreLeftOut(t *testing.T) {
	const long = 1500 << 10
	long1, long2 := strings.Repeat("y", long), strings.Repeat("z", long)
	for _, test := range []struct {
		name               string
		column             string
		values             []string
		withoutThese, also []string // columns
	}{
		{"dictionary", "location", []string{"Dock", long1, long2}, []string{"location"}, []string{"station", "id", "duration", "timestamp", "kafka_offset"}},
		{"plain", "extra", []string{long2, long1, "{}"}, []string{"extra"}, []string{"station", "location"}},
		{"one value", "type", []string{long1}, []string{"type"}, []string{"station", "location"}},
		{"short again", "location", []string{"Dock", "Hall"}, nil, []string{"station", "location", "type", "id"}},
		{"just short", "location", []string{strings.Repeat("x", pages.MaxStatistic)}, nil, []string{"location"}},
		{"just long", "location", []string{strings.Repeat("x", pages.MaxStatistic+1)}, []string{"location"}, nil},
	} {
		table, shared, own := incidents(t, len(test.values))
		for i, value := range test.values {
			own[i][table.Own[rows.Position(table.Columns, test.column)]] = event.StringValue([]byte(value))
		}
		set := setOf(table, shared, own)
		format := NewParquet(table)
		var file bytes.Buffer
		for range 2 { // the writer's memory is reused
			file.Reset()
			if err := format.Encode(&file, set, 1); err != nil {
				t.Fatal(err)
			}
		}
		if size := binary.LittleEndian.Uint32(file.Bytes()[file.Len()-8:]); size > 16<<10 {
			t.Errorf("%s: the footer has %d bytes", test.name, size)
		}
		opened, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for _, column := range opened.Metadata().RowGroups[0].Columns {
			name, statistics := column.MetaData.PathInSchema[0], column.MetaData.Statistics
			for _, without := range test.withoutThese {
				if name == without && (statistics.MinValue != nil || statistics.MaxValue != nil) {
					t.Errorf("%s: %s has statistics of %d and %d bytes", test.name, name, len(statistics.MinValue), len(statistics.MaxValue))
				}
			}
			for _, with := range test.also {
				if name == with && (statistics.MinValue == nil || statistics.MaxValue == nil) {
					t.Errorf("%s: %s has no statistics", test.name, name)
				}
			}
		}
	}
}

// incidents returns the table of the topic, and n rows of it.
func incidents(t *testing.T, n int) (table *rows.Table, shared event.Row, own []event.Row) {
	t.Helper()
	schema, _ := event.SchemaOf("incidents")
	table = rows.Staging(schema)
	b := &batch.Batch{Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"}
	for i := range n {
		b.Records = append(b.Records, batch.Record{Offset: int64(i), Value: fmt.Appendf(nil,
			`{"id":"i%d","type":"a","station":"s","location":"l","timestamp":"2026-11-22T12:00:00Z","severity":"Minor","duration":1}`, i)})
	}
	decoder := event.NewDecoder(schema, time.UTC)
	for i := range b.Records {
		row := make(event.Row, table.Width())
		fields := row[:len(schema.Columns)+1]
		if refused := decoder.Decode(fields, b.Records[i].Value, time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)); refused != nil {
			t.Fatal(refused)
		}
		rows.AppendCoordinates(fields, &b.Records[i])
		own = append(own, row)
	}
	return table, table.Shared(b), own
}
