// Package outlet sends batches on the way that the bridge's take to ingest: what
// is replayed or tried again goes there as it went at first.
package outlet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/pubsub/v2"
	apiv1 "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/retry"
	"github.com/stationflow/stationflow/terraform"
)

// callTimeout bounds the calls that should be answered at once.
const callTimeout = 15 * time.Second

// A Way says how batches get to the ingest function.
type Way struct {
	Project  string
	Topic    string // the full name of the records topic
	URL      string // of the function, "" where the topic leads there
	Audience string // of the identity token for it

	deployment terraform.Deployment
	overHTTP   bool // it is the bridge's transport
}

// FromEnv reads the way that the bridge takes too, unless the URL says another:
// GOOGLE_CLOUD_PROJECT, BRIDGE_TRANSPORT, BRIDGE_PUBSUB_TOPIC, BRIDGE_HTTP_URL
// and BRIDGE_HTTP_AUDIENCE.
func FromEnv(r *env.Reader, deployment terraform.Deployment, url string) Way {
	w := Way{deployment: deployment, URL: url}
	w.Project = r.Required("GOOGLE_CLOUD_PROJECT", "set it to the id of the Google Cloud project")
	w.Topic = terraform.FullName(w.Project, "topics", r.String("BRIDGE_PUBSUB_TOPIC", deployment.RecordsTopic))
	if w.overHTTP = r.OneOf("BRIDGE_TRANSPORT", "pubsub", "http") == "http"; w.overHTTP && url == "" {
		w.URL = r.String("BRIDGE_HTTP_URL", "")
	}
	if w.URL != "" {
		w.Audience = r.String("BRIDGE_HTTP_AUDIENCE", w.URL)
	}
	return w
}

// Check reports a way on which nothing would arrive.
func (w Way) Check() error {
	if w.URL == "" && w.overHTTP {
		return errors.New("with BRIDGE_TRANSPORT=http nothing need be subscribed to the records topic: name the ingest function with --url, or set BRIDGE_HTTP_URL")
	}
	return nil
}

// An Outlet sends batches. It is safe for concurrent use.
type Outlet struct {
	transport bridge.Transport
	patience  time.Duration // for one attempt
	close     func() error
}

// Open connects. It returns an error where what is published would reach
// nobody.
func (w Way) Open(ctx context.Context) (*Outlet, error) {
	if w.URL != "" {
		transport, err := bridge.NewHTTP(ctx, w.URL, w.Audience)
		if err != nil {
			return nil, err
		}
		return &Outlet{transport, w.deployment.AckDeadline(), transport.Close}, nil
	}
	client, err := pubsub.NewClient(ctx, w.Project)
	if err != nil {
		return nil, fmt.Errorf("connecting to Pub/Sub in project %s: %w", w.Project, err)
	}
	err = MustReach(ctx, client.TopicAdminClient, w.Topic)
	if err = errors.Join(err, client.Close()); err != nil {
		return nil, err
	}
	transport, err := bridge.NewPubSub(ctx, w.Project, w.Topic)
	if err != nil {
		return nil, err
	}
	return &Outlet{transport, callTimeout, transport.Close}, nil
}

// Close ends the connection.
func (o *Outlet) Close() error { return o.close() }

// How often a batch is tried that nobody refuses.
const sendAttempts = 8

var sendPauses = retry.Backoff{Min: time.Second, Max: 30 * time.Second}

// Send makes a batch arrive. It tries again for some minutes where nothing says
// that the batch is to blame.
func (o *Outlet) Send(ctx context.Context, event cloudevents.Event) error {
	mayPass := func(err error) bool { return ctx.Err() == nil && !Refused(err) }
	err := retry.Do(ctx, sendAttempts, sendPauses, mayPass, func() error {
		calling, cancel := context.WithTimeout(ctx, o.patience)
		defer cancel()
		return o.transport.Publish(calling, event)
	})
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %v", ctx.Err(), err) // it was stopped, whatever the attempt ended with
	}
	return err
}

// Refused reports whether the other side works and refuses this very batch.
func Refused(err error) bool {
	var failed *bridge.PublishError
	return errors.As(err, &failed) && failed.Refused || status.Code(errors.Unwrap(err)) == codes.InvalidArgument
}

// MustReach returns an error when what is published to the topic would reach
// nobody, and so be lost. Who may publish need not be allowed to ask.
func MustReach(ctx context.Context, topics *apiv1.TopicAdminClient, topic string) error {
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request := &pubsubpb.ListTopicSubscriptionsRequest{Topic: topic, PageSize: 1}
	_, err := topics.ListTopicSubscriptions(calling, request).Next()
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
