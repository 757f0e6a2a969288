package bigquery

import (
	"bytes"
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
		all.Append(event.Row{event.StringValue(bytes.Repeat([]byte{'a' + byte(i)}, 1<<20))})
	}
	shared := encoder.appendShared(nil, all.Shared, stamp)
	pending, taken := count(len(all.Rows)), 0
	for len(pending) > 0 {
		var r Request
		r.Fill(encoder, all, pending, stamp)
		if len(r.Rows) != 2 && len(pending) > 1 {
			t.Fatalf("%d rows of 1 MiB in a request of at most 3 MiB with their overhead, want 2", len(r.Rows))
		}
		for _, encoded := range r.Rows {
			if want := append(encoder.appendOwn(nil, all.Own, int32(taken)), shared...); !bytes.Equal(encoded, want) {
				t.Fatalf("row %d is not as encoded alone", taken)
			}
			taken++
		}
		pending = pending[len(r.Rows):]
	}
	if taken != len(all.Rows) {
		t.Errorf("%d rows taken, want %d", taken, len(all.Rows))
	}
}
