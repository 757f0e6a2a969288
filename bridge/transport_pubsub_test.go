package bridge

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
)

// A refuser answers the first publishes with an error.
type refuser struct{ left int }

func (r *refuser) React(any) (handled bool, result any, err error) {
	if r.left == 0 {
		return false, nil, nil
	}
	r.left--
	return true, &pubsubpb.PublishResponse{}, status.Error(codes.Unavailable, "not now")
}

func TestPubSub_OneMessageOneAttempt(t *testing.T) {
	server := pstest.NewServer(pstest.ServerReactorOption{FuncName: "Publish", Reactor: &refuser{left: 1}})
	defer server.Close()
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr)
	const topic = "projects/p/topics/stationflow-records"
	if _, err := server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	transport, err := NewPubSub(t.Context(), "p", topic)
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Close()
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes, Records: []batch.Record{{Offset: 7, Value: []byte("v")}}}
	event, err := b.Event(time.Unix(1, 0), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := transport.Publish(t.Context(), event); status.Code(errors.Unwrap(err)) != codes.Unavailable {
		t.Errorf("the first attempt returned %v: repeating is the bridge's business", err)
	}
	if err := transport.Publish(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	messages := server.Messages()
	if len(messages) != 1 {
		t.Fatalf("%d messages arrived", len(messages))
	}
	if diff := cmp.Diff(event.Data(), messages[0].Data); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(batch.Attributes(event), messages[0].Attributes); diff != "" {
		t.Error(diff)
	}
}

func TestPubSub_ReturnsWithItsContext(t *testing.T) {
	server := pstest.NewServer()
	server.Close() // nobody answers
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr)
	transport, err := NewPubSub(t.Context(), "p", "projects/p/topics/t")
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes, Records: []batch.Record{{}}}
	event, err := b.Event(time.Unix(1, 0), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := transport.Publish(ctx, event); err == nil {
		t.Error("it claims to have published")
	}
}
