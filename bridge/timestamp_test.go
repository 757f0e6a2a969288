package bridge

import (
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// A record waits since Kafka has it or, where its timestamp cannot be true or
// there is none, since it was read: not for 56 years.
func TestLag_OfTimestampsThatCannotBeTrue(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		timestamp int64
		least     time.Duration
	}{
		"true":         {now.Add(-time.Hour).UnixMilli(), time.Hour},
		"none":         {-1, 0},
		"zero":         {0, 0},
		"seconds":      {now.Unix(), 0},
		"microseconds": {now.UnixMicro(), 0},
	} {
		c := testClaim(t, nil, sink(func(cloudevents.Event) error { return nil }))
		r := &batch.Record{Offset: 7, Timestamp: test.timestamp}
		if v := c.put(c.partition, r, batch.EncodedSize(r)); v != gathered {
			t.Fatal(v)
		}
		if lag := c.status(time.Now()).Lag; lag < test.least || lag > test.least+time.Minute {
			t.Errorf("%s: the lag is %v, want %v and little more", name, lag, test.least)
		}
		if c.openTimestamp.Load() < 0 {
			t.Errorf("%s: the open batch counts as none", name)
		}
	}
}
