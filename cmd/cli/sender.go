package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/terraform"
)

// A sender sends a dead letter on its way again.
type sender struct {
	atOnce int32 // how many to hold meanwhile: all must be sent before their leases run out
	send   func(context.Context, *letter) error
}

// A function is where dead letters are posted to, and the audience of the
// identity token for it.
type function struct{ url, audience string }

// newSender publishes to the topic, or posts to the function when it has a
// URL; patience is how long that may take for one.
func newSender(ctx context.Context, m *mailbox, to function, topic string, patience time.Duration) (sender, error) {
	if to.url == "" {
		topic = terraform.FullName(m.project, "topics", topic)
		if err := m.mustReach(ctx, topic); err != nil {
			return sender{}, err
		}
		return sender{10, func(ctx context.Context, l *letter) error {
			calling, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			_, err := m.client.TopicAdminClient.Publish(calling, &pubsubpb.PublishRequest{
				Topic:    topic,
				Messages: []*pubsubpb.PubsubMessage{{Data: l.data, Attributes: l.attributes}},
			})
			return err
		}}, nil
	}
	transport, err := bridge.NewHTTP(ctx, to.url, to.audience)
	if err != nil {
		return sender{}, err
	}
	return sender{1, func(ctx context.Context, l *letter) error {
		e, err := batch.FromMessage(l.attributes, l.data)
		if err != nil {
			return err
		}
		calling, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return transport.Publish(calling, e)
	}}, nil
}

// hopeless reports whether an error of send is about this dead letter, rather
// than an outage or a mistake that all would meet.
func hopeless(err error) bool {
	var malformed *batch.Malformed
	var refused *bridge.PublishError
	return errors.As(err, &malformed) || errors.As(err, &refused) && refused.Refused ||
		status.Code(err) == codes.InvalidArgument
}

// mustReach returns an error when what is published to the topic would reach
// nobody, and so be lost. Who may publish need not be allowed to ask.
func (m *mailbox) mustReach(ctx context.Context, topic string) error {
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request := &pubsubpb.ListTopicSubscriptionsRequest{Topic: topic, PageSize: 1}
	_, err := m.client.TopicAdminClient.ListTopicSubscriptions(calling, request).Next()
	switch {
	case err == nil || status.Code(err) == codes.PermissionDenied:
		return nil
	case errors.Is(err, iterator.Done):
		return fmt.Errorf("nothing is subscribed to %s, so what is sent there would be lost: name the ingest function with --url", topic)
	case status.Code(err) == codes.NotFound:
		return fmt.Errorf("there is no %s: check GOOGLE_CLOUD_PROJECT and BRIDGE_PUBSUB_TOPIC, or name the ingest function with --url", topic)
	}
	return fmt.Errorf("asking who is subscribed to %s: %w", topic, err)
}
