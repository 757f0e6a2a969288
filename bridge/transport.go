package bridge

import (
	"context"
	"fmt"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/googleapis/gax-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// A Transport carries batches away from the bridge. It is safe for concurrent
// use.
type Transport interface {
	// Publish makes one attempt and returns nil only when the other side has
	// taken over: from then on the bridge commits the records' offsets. After
	// an error the event may have arrived all the same; it is published
	// again. Publish returns soon after ctx is done, and does not keep the
	// event's data.
	Publish(ctx context.Context, event cloudevents.Event) error
}

// A PubSub is the Transport that publishes each batch as one message of a
// Pub/Sub topic: the event's data, and its attributes as those of binary
// mode.
type PubSub struct {
	client *pubsub.Client
	topic  string
}

// NewPubSub connects to Pub/Sub, or to the emulator that PUBSUB_EMULATOR_HOST
// names. topic is a full name.
func NewPubSub(ctx context.Context, project, topic string) (*PubSub, error) {
	client, err := pubsub.NewClient(ctx, project)
	if err != nil {
		return nil, fmt.Errorf("connecting to Pub/Sub in project %s: %w", project, err)
	}
	return &PubSub{client: client, topic: topic}, nil
}

// Publish sends the message and waits for Pub/Sub's answer. It calls the API
// itself: the client's Publisher collects messages into requests, and a batch
// is one already; it also retries beyond the caller's context.
func (p *PubSub) Publish(ctx context.Context, event cloudevents.Event) error {
	request := &pubsubpb.PublishRequest{
		Topic:    p.topic,
		Messages: []*pubsubpb.PubsubMessage{{Data: event.Data(), Attributes: batch.Attributes(event)}},
	}
	once := gax.WithRetry(func() gax.Retryer { return nil })
	if _, err := p.client.TopicAdminClient.Publish(ctx, request, once); err != nil {
		return fmt.Errorf("publishing to %s: %w", p.topic, err)
	}
	return nil
}

// Close ends the connection.
func (p *PubSub) Close() error { return p.client.Close() }
