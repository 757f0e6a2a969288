package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/stationflow/stationflow/batch"
)

// The answers to whoever delivers. The functions framework prints an error's
// text as a format string: the texts are fixed, and what went wrong is in the
// log.
var (
	errFailed  = errors.New("the batch is not ingested; the log says why")
	errForeign = cehttp.NewResult(http.StatusUnprocessableEntity, "the event carries no batch of a known topic; the log says why")
	errSetUp   = errors.New("ingest is not set up; the log says why")
)

// Handle is the function's entry point: it has a Function made from the
// environment ingest the event. It returns nil once all is durable (2xx), and
// otherwise an error: 422 for an event that is no batch of a known topic, 500
// for everything else. Pub/Sub delivers both again until the subscription's
// limit of attempts and then puts the event into the dead letter; that holds
// for 422 too, since acknowledging a foreign event would lose it unseen.
func Handle(ctx context.Context, e cloudevents.Event) error {
	f, err := fromEnvironment.get()
	if err != nil {
		slog.Error("setting up ingest", "error", err.Error())
		return errSetUp
	}
	return f.Handle(ctx, e)
}

// Handle ingests the event and returns what its deliverer is answered; see
// the function Handle.
func (f *Function) Handle(ctx context.Context, e cloudevents.Event) error {
	switch err := f.Ingest(ctx, e); {
	case err == nil:
		return nil
	case isForeign(err):
		return errForeign
	default:
		return errFailed
	}
}

// fromEnvironment makes the process's one Function when the first event
// arrives; when that fails the next event tries again.
var fromEnvironment lazy

type lazy struct {
	mu       sync.Mutex
	function *Function
}

func (l *lazy) get() (*Function, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.function != nil {
		return l.function, nil
	}
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	l.function, err = New(context.Background(), config) // it outlives the call
	return l.function, err
}

// isForeign tells that the event is no batch of a known topic.
func isForeign(err error) bool {
	var malformed *batch.Malformed
	var foreign *foreignTopic
	return errors.As(err, &malformed) || errors.As(err, &foreign)
}

// messagePublished is the type of the event that stands for a Pub/Sub
// message, from Eventarc and from a push subscription that wraps messages.
const messagePublished = "google.cloud.pubsub.topic.v1.messagePublished"

// unwrap returns the event that a wrapped Pub/Sub message carries in its
// attributes and data; any other event is returned as it is.
func unwrap(ctx context.Context, e cloudevents.Event) (cloudevents.Event, error) {
	if e.Type() != messagePublished {
		return e, nil
	}
	var envelope struct {
		Message struct {
			Attributes map[string]string `json:"attributes"`
			Data       []byte            `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(e.Data(), &envelope); err != nil {
		return e, &batch.Malformed{Attribute: "data", Detail: "is no Pub/Sub message: " + err.Error()}
	}
	header := make(http.Header)
	for name, value := range envelope.Message.Attributes {
		header.Set(name, value)
	}
	body := io.NopCloser(bytes.NewReader(envelope.Message.Data))
	inner, err := binding.ToEvent(ctx, cehttp.NewMessage(header, body))
	if err != nil {
		return e, &batch.Malformed{Attribute: "data", Detail: "is a Pub/Sub message without a CloudEvent: " + err.Error()}
	}
	return *inner, nil
}
