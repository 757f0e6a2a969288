package meter

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/internal/cost"
)

func TestHandler_ReadsCallsFromTheLog(t *testing.T) {
	m := New(func() time.Time { return noon })
	var passed bytes.Buffer
	log := slog.New(m.Handler(slog.NewTextHandler(&passed, nil))).With("function", "ingest")
	log.Info("batch ingested", "took_ms", int64(120))
	log.Warn("batch failed", "took_ms", int64(30))
	log.Info("transform finished", "took_ms", int64(4000))
	log.Info("something else", "took_ms", int64(7))
	log.Debug("a detail")
	r := m.Read()
	if r.IngestCalls != 2 || r.TransformCalls != 1 {
		t.Errorf("%d calls of ingest and %d of the transform, want 2 and 1", r.IngestCalls, r.TransformCalls)
	}
	if r.IngestBusy != 200*time.Millisecond || r.TransformBusy != 4*time.Second {
		t.Errorf("ingest was busy for %v, the transform for %v", r.IngestBusy, r.TransformBusy)
	}
	if lines := r.LogBytes - 2*requestLogBytes; lines < 3*80 || lines > 3*250 { // of the batch that was taken next to nothing is kept
		t.Errorf("3 lines and some of one are %d bytes", lines)
	}
	if got := strings.Count(passed.String(), "\n"); got != 4 {
		t.Errorf("%d lines were passed on, want 4", got)
	}
	for range 100 {
		log.Info("batch ingested", "took_ms", int64(120))
	}
	if line := m.Read().LogBytes - r.LogBytes; line < 80 || line > 250 {
		t.Errorf("of 100 lines %d bytes are kept, want about one line", line)
	}
}

// Objects are counted as the client writes them: at once, in parts, and not
// when a precondition refused them.
func TestObjects_CountsWhatIsWritten(t *testing.T) {
	m := New(time.Now)
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Scheme: "http", Writer: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	fake.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "lake"})
	var server *httptest.Server
	handler := m.Objects(fake.HTTPHandler())
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = strings.TrimPrefix(server.URL, "http://")
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	ctx := context.Background()
	client, err := storage.NewClient(ctx, option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	write := func(name string, size int) error {
		w := client.Bucket("lake").Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
		w.ChunkSize = 256 << 10
		if _, err := w.Write(make([]byte, size)); err != nil {
			return err
		}
		return w.Close()
	}
	for name, size := range map[string]int{"small": 1000, "large": 600 << 10, "alerts/dt=2026-11-29/a": 10} {
		if err := write(name, size); err != nil {
			t.Fatalf("writing %s: %v", name, err)
		}
	}
	if err := write("small", 1000); err == nil {
		t.Error("an object was written twice")
	}
	if _, err := client.Bucket("lake").Object("small").Attrs(ctx); err != nil {
		t.Fatal(err)
	}
	if r := m.Read(); r.Objects != 2 || r.AlertWrites != 1 {
		t.Errorf("%d objects and %d marks were counted, want 2 and 1", r.Objects, r.AlertWrites)
	}
}

// Every count is in the difference of two readings: one that is forgotten
// there would be free of charge.
func TestReading_Since(t *testing.T) {
	var earlier, later Reading
	for i := range reflect.TypeFor[Reading]().NumField() {
		if field := reflect.ValueOf(&later).Elem().Field(i); field.CanInt() {
			field.SetInt(int64(10 + i))
			reflect.ValueOf(&earlier).Elem().Field(i).SetInt(3)
		}
	}
	got := reflect.ValueOf(later.Since(earlier))
	for i := range got.NumField() {
		if field := got.Field(i); field.CanInt() && field.Int() != int64(7+i) {
			t.Errorf("%s is %d, want %d", got.Type().Field(i).Name, field.Int(), 7+i)
		}
	}
}

// A second of a system that does what the model says is the model's month.
func TestMonth_OfTheModelIsTheModel(t *testing.T) {
	prices, w := cost.ListPrices(), cost.DefaultWorkload(20)
	r := Reading{Records: 20, KafkaBytes: 20 * 300, Objects: 20, BilledBytes: 1 << 30, AppendedBytes: 20 * 250}
	items, err := r.Month(time.Second, w, prices)
	if err != nil {
		t.Fatal(err)
	}
	modelled, err := prices.Model(w)
	if err != nil {
		t.Fatal(err)
	}
	metered, model := prices.Bill(items, false), prices.Bill(modelled, false)
	for _, component := range []string{cost.Kafka, cost.Bridge, cost.RowsIn} {
		if got, want := metered.Components[component], model.Components[component]; math.Abs(got-want) > 0.001*want {
			t.Errorf("%s: the meter says %v, the model %v", component, got, want)
		}
	}
	if got, want := metered.Components[cost.TransformSQL], 1.0/1024*cost.Month*6.25; math.Abs(got-want) > 1e-6*want {
		t.Errorf("a GiB a second costs %v, want %v", got, want)
	}
}
