package telemetry_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/local/telemetry"
)

func TestWatcher(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	w := telemetry.Watch(slog.NewJSONHandler(io.Discard, nil), func() time.Time { return now }, nil)
	log := slog.New(w).With("function", "ingest")
	batch := func(records, quarantined int, latency int64) {
		log.Info("batch ingested", "records", records, "valid", records-quarantined, "quarantined", quarantined, "tombstones", quarantined/2,
			"oldest_kafka_ms", now.UnixMilli()-latency, "durable_ms", now.UnixMilli())
	}

	batch(98, 2, 200)
	batch(1, 0, 500)
	batch(1, 1, 3000)
	got := w.Figures()
	want := telemetry.Figures{Batches: 3, Records: 100, Valid: 97, Quarantined: 3, Tombstones: 1, Recent: 100,
		P50: 200 * time.Millisecond, P99: 500 * time.Millisecond, Max: 3 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after three batches (-want +got):\n%s", diff)
	}

	// A retry brings no records, and of three in quarantine it ends two.
	log.Info("batch retried", "records", 3, "valid", 2, "quarantined", 1)
	if got := w.Figures(); got.Records != 100 || got.Surplus != 5 {
		t.Errorf("after a retry: got %+v", got)
	}

	// What left the window no longer counts for freshness, but stays counted.
	now = now.Add(telemetry.Window + time.Second)
	batch(10, 0, 100)
	if got := w.Figures(); got.Max != 100*time.Millisecond || got.Records != 110 {
		t.Errorf("after the window: got %+v", got)
	}
}

// Fields without a column are counted by topic, from when they were first seen.
func TestWatcher_NewFields(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	w := telemetry.Watch(slog.DiscardHandler, func() time.Time { return now }, nil)
	batch := func(topic string, fields map[string]int) {
		slog.New(w).Info("batch ingested", "topic", topic, "new_fields", fields)
	}
	batch("incidents", map[string]int{"note": 2})
	now = now.Add(time.Minute)
	batch("train_arrivals", map[string]int{"platform_side": 3, "note": 1})
	batch("incidents", nil)
	batch("incidents", map[string]int{"note": 5})
	want := []telemetry.NewField{{Topic: "incidents", Name: "note", Since: time.Unix(1_000, 0), Records: 7},
		{Topic: "train_arrivals", Name: "note", Since: now, Records: 1}, {Topic: "train_arrivals", Name: "platform_side", Since: now, Records: 3}}
	if diff := cmp.Diff(want, w.Figures().NewFields); diff != "" {
		t.Error(diff)
	}
}

// A batch is failing until it succeeds or has not been heard of for long,
// whatever becomes of others meanwhile.
func TestWatcher_FailingBatches(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	w := telemetry.Watch(slog.DiscardHandler, func() time.Time { return now }, nil)
	log := slog.New(w)
	batch := func(message string, first int, more ...any) {
		log.Info(message, append(more, "topic", "incidents", "lane", "both", "ranges", fmt.Sprintf("3:%d-%d", first, first), "records", 1)...)
	}
	expect := func(when string, failures, failing int64, cause string) {
		t.Helper()
		got := w.Figures()
		if got.Failures != failures || got.Failing != failing || got.Cause != cause {
			t.Errorf("%s: %d failures, %d batches failing of %q, want %d, %d of %q", when, got.Failures, got.Failing, got.Cause, failures, failing, cause)
		}
	}

	batch("batch failed", 10, "error", "the warehouse is away")
	now = now.Add(time.Second)
	log.Error("batch failed", "batch", "x", "error", "no batch")
	expect("two failed", 2, 2, "no batch")
	batch("batch ingested", 20)
	expect("another succeeded", 2, 2, "no batch")
	now = now.Add(time.Second)
	batch("batch failed", 10, "error", "still away")
	expect("one failed again", 3, 2, "still away")
	batch("batch ingested", 10)
	expect("it succeeded", 3, 1, "no batch")
	now = now.Add(89 * time.Second)
	expect("the other may still come", 3, 1, "no batch")
	now = now.Add(time.Second)
	expect("the other was given up", 3, 0, "")
}

