package bridge

import (
	"context"
	"fmt"
	"maps"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/deadletter"
)

// A PubSub publishes each batch as one message of a Pub/Sub topic: the
// event's data, and its attributes as those of binary mode. It is the
// Transport for the topic of records, and the DeadLetters for theirs.
type PubSub struct {
	client *pubsub.Client
	topic  string
}

// NewPubSub connects to Pub/Sub, or to the emulator that PUBSUB_EMULATOR_HOST
// names. topic is a full name.
func NewPubSub(ctx context.Context, project, topic string, options ...option.ClientOption) (*PubSub, error) {
	client, err := pubsub.NewClient(ctx, project, options...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Pub/Sub in project %s: %w", project, err)
	}
	return &PubSub{client: client, topic: topic}, nil
}

// Publish sends the message and waits for Pub/Sub's answer.
func (p *PubSub) Publish(ctx context.Context, event cloudevents.Event) error {
	return p.send(ctx, event.Data(), batch.Attributes(event))
}

// DeadLetter sends the message as Pub/Sub itself forwards one to a dead letter
// topic, with the cause in further attributes.
func (p *PubSub) DeadLetter(ctx context.Context, event cloudevents.Event, why deadletter.Cause) error {
	attributes := batch.Attributes(event)
	maps.Copy(attributes, why.Attributes())
	return p.send(ctx, event.Data(), attributes)
}

// send calls the API itself: the client's Publisher collects messages into
// requests, and a batch is one already; it also retries beyond the caller's
// context.
func (p *PubSub) send(ctx context.Context, data []byte, attributes map[string]string) error {
	request := &pubsubpb.PublishRequest{
		Topic:    p.topic,
		Messages: []*pubsubpb.PubsubMessage{{Data: data, Attributes: attributes}},
	}
	once := gax.WithRetry(func() gax.Retryer { return nil })
	if _, err := p.client.TopicAdminClient.Publish(ctx, request, once); err != nil {
		return fmt.Errorf("publishing to %s: %w", p.topic, err)
	}
	return nil
}

// Close ends the connection.
func (p *PubSub) Close() error { return p.client.Close() }
