package ingesttest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	_ "github.com/stationflow/stationflow" // registers the functions
	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/serve"
)

// The function as it is deployed: registered, configured by the environment,
// served by the framework, and reached over HTTP.
func TestServed(t *testing.T) {
	log := &logged{}
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewJSONHandler(log, nil)))
	s, err := serve.Start(t.Context(), "127.0.0.1", "0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + s.Addr + "/ingest"
	b := batchOf(incidents(3)...)

	// Before anything is configured each call fails, and the process lives.
	t.Setenv("GOOGLE_CLOUD_PROJECT", "")
	if got := post(t, url, eventOf(t, b)); got != http.StatusServiceUnavailable {
		t.Fatalf("answer %d without a configuration, want 503", got)
	}

	l := startLake(t)
	w, address := startWarehouse(t)
	for name, value := range map[string]string{
		"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": bucket,
		"STORAGE_EMULATOR_HOST": l.url, "BIGQUERY_STORAGE_EMULATOR_HOST": address,
	} {
		t.Setenv(name, value)
	}
	if got := post(t, url, eventOf(t, b)); got != http.StatusOK {
		t.Fatalf("answer %d to a batch, want 200", got)
	}
	if n := len(w.rows("incidents")); n != 3 || len(l.objects(t, "raw/incidents/")) != 1 {
		t.Errorf("%d rows after an answer of 200, want 3", n)
	}

	move(b, b.Records[0].Partition+1)
	if got := postWrapped(t, url, eventOf(t, b)); got != http.StatusOK {
		t.Errorf("answer %d to a wrapped push, want 200", got)
	}
	if n := len(w.rows("incidents")); n != 6 {
		t.Errorf("%d rows after a wrapped push, want 6", n)
	}

	move(b, b.Records[0].Partition+1)
	structured, err := json.Marshal(eventOf(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if got, text := send(t, url, http.Header{"Content-Type": {"application/cloudevents+json"}}, structured); got != http.StatusOK {
		t.Errorf("answer %d to structured mode, want 200: %s", got, text)
	}
	if n := len(w.rows("incidents")); n != 9 {
		t.Errorf("%d rows after structured mode, want 9", n)
	}
	testRefusals(t, url, log)
	if n := len(w.rows("incidents")); n != 9 {
		t.Errorf("%d rows after what was refused, want 9", n)
	}
	l.decide(func(*http.Request) outcome { return outcome{status: 403} })
	move(b, b.Records[0].Partition+1)
	if got := post(t, url, eventOf(t, b)); got != http.StatusServiceUnavailable {
		t.Errorf("answer %d when the lake refuses, want 503", got)
	}
}

// logged keeps what is written to it until it is taken.
type logged struct {
	mu   sync.Mutex
	text []byte
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, line...)
	return len(line), nil
}

func (l *logged) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text
	l.text = nil
	return text
}

