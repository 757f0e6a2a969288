package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/stationflow/stationflow/batch"
)

// maxBodyBytes is what the largest batch takes as base64, with room for the
// envelope around it.
const maxBodyBytes = batch.MaxEncodedBytes/3*4 + 256<<10

// messagePublished is the type of the event in which Eventarc puts a Pub/Sub
// message.
const messagePublished = "google.cloud.pubsub.topic.v1.messagePublished"

var errInterrupted = errors.New("the request ended before its body did")

// readBody reads the request's body into the given memory, or into new memory
// of the right size where that is too small.
func readBody(r *http.Request, memory []byte) ([]byte, error) {
	tooLarge := &batch.Malformed{Attribute: "data", Detail: "is larger than any batch"}
	if r.ContentLength > maxBodyBytes {
		return nil, tooLarge
	}
	var body []byte
	var err error
	if r.ContentLength >= 0 {
		body = slices.Grow(memory[:0], int(r.ContentLength))[:r.ContentLength]
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %v", errInterrupted, err) // however it ended, the batch is not to blame
	case len(body) > maxBodyBytes:
		return nil, tooLarge
	}
	return body, nil
}

// receive returns the event that a request carries, in any of the forms in
// which a batch may come:
//
//   - a CloudEvent in binary mode: from the bridge, and from a push
//     subscription without a wrapper that writes metadata;
//   - a CloudEvent in structured mode;
//   - a wrapped Pub/Sub message, from any other push subscription
//     (https://cloud.google.com/pubsub/docs/push#receive_push).
//
// Anything else is a *batch.Malformed error.
func receive(header http.Header, body []byte) (cloudevents.Event, error) {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case strings.HasPrefix(media, "application/cloudevents-batch"):
		return cloudevents.Event{}, &batch.Malformed{Attribute: "envelope", Detail: "holds several events: send one a request"}
	case strings.HasPrefix(media, "application/cloudevents"):
		e, err := binding.ToEvent(context.Background(), cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
		if err != nil {
			return cloudevents.Event{}, &batch.Malformed{Attribute: "envelope", Detail: "is not a CloudEvent in structured mode: " + err.Error()}
		}
		return *e, nil
	case isBinary(header):
		return batch.FromHTTP(header, body)
	}
	return unwrap(body)
}

// isBinary reports whether the headers have any of the attributes that every
// CloudEvent has, so that an event which lacks some is refused for that.
func isBinary(header http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type"} {
		if header.Get(name) != "" {
			return true
		}
	}
	return false
}

// unwrap returns the event that a wrapped Pub/Sub message carries in its
// attributes and data.
func unwrap(body []byte) (cloudevents.Event, error) {
	var envelope struct {
		Message *struct {
			Attributes map[string]string `json:"attributes"`
			Data       []byte            `json:"data"`
		} `json:"message"`
	}
	err := json.Unmarshal(body, &envelope)
	switch {
	case err != nil:
		return cloudevents.Event{}, &batch.Malformed{Attribute: "envelope", Detail: "is neither a CloudEvent nor a Pub/Sub message: " + err.Error()}
	case envelope.Message == nil:
		return cloudevents.Event{}, &batch.Malformed{Attribute: "envelope", Detail: "is neither a CloudEvent nor a Pub/Sub message: it has no message"}
	case len(envelope.Message.Data) == 0:
		return cloudevents.Event{}, &batch.Malformed{Attribute: "data", Detail: "is empty in the Pub/Sub message"}
	}
	return batch.FromMessage(envelope.Message.Attributes, envelope.Message.Data)
}

// open returns the batch that an event carries, also one within Eventarc's.
// It lies in the memory.
func open(memory *batch.Memory, e cloudevents.Event) (*batch.Batch, cloudevents.Event, error) {
	if e.Type() == messagePublished {
		inner, err := unwrap(e.Data())
		if err != nil {
			return nil, e, err
		}
		e = inner
	}
	b, err := batch.FromEventIn(memory, e)
	return b, e, err
}
