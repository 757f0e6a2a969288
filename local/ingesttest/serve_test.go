package ingesttest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	_ "github.com/stationflow/stationflow" // registers the functions
	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/serve"
)

// The function as it is deployed: registered, configured by the environment,
// served by the framework, and reached over HTTP.
func TestServed(t *testing.T) {
	s, err := serve.Start(t.Context(), "127.0.0.1", "0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + s.Addr + "/ingest"
	b := batchOf(incidents(3)...)

	// Before anything is configured each call fails, and the process lives.
	t.Setenv("GOOGLE_CLOUD_PROJECT", "")
	if got := post(t, url, eventOf(t, b)); got != http.StatusInternalServerError {
		t.Fatalf("answer %d without a configuration, want 500", got)
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

	b.Partition++
	if got := postWrapped(t, url, eventOf(t, b)); got != http.StatusOK {
		t.Errorf("answer %d to a wrapped push, want 200", got)
	}
	if n := len(w.rows("incidents")); n != 6 {
		t.Errorf("%d rows after a wrapped push, want 6", n)
	}

	foreign := eventOf(t, b)
	foreign.SetType("com.example.other")
	if got := post(t, url, foreign); got != http.StatusUnprocessableEntity {
		t.Errorf("answer %d to a foreign event, want 422", got)
	}
	l.decide(func(*http.Request) outcome { return outcome{status: 403} })
	b.Partition++
	if got := post(t, url, eventOf(t, b)); got != http.StatusInternalServerError {
		t.Errorf("answer %d when the lake refuses, want 500", got)
	}
}

// post delivers as a push subscription without a wrapper does.
func post(t *testing.T, url string, e cloudevents.Event) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(e.Data()))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range batch.Attributes(e) {
		request.Header.Set(name, value)
	}
	return statusOfAnswer(t, request)
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
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(envelope))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return statusOfAnswer(t, request)
}

func statusOfAnswer(t *testing.T, request *http.Request) int {
	t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
