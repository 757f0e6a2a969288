package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// urlUsage explains --url, the function to post to.
const urlUsage = "post to the ingest function at `URL` instead of publishing to the records topic; the audience of the identity token is BRIDGE_HTTP_AUDIENCE, or the URL"

// A way says how batches get to the ingest function.
type way struct {
	project string
	topic   string // the full name of the records topic
	url     string // of the function, "" where the topic leads there
	aud     string // the audience of the identity token for it
}

// wayFrom reads the way that the bridge takes too, unless the URL says another.
func wayFrom(r *env.Reader, deployment terraform.Deployment, url string) (w way, transport string) {
	w.project = r.Required("GOOGLE_CLOUD_PROJECT", "set it to the id of the Google Cloud project")
	w.topic = terraform.FullName(w.project, "topics", r.String("BRIDGE_PUBSUB_TOPIC", deployment.RecordsTopic))
	transport = r.OneOf("BRIDGE_TRANSPORT", "pubsub", "http")
	if w.url = url; url == "" && transport == "http" {
		w.url = r.String("BRIDGE_HTTP_URL", "")
	}
	w.aud = r.String("BRIDGE_HTTP_AUDIENCE", w.url)
	return w, transport
}

// check reports a way on which nothing would arrive.
func (w way) check(transport string) error {
	if w.url == "" && transport == "http" {
		return errors.New("with BRIDGE_TRANSPORT=http nothing need be subscribed to the records topic: name the ingest function with --url, or set BRIDGE_HTTP_URL")
	}
	return nil
}

// An outlet sends batches on the way to the ingest function.
type outlet struct {
	transport bridge.Transport
	patience  time.Duration // for one attempt
	close     func() error
}

// open connects. It returns an error where what is published would reach
// nobody.
func (w way) open(ctx context.Context, deployment terraform.Deployment) (*outlet, error) {
	if w.url != "" {
		transport, err := bridge.NewHTTP(ctx, w.url, w.aud)
		if err != nil {
			return nil, err
		}
		return &outlet{transport, deployment.AckDeadline(), transport.Close}, nil
	}
	if err := reach(ctx, os.Getenv, "PUBSUB_EMULATOR_HOST"); err != nil { // where Google's client looks for it
		return nil, err
	}
	client, err := pubsub.NewClient(ctx, w.project)
	if err != nil {
		return nil, fmt.Errorf("connecting to Pub/Sub in project %s: %w", w.project, err)
	}
	err = mustReach(ctx, client.TopicAdminClient, w.topic)
	if err = errors.Join(err, client.Close()); err != nil {
		return nil, err
	}
	transport, err := bridge.NewPubSub(ctx, w.project, w.topic)
	if err != nil {
		return nil, err
	}
	return &outlet{transport, callTimeout, transport.Close}, nil
}

// How often a batch is tried that nobody refuses.
const sendAttempts = 8

var sendPauses = retry.Backoff{Min: time.Second, Max: 30 * time.Second}

// send makes a batch arrive. It tries again for some minutes where nothing says
// that the batch is to blame.
func (o *outlet) send(ctx context.Context, event cloudevents.Event) error {
	mayPass := func(err error) bool { return ctx.Err() == nil && !refused(err) }
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

// refused reports whether the other side works and refuses this very batch.
func refused(err error) bool {
	var failed *bridge.PublishError
	return errors.As(err, &failed) && failed.Refused || status.Code(errors.Unwrap(err)) == codes.InvalidArgument
}

// mustReach returns an error when what is published to the topic would reach
// nobody, and so be lost. Who may publish need not be allowed to ask.
func mustReach(ctx context.Context, topics *apiv1.TopicAdminClient, topic string) error {
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
