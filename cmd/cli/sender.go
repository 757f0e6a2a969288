package cli

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/bridge/outlet"
	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
)

// publishTimeout bounds one attempt to publish.
const publishTimeout = 15 * time.Second

// A sender sends a dead letter on its way again.
type sender struct {
	atOnce int32 // how many to hold meanwhile: all must be sent before their leases run out
	send   func(context.Context, *mailbox.Letter) error
}

// newSender publishes to the topic, or posts to the function where the way has
// its URL; patience is how long that may take for one.
func newSender(ctx context.Context, m *mailbox.Mailbox, to outlet.Way, patience time.Duration) (sender, error) {
	if to.URL == "" {
		if err := outlet.MustReach(ctx, m.Client.TopicAdminClient, to.Topic); err != nil {
			return sender{}, err
		}
		return sender{10, func(ctx context.Context, l *mailbox.Letter) error {
			calling, cancel := context.WithTimeout(ctx, publishTimeout)
			defer cancel()
			_, err := m.Client.TopicAdminClient.Publish(calling, &pubsubpb.PublishRequest{
				Topic:    to.Topic,
				Messages: []*pubsubpb.PubsubMessage{{Data: l.Data, Attributes: l.Attributes}},
			})
			return err
		}}, nil
	}
	transport, err := bridge.NewHTTP(ctx, to.URL, to.Audience)
	if err != nil {
		return sender{}, err
	}
	return sender{1, func(ctx context.Context, l *mailbox.Letter) error {
		e, err := batch.FromMessage(l.Attributes, l.Data)
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
