package batch

import (
	"context"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// FromHTTP is the reverse of Attributes: it returns the event whose binary
// mode has these headers and this data, which the event shares. What is not
// a CloudEvent is a *Malformed error. The event need not be a batch: see
// FromEvent.
func FromHTTP(header http.Header, data []byte) (cloudevents.Event, error) {
	if version := header.Get("Ce-Specversion"); version != cloudevents.VersionV1 {
		return cloudevents.Event{}, malformed("specversion", "is %q, not %s", version, cloudevents.VersionV1)
	}
	if _, nameless := header["Ce-"]; nameless { // the library panics on it
		return cloudevents.Event{}, malformed("attributes", "include one without a name")
	}
	message := cehttp.NewMessage(header, http.NoBody)
	if message.ReadEncoding() != binding.EncodingBinary {
		return cloudevents.Event{}, malformed("datacontenttype", "is %q, which is not that of binary mode", header.Get("Content-Type"))
	}
	e, err := binding.ToEvent(context.Background(), message)
	if err != nil {
		return cloudevents.Event{}, malformed("attributes", "cannot be read: %v", err)
	}
	e.DataEncoded = data
	return *e, nil
}

// FromMessage is FromHTTP for the attributes and data of a Pub/Sub message.
func FromMessage(attributes map[string]string, data []byte) (cloudevents.Event, error) {
	header := make(http.Header, len(attributes))
	for name, value := range attributes {
		header.Set(name, value)
	}
	return FromHTTP(header, data)
}

// HeaderClass is the header of ingest's answer to a batch that it did not take:
// the class of what went wrong. An answer without it comes from elsewhere.
const HeaderClass = "Stationflow-Class"

// The classes that excuse the batch: the same delivery succeeds once something
// is there again, or once a person has mended it.
const (
	ClassTransient     = "transient"
	ClassMisconfigured = "misconfigured"
)
