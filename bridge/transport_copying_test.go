package bridge

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// A noting transport notes what it takes, and fails while it has an error.
type noting struct {
	name string
	log  *[]string
	err  error
}

func (n *noting) Publish(_ context.Context, e cloudevents.Event) error {
	if n.err == nil {
		*n.log = append(*n.log, n.name+" "+e.Subject())
	}
	return n.err
}

func TestCopying(t *testing.T) {
	away := errors.New("away")
	for name, c := range map[string]struct {
		topic          string
		lane           batch.Lane
		ingest, copies error
		want           []string
		err            error
	}{
		"rows":           {"incidents", batch.RowsLane, nil, nil, []string{"ingest incidents", "copies incidents"}, nil},
		"both lanes":     {"equipment_failures", batch.BothLanes, nil, nil, []string{"ingest equipment_failures", "copies equipment_failures"}, nil},
		"the other lane": {"incidents", batch.LakeLane, nil, nil, []string{"ingest incidents"}, nil},
		"another topic":  {"train_arrivals", batch.RowsLane, nil, nil, []string{"ingest train_arrivals"}, nil},
		"ingest away":    {"incidents", batch.RowsLane, away, nil, nil, away},
		"copies away":    {"incidents", batch.RowsLane, nil, away, []string{"ingest incidents"}, away},
	} {
		t.Run(name, func(t *testing.T) {
			var log []string
			transport := copying{&noting{"ingest", &log, c.ingest}, &noting{"copies", &log, c.copies}, []string{"incidents", "equipment_failures"}}
			b := &batch.Batch{ClusterID: "c", Topic: c.topic, TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Lane: c.lane,
				Records: []batch.Record{{Value: []byte("{}")}}}
			e, err := b.Event(time.Now(), "")
			if err != nil {
				t.Fatal(err)
			}
			if err := transport.Publish(t.Context(), e); !errors.Is(err, c.err) || !slices.Equal(log, c.want) {
				t.Errorf("error %v, published %q, want %q", err, log, c.want)
			}
		})
	}
}
