package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/googleapis/gax-go/v2"
)

// A channel carries notifications to people. It is safe for concurrent use.
type channel interface {
	name() string
	// send makes one attempt. After an error the notification may have
	// arrived all the same.
	send(ctx context.Context, n *Notification) error
}

// Headers of a webhook's request.
const (
	KeyHeader       = "Idempotency-Key"         // the notification's Key
	SignatureHeader = "X-Stationflow-Signature" // sha256=, and the HMAC-SHA256 of the body in hexadecimal
)

// A webhook posts each notification to an address.
type webhook struct {
	url    string
	secret string // that bodies are signed with; "" signs none
	client *http.Client
}

func newWebhook(config *Config) *webhook {
	return &webhook{config.Webhook, config.WebhookSecret, &http.Client{
		Timeout: config.Timeout,
		// A redirect could lead to where the secret must not be used.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (*webhook) name() string { return "webhook" }

// send posts the notification. No error repeats the address, which often is a
// secret.
func (w *webhook) send(ctx context.Context, n *Notification) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("posting to the webhook: ALERT_WEBHOOK is no address")
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "stationflow-alert")
	request.Header.Set(KeyHeader, n.Key)
	if w.secret != "" {
		mac := hmac.New(sha256.New, []byte(w.secret))
		mac.Write(body)
		request.Header.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	response, err := w.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fmt.Errorf("posting to the webhook: %w", err)
	}
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	_ = response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("posting to the webhook: it answered %s", response.Status)
	}
	return nil
}

// A topic publishes each notification to a topic of Pub/Sub.
type topic struct {
	client  *pubsub.Client
	full    string
	timeout time.Duration
}

func newTopic(life context.Context, config *Config) (*topic, error) {
	client, err := pubsub.NewClient(life, config.Project)
	if err != nil {
		return nil, fmt.Errorf("connecting to Pub/Sub in project %s: %w", config.Project, err)
	}
	return &topic{client, "projects/" + config.Project + "/topics/" + config.Topic, config.Timeout}, nil
}

func (*topic) name() string { return "topic" }

// send publishes one message, with what a subscription may filter by in its
// attributes. It calls the API itself: a Publisher would wait for more.
func (t *topic) send(ctx context.Context, n *Notification) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	message := &pubsubpb.PubsubMessage{Data: body, Attributes: map[string]string{
		"key": n.Key, "rule": n.Rule, "state": n.State, "topic": n.Topic, "station": cut(n.Station, 1024),
	}}
	once := gax.WithRetry(func() gax.Retryer { return nil })
	request := &pubsubpb.PublishRequest{Topic: t.full, Messages: []*pubsubpb.PubsubMessage{message}}
	if _, err := t.client.TopicAdminClient.Publish(ctx, request, once); err != nil {
		return fmt.Errorf("publishing to %s: %w", t.full, err)
	}
	return nil
}
