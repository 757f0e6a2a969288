package replay

import (
	"context"
	"fmt"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/quarantine"
)

func TestAfter(t *testing.T) {
	spans := []Span{{kafka.Partition{Topic: "a", Number: 0}, 5, 10}, {kafka.Partition{Topic: "a", Number: 2}, 0, 3}, {kafka.Partition{Topic: "b", Number: 0}, 7, 8}}
	for place, want := range map[string]string{
		"a/0/5": "[a/0:6-9 a/2:0-2 b/0:7-7]",
		"a/0/9": "[a/2:0-2 b/0:7-7]",
		"a/2/1": "[a/2:2-2 b/0:7-7]",
		"b/0/7": "[]",
		"a/0/4": "", "a/0/10": "", "a/1/0": "", "c/0/0": "",
	} {
		at, err := quarantine.ParsePlace(place)
		if err != nil {
			t.Fatal(err)
		}
		got, err := After(spans, at)
		if (err == nil) != (want != "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", place, got, err, want)
		}
	}
	if spans[0].First != 5 {
		t.Error("it changed what it was given")
	}
}

// A Packer sends a batch when the next record does not go with it, and every
// record arrives in exactly one.
func TestPacker(t *testing.T) {
	var sent []string
	p := Packer{Send: func(_ context.Context, e cloudevents.Event, records int) error {
		b, err := batch.FromEvent(e)
		if err != nil {
			return err
		}
		if len(b.Records) != records || b.Lane != batch.BothLanes {
			t.Errorf("a batch of %d records says %d, lane %s", len(b.Records), records, b.Lane)
		}
		sent = append(sent, fmt.Sprintf("%s %s %d retry=%t", b.Topic, b.Ranges(), len(b.Records), b.Retry))
		return nil
	}}
	const id = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
	add := func(topic string, retry bool, from, to int64) {
		of := &batch.Batch{ClusterID: "c", Topic: topic, TopicID: id, Retry: retry}
		for offset := from; offset < to; offset++ {
			if err := p.Add(t.Context(), of, &batch.Record{Offset: offset, Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("incidents", false, 0, batch.MaxRecords+5)
	add("incidents", true, 100, 103)
	add("passenger_flow", true, 7, 8)
	for range 2 { // there is nothing left the second time
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := "[incidents 0:0-19999 20000 retry=false incidents 0:20000-20004 5 retry=false incidents 0:100-102 3 retry=true passenger_flow 0:7-7 1 retry=true]"
	if fmt.Sprint(sent) != want {
		t.Errorf("sent %v, want %s", sent, want)
	}
	large := &batch.Record{Value: make([]byte, batch.MaxEncodedBytes)}
	if err := p.Add(t.Context(), &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: id}, large); err == nil {
		t.Error("a record larger than a batch was taken")
	}
}
