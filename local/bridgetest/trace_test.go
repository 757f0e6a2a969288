package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/internal/waterfall"
	"github.com/stationflow/stationflow/local/tracestest"
)

// parents is a Transport that takes everything and keeps each event's
// traceparent, by the batch's id.
type parents struct {
	*recorder
	mu sync.Mutex
	of map[string]string
}

func (p *parents) Publish(ctx context.Context, e cloudevents.Event) error {
	p.mu.Lock()
	p.of[e.ID()] = batch.TraceParent(e)
	p.mu.Unlock()
	return p.recorder.Publish(ctx, e)
}

// traceparent is the header of a producer's span of the number.
func traceparent(span int, flags string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: tracing.Header, Value: fmt.Appendf(nil, "00-%032x-%016x-%s", span, span, flags)}
}

// A batch's span has links to those of its records' producers, whatever else is
// in the header, and the event names it.
func TestTrace_LinksToProducers(t *testing.T) {
	cluster, collector := newCluster(t), tracestest.Start(t)
	var records []*kgo.Record
	for i, headers := range [][]kgo.RecordHeader{
		{traceparent(1, "01")}, {}, {traceparent(2, "00")}, {{Key: tracing.Header, Value: []byte("00-what")}}, {{Key: tracing.Header}},
		{{Key: "other", Value: []byte("x")}, traceparent(3, "01"), traceparent(4, "01")}, {{Key: "Traceparent", Value: traceparent(5, "01").Value}},
	} {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: []byte("{}"), Headers: headers})
	}
	produceRecords(t, cluster, records...)
	c := config(cluster)
	c.BatchRecords, c.BatchAge = len(records), patience
	transport := &parents{recorder: newRecorder(nil), of: map[string]string{}}
	startWith(t, c, bridge.Dependencies{Transport: transport, Tracer: tracestest.Tracer(t, collector.URL, "stationflow-bridge")})
	transport.wait(t, len(records))

	span := collector.Await(t, 1, tracestest.Named("batch "+topic))[0]
	var linked []string
	for _, link := range span.Links {
		linked = append(linked, strings.TrimLeft(link.TraceID, "0")+" "+link.Attributes["messaging.destination.partition.id"]+"/"+link.Attributes["messaging.kafka.offset"])
	}
	slices.Sort(linked)
	if want := []string{"1 0/0", "3 1/2"}; !slices.Equal(linked, want) {
		t.Errorf("it has links to %v, want %v", linked, want)
	}
	about := span.Attributes
	if about["stationflow.links.left_out"] != "1" || about["stationflow.ranges"] != "0:0-3,1:0-2" || about["stationflow.lane"] != "both" ||
		about["stationflow.records"] != "7" || about["stationflow.attempts"] != "1" || about["stationflow.topic_id"] != topicID(cluster, topic) ||
		span.Service != "stationflow-bridge" || span.Parent != "" || span.Error != "" {
		t.Errorf("the span is %+v", span)
	}
	transport.mu.Lock()
	defer transport.mu.Unlock()
	if got, want := transport.of[about["stationflow.batch_id"]], "00-"+span.TraceID+"-"+span.ID+"-01"; got != want {
		t.Errorf("the event names %s, want %s", got, want)
	}
}

// Both lanes' batches are traced, links are bounded, and what nobody has sent
// yet is sent when the bridge stops.
func TestTrace_SentWhenTheBridgeStops(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
	cluster, collector := newCluster(t), tracestest.Start(t)
	var records []*kgo.Record
	for i := range 3 * tracing.MostLinks {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte("{}"), Headers: []kgo.RecordHeader{traceparent(i+1, "01")}})
	}
	produceRecords(t, cluster, records...)
	c := config(cluster)
	c.BatchRecords = batch.MaxRecords
	transport := newRecorder(nil)
	m := startWith(t, c, bridge.Dependencies{Transport: transport, Tracer: tracestest.Tracer(t, collector.URL, "stationflow-bridge")})
	transport.wait(t, len(records))
	m.stop(t)
	spans := collector.Await(t, 2, tracestest.Named("batch "+topic))
	for _, lane := range []batch.Lane{batch.RowsLane, batch.LakeLane} {
		linked, leftOut := 0, 0
		for _, s := range spans {
			if batch.Lane(s.Attributes["stationflow.lane"]).Serves(lane) {
				var n int
				fmt.Sscan(s.Attributes["stationflow.links.left_out"], &n)
				linked, leftOut = linked+len(s.Links), leftOut+n
				if len(s.Links) > tracing.MostLinks {
					t.Errorf("a span has %d links", len(s.Links))
				}
			}
		}
		if linked+leftOut != len(records) {
			t.Errorf("in the %s lane %d links and %d left out, want %d together", lane, linked, leftOut, len(records))
		}
	}
}

