package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/batch/batchtest"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/fault"
)

func batchEvent(t testing.TB) cloudevents.Event {
	t.Helper()
	e, err := sampleBatch("incidents", 3, 1).Event(noon, "00-1234567890abcdef1234567890abcdef-1234567890abcdef-01")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func headerOf(attributes map[string]string) http.Header {
	header := make(http.Header)
	for name, value := range attributes {
		header.Set(name, value)
	}
	return header
}

func wrapped(t testing.TB, message any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"subscription": "projects/p/subscriptions/s", "message": message})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every form in which a batch may come gives the same batch.
func TestReceive_Forms(t *testing.T) {
	e := batchEvent(t)
	message := wrapped(t, map[string]any{"messageId": "7", "message_id": "7", "attributes": batch.Attributes(e), "data": e.Data()})
	structured, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	published := cloudevents.NewEvent()
	published.SetType(messagePublished)
	published.SetID("7")
	published.SetSource("//pubsub.googleapis.com/projects/p/topics/t")
	if err := published.SetData(cloudevents.ApplicationJSON, json.RawMessage(message)); err != nil {
		t.Fatal(err)
	}
	publishedAttributes := batch.Attributes(published)
	delete(publishedAttributes, "ce-subject")
	delete(publishedAttributes, "ce-time")
	structuredPublished, err := json.Marshal(published)
	if err != nil {
		t.Fatal(err)
	}
	content := func(media string) http.Header { return http.Header{"Content-Type": {media}} }
	for name, test := range map[string]struct {
		header http.Header
		body   []byte
	}{
		"binary mode":                   {headerOf(batch.Attributes(e)), e.Data()},
		"structured mode":               {content("application/cloudevents+json; charset=utf-8"), structured},
		"wrapped push":                  {content("application/json"), message},
		"wrapped push, no content type": {nil, message},
		"Eventarc, binary mode":         {headerOf(publishedAttributes), message},
		"Eventarc, structured mode":     {content("application/cloudevents+json"), structuredPublished},
	} {
		got, err := receive(test.header, test.body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, _, err := open(&batch.Memory{}, got)
		if err != nil || len(b.Records) != 3 || b.ID() != e.ID() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadBody(t *testing.T) {
	read := func(body io.Reader, length int64) error {
		r := httptest.NewRequest(http.MethodPost, "/ingest", body)
		r.ContentLength = length
		_, err := readBody(r, nil)
		return err
	}
	endless := func() io.Reader { return io.LimitReader(zeros{}, 1<<40) }
	var tooLarge *batch.Malformed
	for name, test := range map[string]struct {
		err  error
		want any
	}{
		"as announced":            {read(strings.NewReader("four"), 4), nil},
		"unannounced":             {read(strings.NewReader("four"), -1), nil},
		"less than announced":     {read(strings.NewReader("four"), 5), errInterrupted},
		"stream reset":            {read(iotest.ErrReader(errors.New("stream error: stream ID 3; CANCEL")), 5), errInterrupted},
		"too large, as announced": {read(endless(), 1<<40), &tooLarge},
		"too large, unannounced":  {read(endless(), -1), &tooLarge},
		"as large as may be":      {read(endless(), maxBodyBytes), nil},
	} {
		ok := test.err == nil
		switch want := test.want.(type) {
		case error:
			ok = errors.Is(test.err, want) && classify(test.err) == fault.Outage
		case **batch.Malformed:
			ok = errors.As(test.err, want)
		}
		if !ok {
			t.Errorf("%s: got %v", name, test.err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// checkRefusal fails unless the error is one that says what is wrong.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if !isForeign(err) || refusedFor(err) == "" || statusOf(&failure{err: err}) != http.StatusUnprocessableEntity {
		t.Fatalf("%v is not a refusal", err)
	}
}

// FuzzEnvelope unwraps Pub/Sub messages: whatever comes, it is an event or a
// refusal.
func FuzzEnvelope(f *testing.F) {
	e := batchEvent(f)
	f.Add(wrapped(f, map[string]any{"messageId": "7", "attributes": batch.Attributes(e), "data": e.Data()}))
	f.Add(wrapped(f, map[string]any{"attributes": map[string]string{"ce-specversion": "1.0"}, "data": []byte("x")}))
	f.Add(wrapped(f, map[string]any{"attributes": map[string]string{"ce-specversion": "1.0", "ce-time": "noon", "ce-source": "%zz"}, "data": []byte("x")}))
	for _, seed := range []string{``, `null`, `[]`, `{}`, `{"message":null}`, `{"message":{"data":"!"}}`, `{"message":{"data":"eA==","attributes":{"a":1}}}`,
		`{"message":{"data":"eA=="},"message":{"data":"eQ=="}}`, `{"message":"text"}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := unwrap(body)
		if err == nil {
			_, _, err = open(&batch.Memory{}, e)
		}
		if err != nil {
			checkRefusal(t, err)
		}
	})
}

// FuzzCloudEvent takes the way of a request up to the decoded batch.
func FuzzCloudEvent(f *testing.F) {
	e := batchEvent(f)
	structured, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	a := batch.Attributes(e)
	f.Add(a["Content-Type"], "1.0", a["ce-id"], a["ce-source"], a["ce-type"], a["ce-subject"], a["ce-topicid"], a["ce-ranges"], a["ce-lane"], a["ce-recordcount"], e.Data())
	f.Add("application/cloudevents+json", "", "", "", "", "", "", "", "", "", structured)
	f.Add("application/cloudevents+json", "1.0", "", "", "", "", "", "", "", "", []byte(`{"specversion":"1.0","data_base64":"!"}`))
	f.Add("application/cloudevents-batch+json", "", "", "", "", "", "", "", "", "", []byte("["+string(structured)+"]"))
	f.Add("application/json", "", "", "", "", "", "", "", "", "", wrapped(f, map[string]any{"attributes": a, "data": e.Data()}))
	f.Add("application/json", "1.0", "7", "//pubsub.googleapis.com/t", messagePublished, "", "", "", "", "", wrapped(f, map[string]any{"attributes": a, "data": e.Data()}))
	f.Add(a["Content-Type"], "0.3", a["ce-id"], a["ce-source"], a["ce-type"], "", "", "", "", "", []byte("Obj\x01"))
	old := batchtest.V1(f, sampleBatch("incidents", 3, 1), noon)
	a = batch.Attributes(old)
	f.Add(a["Content-Type"], "1.0", a["ce-id"], a["ce-source"], a["ce-type"], a["ce-subject"], a["ce-topicid"], a["ce-firstoffset"], a["ce-lastoffset"], a["ce-recordcount"], old.Data())
	topics, decoders := map[string]*topic{}, map[string]*decoded{}
	for _, name := range event.Topics() {
		topics[name], decoders[name] = offline(name)
	}
	f.Fuzz(func(t *testing.T, media, version, id, source, kind, subject, topicID, ranges, lane, count string, body []byte) {
		header := make(http.Header)
		for name, value := range map[string]string{"Content-Type": media, "ce-specversion": version, "ce-id": id, "ce-source": source, "ce-type": kind,
			"ce-subject": subject, "ce-topicid": topicID, "ce-ranges": ranges, "ce-lane": lane, "ce-firstoffset": ranges, "ce-lastoffset": lane, "ce-recordcount": count} {
			if value != "" {
				header.Set(name, value)
			}
		}
		e, err := receive(header, bytes.Clone(body))
		var b *batch.Batch
		if err == nil {
			b, _, err = open(&batch.Memory{}, e)
		}
		if err != nil {
			checkRefusal(t, err)
			return
		}
		d, known := decoders[b.Topic]
		if !known {
			return
		}
		if err := d.decode(t.Context(), topics[b.Topic], b, noon); err != nil || len(d.good.Rows)+len(d.rejections) != len(b.Records) {
			t.Fatalf("%d rows and %d rejections of %d records", len(d.good.Rows), len(d.rejections), len(b.Records))
		}
	})
}
