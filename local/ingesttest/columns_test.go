package ingesttest

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
)

// A function that is newer than its tables loses nothing: events' fields without
// a column are kept in extra, and once the table has the columns they are
// written.
func TestColumns_TableLacksSome(t *testing.T) {
	l := newLab(t)
	l.warehouse.lacks = map[string]string{"ticket_validations": "kafka_key,schema_id,rejected"}
	l.mustDeliver(t, ticket(1, `,"rejected":3`))
	l.mustDeliver(t, ticket(2, `,"rejected":4,"gate":"é"`))
	l.mustDeliver(t, ticket(3, ``))
	if n := l.warehouse.opened(); n > 2 {
		t.Errorf("%d connections were opened for three batches", n)
	}
	l.warehouse.alter("ticket_validations")
	l.mustDeliver(t, ticket(4, `,"rejected":5`)) // is answered that the table has changed
	l.mustDeliver(t, ticket(5, `,"rejected":6`))
	var got []string
	for _, r := range l.warehouse.rows("ticket_validations") {
		key, _ := r["kafka_key"].([]byte)
		got = append(got, fmt.Sprintf("%v %v %v %s", r["kafka_offset"], r["rejected"], r["extra"], key))
	}
	want := []string{`1 <nil> {"rejected":3} `, `2 <nil> {"gate":"é","rejected":4} `, `3 <nil> <nil> `, `4 <nil> {"rejected":5} `, `5 6 <nil> k`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Calls at the same time find out together that columns are lacking, and none
// fails because another was first.
func TestColumns_TableLacksSomeAtOnce(t *testing.T) {
	for round := range 20 {
		l := newLab(t, func(c *ingest.Config) { c.Concurrency = 16 })
		l.warehouse.lacks = map[string]string{"ticket_validations": "kafka_key,schema_id,rejected"}
		var calls errgroup.Group
		for offset := range int64(16) {
			calls.Go(func() error { return l.deliver(t, ticket(offset, `,"rejected":3`)) })
		}
		if err := calls.Wait(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

func ticket(offset int64, more string) *batch.Batch {
	value := fmt.Sprintf(`{"id":"t-%d","train_id":"train-1","station":"Station B","timestamp":"2026-11-22T11:30:00Z","validations":240%s}`, offset, more)
	return &batch.Batch{ClusterID: "c", Topic: "ticket_validations", TopicID: topicID, Lane: batch.BothLanes, Records: []batch.Record{
		{Offset: offset, Timestamp: noon.UnixMilli(), Key: []byte("k"), Value: []byte(value)}}}
}
