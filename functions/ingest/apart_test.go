package ingest

import (
	"errors"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// What is settled is left out of its own lane and topic for an hour, and the
// memory of it is bounded.
func TestSettledRuns(t *testing.T) {
	var s settledRuns
	of := func(lane batch.Lane, partitions ...int32) *batch.Batch {
		b := &batch.Batch{Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Lane: lane}
		for _, p := range partitions {
			b.Records = append(b.Records, batch.Record{Partition: p, Offset: 7}, batch.Record{Partition: p, Offset: 9})
		}
		return b
	}
	conflict := errors.New("another record is there")
	s.add(of(batch.RowsLane, 1), noon, nil)
	s.add(of(batch.RowsLane, 2), noon, conflict)

	longer := of(batch.RowsLane, 1)
	longer.Records = append(longer.Records, batch.Record{Partition: 1, Offset: 10})
	for name, test := range map[string]struct {
		b    *batch.Batch
		at   time.Time
		left int
		err  error
	}{
		"durable":         {of(batch.RowsLane, 1, 3), noon, 2, nil},
		"refused":         {of(batch.RowsLane, 3, 2), noon, 2, conflict},
		"both":            {of(batch.RowsLane, 1, 2), noon, 0, conflict},
		"the other lane":  {of(batch.LakeLane, 1, 2), noon, 4, nil},
		"a longer run":    {longer, noon, 3, nil},
		"an hour later":   {of(batch.RowsLane, 1, 2), noon.Add(time.Hour), 4, nil},
		"nothing of it":   {of(batch.RowsLane, 3), noon, 2, nil},
		"a minute before": {of(batch.RowsLane, 1), noon.Add(59 * time.Minute), 0, nil},
	} {
		if err := s.leaveOut(test.b, test.at); !errors.Is(err, test.err) || len(test.b.Records) != test.left {
			t.Errorf("%s: %d records are left and the error is %v, want %d and %v", name, len(test.b.Records), err, test.left, test.err)
		}
	}
	for p := range int32(3 * maxSettled) {
		s.add(of(batch.RowsLane, 10+p), noon, nil)
	}
	if len(s.known) != maxSettled || len(s.order) != maxSettled {
		t.Errorf("it remembers %d runs in the order of %d", len(s.known), len(s.order))
	}
	if b := of(batch.RowsLane, 1); s.leaveOut(b, noon) != nil || len(b.Records) != 2 {
		t.Error("it still remembers the first")
	}
}