// A batch that goes on in parts has their spans within its own.
func TestTrace_PartsAreWithinTheWhole(t *testing.T) {
	cluster, collector := newCluster(t), tracestest.Start(t)
	records := []*kgo.Record{{Topic: topic, Partition: 0, Value: []byte("{}"), Headers: []kgo.RecordHeader{traceparent(1, "01")}}, {Topic: topic, Partition: 1, Value: []byte("{}")}}
	produceRecords(t, cluster, records...)
	c := config(cluster)
	c.BatchRecords, c.BatchAge = len(records), patience
	transport := newRecorder(func(_ context.Context, b *batch.Batch) error {
		if len(b.Ranges()) > 1 {
			return &bridge.PublishError{Err: errors.New("not together"), Refused: true}
		}
		return nil
	})
	startWith(t, c, bridge.Dependencies{Transport: transport, DeadLetters: noLetters{}, Tracer: tracestest.Tracer(t, collector.URL, "stationflow-bridge")})
	transport.wait(t, len(records))
	whole := collector.Await(t, 1, func(s waterfall.Span) bool { return s.Parent == "" })[0]
	parts := collector.Await(t, 2, tracestest.Within(whole, "batch "+topic))
	if whole.Error == "" || whole.Attributes["stationflow.attempts"] != "1" || len(whole.Links) != 1 {
		t.Errorf("the whole is %+v", whole)
	}
	for _, part := range parts {
		if part.Error != "" || part.Attributes["stationflow.records"] != "1" {
			t.Errorf("a part is %+v", part)
		}
	}
}

// noLetters takes no dead letter: there is none.
type noLetters struct{ bridge.DeadLetters }

// Without a tracer, and of a batch whose producers do not record their spans, the
// event names a span that nobody records.
func TestTrace_NotRecorded(t *testing.T) {
	collector := tracestest.Start(t)
	for name, tracer := range map[string]*tracing.Tracer{"off": nil, "not sampled": tracestest.Tracer(t, collector.URL, "stationflow-bridge")} {
		cluster := newCluster(t)
		produceRecords(t, cluster, &kgo.Record{Topic: topic, Value: []byte("{}"), Headers: []kgo.RecordHeader{traceparent(1, "00")}})
		transport := &parents{recorder: newRecorder(nil), of: map[string]string{}}
		m := startWith(t, config(cluster), bridge.Dependencies{Transport: transport, Tracer: tracer})
		transport.wait(t, 1)
		m.stop(t)
		for id, parent := range transport.of {
			if of := tracing.Parse(parent); !of.IsValid() || of.IsSampled() {
				t.Errorf("%s: batch %s names %q", name, id, parent)
			}
		}
	}
	if all := collector.Traces(); len(all) > 0 {
		t.Errorf("spans were sent: %+v", all)
	}
}

// A collector that never answers keeps neither records nor the end waiting.
func TestTrace_CollectorHangs(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	cluster := newCluster(t)
	produce(t, cluster, topic, 0, 5000)
	transport := newRecorder(nil)
	m := startWith(t, config(cluster), bridge.Dependencies{Transport: transport, Tracer: tracestest.Tracer(t, hanging.URL, "stationflow-bridge")})
	transport.wait(t, 5000)
	transport.check(t, cluster, topic, 0, 0, 5000)
	m.stop(t)
	if got := committed(cluster, topic, 0); got != 5000 {
		t.Errorf("committed up to %d, want 5000", got)
	}
}
