package telemetry_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/telemetry"
)

func TestWatcher(t *testing.T) {
	now := time.Unix(1_000, 0)
	var finished []telemetry.Transform
	w := telemetry.Watch(slog.NewJSONHandler(io.Discard, nil), func() time.Time { return now }, func(f telemetry.Transform) { finished = append(finished, f) })
	log := slog.New(w).With("function", "ingest")
	batch := func(records, quarantined int, latency int64) {
		log.Info("batch ingested", "records", records, "valid", records-quarantined, "quarantined", quarantined,
			"oldest_kafka_ms", now.UnixMilli()-latency, "durable_ms", now.UnixMilli())
	}

	batch(98, 1, 200)
	batch(1, 0, 500)
	batch(1, 1, 3000)
	got := w.Figures()
	want := telemetry.Figures{Batches: 3, Records: 100, Valid: 98, Quarantined: 2, Recent: 100,
		P50: 200 * time.Millisecond, P99: 500 * time.Millisecond, Max: 3 * time.Second}
	if got != want {
		t.Errorf("after three batches: got %+v, want %+v", got, want)
	}

	// What left the window no longer counts for freshness, but stays counted.
	now = now.Add(telemetry.Window + time.Second)
	batch(10, 0, 100)
	if got := w.Figures(); got.Max != 100*time.Millisecond || got.Records != 110 {
		t.Errorf("after the window: got %+v", got)
	}

	// A failure shows until a batch succeeds.
	log.Warn("batch failed", "error", "the warehouse is away")
	if got := w.Figures().Failing; got != "the warehouse is away" {
		t.Errorf("after a failure: failing %q", got)
	}
	log.Error("batch failed", "error", "the type is foreign", "cause", "no_batch")
	if got := w.Figures(); got.NoBatch != 1 {
		t.Errorf("after a foreign event: got %+v", got)
	}
	batch(1, 0, 100)
	if got := w.Figures().Failing; got != "" {
		t.Errorf("after a success: failing %q", got)
	}

	log.Info("transform finished", "status", "success", "took_ms", 1234)
	if got := w.Figures().Transform; got.Status != "success" || got.Took != 1234*time.Millisecond || len(finished) != 1 || finished[0] != got {
		t.Errorf("after a transform: got %+v and told %v", got, finished)
	}
}
