package ingesttest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
)

// A watched body knows whether anybody read of it.
type watched struct {
	io.Reader
	read bool
}

func (w *watched) Read(to []byte) (int, error) {
	w.read = true
	return w.Reader.Read(to)
}

// A request beyond the bound waits without its batch in memory, and is served
// when one before it is done, or told to come again.
func TestServeHTTP_LeavesBodiesUnreadBeyondItsConcurrency(t *testing.T) {
	l := newLab(t, func(c *ingest.Config) { c.Concurrency = 1 })
	entered, release := make(chan struct{}), make(chan struct{})
	l.lake.decide(func(r *http.Request) outcome {
		if isUpload(r) {
			l.lake.decide(nil)
			close(entered)
			return outcome{hang: release}
		}
		return outcome{}
	})
	request := func(ctx context.Context) (*http.Request, *watched) {
		e := eventOf(t, batchOf(incident("inc-1", noon)))
		body := &watched{Reader: bytes.NewReader(e.Data())}
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/ingest", body)
		r.ContentLength = int64(len(e.Data()))
		for name, value := range batch.Attributes(e) {
			r.Header.Set(name, value)
		}
		return r, body
	}
	first := make(chan int, 1)
	go func() {
		r, _ := request(context.Background())
		answer := httptest.NewRecorder()
		l.function.ServeHTTP(answer, r)
		first <- answer.Code
	}()
	<-entered

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // a function that has a place besides takes it by chance
		r, body := request(gone)
		answer := httptest.NewRecorder()
		l.function.ServeHTTP(answer, r)
		if body.read {
			t.Fatal("the body of a second request was read while the only place was taken")
		}
		if answer.Code != http.StatusServiceUnavailable { // none is 200, and the batch would count as stored
			t.Fatalf("a request whose time ends before its turn is answered %d", answer.Code)
		}
	}

	close(release)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first request is answered %d", code)
	}
	r, _ := request(t.Context())
	answer := httptest.NewRecorder()
	if l.function.ServeHTTP(answer, r); answer.Code != http.StatusOK {
		t.Errorf("a request after it is answered %d: %s", answer.Code, answer.Body)
	}
}

// What is logged of a batch is its own, though its memory is another's by
// then.
func TestIngest_LogsItsOwnOffsets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var meanwhile func()
	steps := 0
	l := newLab(t, withoutWarehouse, func(c *ingest.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		c.Now = func() time.Time {
			if steps--; steps == 0 {
				meanwhile()
			}
			return noon
		}
	})
	first, other := batchOf(incidents(3)...), batchOf(incidents(3)...)
	for i := range other.Records {
		other.Records[i].Partition++
		other.Records[i].Offset += 5000
	}
	meanwhile = func() { l.mustDeliver(t, other) }
	for i := range 40 { // at each step of the first batch, more than once, for pools may forget
		steps = 1 + i%8
		l.mustDeliver(t, first)
	}
	decoder := json.NewDecoder(&log)
	for decoder.More() {
		var line struct {
			Ranges string `json:"ranges"`
		}
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Ranges != first.Ranges().String() && line.Ranges != other.Ranges().String() {
			t.Fatalf("the log says %+v, want %s or %s", line, first.Ranges(), other.Ranges())
		}
	}
}
