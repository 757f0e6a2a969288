package ingest

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
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
		{"just short", "location", []string{strings.Repeat("x", maxStatistic)}, nil, []string{"location"}},
		{"just long", "location", []string{strings.Repeat("x", maxStatistic+1)}, []string{"location"}, nil},
	} {
		tp, d := offline("incidents")
		if d.decode(tp, sampleBatch("incidents", len(test.values), 1), noon); len(d.good.own) != len(test.values) {
			t.Fatal(d.rejections)
		}
		for i, value := range test.values {
			d.good.own[i][tp.own[position(tp.columns, test.column)]] = event.StringValue([]byte(value))
		}
		var file bytes.Buffer
		for range 2 { // the writer's memory is reused
			file.Reset()
			if err := tp.parquet.encode(&file, d.good, 1); err != nil {
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