// What a replay or a second delivery brings again says nothing about freshness;
// what comes late for the first time does.
func TestWatcher_Again(t *testing.T) {
	t.Parallel()
	now := time.Unix(10_000, 0)
	w := telemetry.Watch(slog.DiscardHandler, func() time.Time { return now }, nil)
	log := slog.New(w)
	for _, step := range []struct {
		name, ranges string
		age          int64 // milliseconds
		recent       int64
		max          time.Duration
	}{
		{"the first", "0:100-199,1:50-59", 400, 10, 400 * time.Millisecond},
		{"the next", "0:300-399", 500, 20, 500 * time.Millisecond},
		{"a replay", "0:100-199", 1_200_000, 20, 500 * time.Millisecond},
		{"a replay of what came before the start", "0:10-90,1:3-3", 1_300_000, 20, 500 * time.Millisecond},
		{"a replay of both", "0:90-199", 1_300_000, 20, 500 * time.Millisecond},
		{"another order", "0:300-399,1:50-51", 1_300_000, 20, 500 * time.Millisecond},
		{"late, for the first time", "0:200-299", 60_000, 30, time.Minute},
		{"late, and partly again", "0:350-450", 70_000, 40, 70 * time.Second},
		{"another partition", "2:5-9", 80_000, 50, 80 * time.Second},
	} {
		log.Info("batch ingested", "topic", "incidents", "ranges", step.ranges, "records", 10, "oldest_kafka_ms", now.UnixMilli()-step.age, "durable_ms", now.UnixMilli())
		if got := w.Figures(); got.Recent != step.recent || got.Max != step.max {
			t.Errorf("%s: %d records, the slowest took %v; want %d and %v", step.name, got.Recent, got.Max, step.recent, step.max)
		}
	}
}

// A delivery that was no batch is counted, and nothing is failing because of it.
func TestWatcher_NoBatch(t *testing.T) {
	t.Parallel()
	w := telemetry.Watch(slog.DiscardHandler, time.Now, nil)
	slog.New(w).Error("batch failed", "error", "the type is foreign", "cause", "no_batch")
	if got := w.Figures(); got.NoBatch != 1 || got.Failing != 0 || got.Failures != 0 {
		t.Errorf("after a foreign event: got %+v", got)
	}
}

// The lines of a run make up what is shown of it, whether its models are
// logged for everybody or not.
func TestWatcher_Transform(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	var told []telemetry.Transform
	var shown strings.Builder
	next := slog.NewTextHandler(&shown, nil) // takes no debugging
	w := telemetry.Watch(next, func() time.Time { return now }, func(f telemetry.Transform) { told = append(told, f) })
	log := slog.New(w)

	log.Debug("model finished", "run_id", "1", "model", "stg_incidents", "status", "unchanged", "took_ms", 0, "error", "")
	log.Debug("model finished", "run_id", "1", "model", "incidents_hourly", "status", "failed", "took_ms", 120, "error", "division by zero")
	log.Warn("test warned", "run_id", "1", "test", "rates", "failures", 3, "error", "")
	log.Debug("model finished", "run_id", "2", "model", "of another run", "status", "created")
	log.Error("transform finished", "run_id", "1", "status", "failed", "took_ms", 1234, "models", 2, "changed", 1, "tests", 7)
	want := telemetry.Transform{At: now, Status: "failed", Took: 1234 * time.Millisecond, Changed: 1, Tests: 7,
		Models: []telemetry.Model{
			{Name: "stg_incidents", Status: "unchanged"},
			{Name: "incidents_hourly", Status: "failed", Took: 120 * time.Millisecond, Error: "division by zero"},
		},
		Found: []telemetry.Finding{{Test: "rates", Status: "warned", Rows: 3}},
	}
	got := w.Figures()
	if diff := cmp.Diff(want, got.Transform); diff != "" || got.FailedTransforms != 1 {
		t.Errorf("after a failed run, %d counted (-want +got):\n%s", got.FailedTransforms, diff)
	}
	if diff := cmp.Diff([]telemetry.Transform{want}, told); diff != "" {
		t.Errorf("told of (-want +got):\n%s", diff)
	}
	if strings.Contains(shown.String(), "model finished") {
		t.Errorf("debugging was passed on to a handler that takes none:\n%s", shown.String())
	}

	log.Info("transform finished", "run_id", "3", "status", "success", "took_ms", 5)
	if got := w.Figures(); len(got.Transform.Models) != 0 || got.Transform.Status != "success" || got.FailedTransforms != 1 {
		t.Errorf("after a run without a word on its models: %+v", got.Transform)
	}
}
