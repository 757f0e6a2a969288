package bigquery

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/vectors"
)

func TestRequest_HoldsAsManyRowsAsFit(t *testing.T) {
	const stamp = 1_764_000_000_000_000
	layout := rows.NewLayout([]event.Column{{Name: rows.IngestedAt, Type: event.Timestamp}, {Name: "a", Type: event.String}})
	encoder := NewEncoder(layout)
	var all rows.Set
	layout.Begin(&all, new(batch.Batch), 0, new(vectors.Memory))
	for i := range 9 {
		size := 400 << 10
		if i == 4 {
			size = 2 << 20
		}
		all.Append(event.Row{event.StringValue(bytes.Repeat([]byte{'a' + byte(i)}, size))})
	}
	shared := encoder.appendShared(nil, all.Shared, stamp)
	pending, taken := count(len(all.Rows)), 0
	var requests []int // how many rows each has
	for len(pending) > 0 {
		var r Request
		r.Fill(encoder, all, pending, stamp)
		requests = append(requests, len(r.Rows))
		for _, encoded := range r.Rows {
			if want := append(encoder.appendOwn(nil, all.Own, int32(taken)), shared...); !bytes.Equal(encoded, want) {
				t.Fatalf("row %d is not as encoded alone", taken)
			}
			taken++
		}
		pending = pending[len(r.Rows):]
	}
	if want := []int{2, 2, 1, 2, 2}; !slices.Equal(requests, want) {
		t.Errorf("requests of at most 1 MiB have %v of rows of 400 KiB, with one of 2 MiB, want %v", requests, want)
	}
}
