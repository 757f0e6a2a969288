package bigquery

import (
	"bytes"
	"testing"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

func TestRequest_HoldsAsManyRowsAsFit(t *testing.T) {
	const stamp = 1_764_000_000_000_000
	encoder := NewEncoder(rows.NewLayout([]event.Column{{Name: rows.IngestedAt, Type: event.Timestamp}, {Name: "a", Type: event.String}}))
	all := rows.Set{Shared: make(event.Row, 2), Own: make([]event.Row, 9)}
	for i := range all.Own {
		all.Own[i] = event.Row{event.StringValue(bytes.Repeat([]byte{'a' + byte(i)}, 1<<20))}
	}
	shared := encoder.appendShared(nil, all.Shared, stamp)
	pending, taken := count(len(all.Own)), 0
	for len(pending) > 0 {
		var r Request
		r.Fill(encoder, all, pending, stamp)
		if len(r.Rows) != 2 && len(pending) > 1 {
			t.Fatalf("%d rows of 1 MiB in a request of at most 3 MiB with their overhead, want 2", len(r.Rows))
		}
		for _, encoded := range r.Rows {
			if want := append(encoder.appendOwn(nil, all.Own[taken]), shared...); !bytes.Equal(encoded, want) {
				t.Fatalf("row %d is not as encoded alone", taken)
			}
			taken++
		}
		pending = pending[len(r.Rows):]
	}
	if taken != len(all.Own) {
		t.Errorf("%d rows taken, want %d", taken, len(all.Own))
	}
}