// testRefusals sends what is not a batch: each is refused with the reason, in the
// answer and in a line of the log that says which part is wrong.
func testRefusals(t *testing.T, url string, log *logged) {
	log.take()
	good := eventOf(t, batchOf(incidents(3)...))
	binary := func(change func(http.Header)) http.Header {
		header := make(http.Header)
		for name, value := range batch.Attributes(good) {
			header.Set(name, value)
		}
		change(header)
		return header
	}
	set := func(name, value string) http.Header {
		return binary(func(h http.Header) { h.Set(name, value) })
	}
	wrap := func(message string) []byte { return []byte(`{"subscription":"s","message":` + message + `}`) }
	attributes, err := json.Marshal(batch.Attributes(good))
	if err != nil {
		t.Fatal(err)
	}
	plain := http.Header{"Content-Type": {"application/json"}}
	structured := http.Header{"Content-Type": {"application/cloudevents+json"}}
	for name, test := range map[string]struct {
		header http.Header
		body   []byte
		part   string // that the log names
		reason string // that the answer gives
	}{
		"wrong type":             {set("ce-type", "com.example.other"), good.Data(), "type", `"com.example.other"`},
		"no type":                {binary(func(h http.Header) { h.Del("ce-type") }), good.Data(), "type", "type"},
		"no version":             {binary(func(h http.Header) { h.Del("ce-specversion") }), good.Data(), "specversion", "specversion"},
		"other version":          {set("ce-specversion", "2.0"), good.Data(), "specversion", "2.0"},
		"no source":              {binary(func(h http.Header) { h.Del("ce-source") }), good.Data(), "source", "source"},
		"no topic id":            {binary(func(h http.Header) { h.Del("ce-topicid") }), good.Data(), "topicid", "topicid"},
		"a time that is none":    {set("ce-time", "noon"), good.Data(), "attributes", "noon"},
		"wrong id":               {set("ce-id", "7"), good.Data(), "id", "id"},
		"wrong count":            {set("ce-recordcount", "4"), good.Data(), "recordcount", "recordcount"},
		"unknown topic":          {binary(func(h http.Header) { h.Set("ce-source", "//kafka/c/cats"); h.Set("ce-subject", "cats") }), good.Data(), "topic", "cats"},
		"other content":          {set("Content-Type", "text/plain"), good.Data(), "datacontenttype", "text/plain"},
		"no data":                {binary(func(http.Header) {}), nil, "data", "data"},
		"garbage":                {binary(func(http.Header) {}), []byte("garbage"), "data", "data"},
		"half of it":             {binary(func(http.Header) {}), good.Data()[:len(good.Data())/2], "data", "data"},
		"too large":              {binary(func(http.Header) {}), make([]byte, 16<<20), "data", "larger than any batch"},
		"batched mode":           {http.Header{"Content-Type": {"application/cloudevents-batch+json"}}, []byte("[]"), "envelope", "one a request"},
		"structured, garbage":    {structured, []byte("{"), "envelope", "structured mode"},
		"structured, JSON data":  {structured, []byte(`{"specversion":"1.0","id":"1","type":"io.stationflow.records.v1","source":"//kafka/c/incidents/3","data":{"a":1}}`), "datacontenttype", "datacontenttype"},
		"nothing":                {nil, nil, "envelope", "neither a CloudEvent nor a Pub/Sub message"},
		"form":                   {http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte("a=b"), "envelope", "neither"},
		"foreign message":        {http.Header{"A": {"b"}}, bytes.Repeat([]byte("x"), 1<<20), "envelope", "neither"},
		"wrapped, no message":    {plain, []byte(`{"subscription":"s"}`), "envelope", "no message"},
		"wrapped, no data":       {plain, wrap(`{"messageId":"1","attributes":` + string(attributes) + `}`), "data", "empty"},
		"wrapped, not base64":    {plain, wrap(`{"messageId":"1","data":"!","attributes":` + string(attributes) + `}`), "envelope", "base64"},
		"wrapped, no CloudEvent": {plain, wrap(`{"messageId":"1","data":"eA==","attributes":{"a":"b"}}`), "specversion", "specversion"},
		"wrapped, no attributes": {plain, wrap(`{"messageId":"1","data":"eA=="}`), "specversion", "specversion"},
	} {
		code, text := send(t, url, test.header, test.body)
		if code != http.StatusUnprocessableEntity || !strings.Contains(text, test.reason) || len(text) > 5000 {
			t.Errorf("%s: answer %d %.300q, want 422 and %q", name, code, text, test.reason)
		}
		var line struct {
			Msg, Cause, Class, Error string
			RefusedFor               string `json:"refused_for"`
		}
		if err := json.Unmarshal(log.take(), &line); err != nil {
			t.Errorf("%s: the log has not one line: %v", name, err)
		}
		if line.Msg != "batch failed" || line.Cause != "no_batch" || line.Class != "permanent" || line.RefusedFor != test.part || !strings.Contains(line.Error, test.reason) {
			t.Errorf("%s: the log says %+v, want refused_for %q", name, line, test.part)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := answerTo(t, request); got != http.StatusMethodNotAllowed {
			t.Errorf("answer %d to %s, want 405", got, method)
		}
	}
}

// post delivers as a push subscription without a wrapper does.
func post(t *testing.T, url string, e cloudevents.Event) int {
	t.Helper()
	header := make(http.Header)
	for name, value := range batch.Attributes(e) {
		header.Set(name, value)
	}
	code, _ := send(t, url, header, e.Data())
	return code
}

// postWrapped delivers as a push subscription does by default.
func postWrapped(t *testing.T, url string, e cloudevents.Event) int {
	t.Helper()
	envelope, err := json.Marshal(map[string]any{
		"subscription": "projects/p/subscriptions/s",
		"message":      map[string]any{"messageId": "1", "publishTime": "2026-11-22T12:00:00Z", "attributes": batch.Attributes(e), "data": e.Data()},
	})
	if err != nil {
		t.Fatal(err)
	}
	code, _ := send(t, url, http.Header{"Content-Type": {"application/json"}}, envelope)
	return code
}

func send(t *testing.T, url string, header http.Header, body []byte) (code int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	return answerTo(t, request)
}

func answerTo(t *testing.T, request *http.Request) (code int, text string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}
