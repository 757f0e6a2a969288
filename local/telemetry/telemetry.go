// Package telemetry watches the structured log lines that the functions
// write, as log-based metrics do in the cloud, and keeps the figures that the
// local system shows: records ingested and quarantined, freshness, the last
// transform.
package telemetry

import (
	"context"
	"log/slog"
	"sort"
	"sync"
	"time"
)

// Window is how far back freshness looks.
const Window = time.Minute

// A Watcher is a slog.Handler that notes the lines it knows and passes every
// line on. It is safe for concurrent use.
type Watcher struct {
	next slog.Handler
	*state
}

type state struct {
	now func() time.Time

	mu        sync.Mutex
	batches   int64
	records   int64
	valid     int64
	refused   int64
	noBatch   int64
	fresh     []sample // within Window, oldest first
	failed    string   // what the last batch failed for; "" once one succeeded
	transform Transform
	finished  func(Transform)
}

// A sample is one batch: how long its oldest record took from Kafka to
// durable, and how many records share that bound.
type sample struct {
	at      time.Time
	latency time.Duration
	records int64
}

// A Transform is a finished run of the transform function.
type Transform struct {
	At     time.Time
	Status string
	Took   time.Duration
}

// Figures are what has been seen since the start.
type Figures struct {
	Batches, Records, Valid, Quarantined int64

	// Freshness over the last Window: the time from Kafka's timestamp of a
	// batch's oldest record until the batch was durable in lake and
	// warehouse, counted once for each record of the batch: an upper bound
	// for every record. Recent is how many records that were; 0 leaves the
	// rest without meaning.
	Recent        int64
	P50, P99, Max time.Duration

	// NoBatch counts deliveries that were no batch of a known topic.
	NoBatch int64

	// Failing is why the last batch failed; "" when it succeeded.
	Failing string

	Transform Transform // the last one; zero when there was none
}

// Watch returns a Watcher in front of next. finished, if not nil, is called
// after each transform.
func Watch(next slog.Handler, now func() time.Time, finished func(Transform)) *Watcher {
	return &Watcher{next: next, state: &state{now: now, finished: finished}}
}

// Enabled tells whether next takes the level, or the watcher needs it.
func (w *Watcher) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle notes the line and passes it on.
func (w *Watcher) Handle(ctx context.Context, line slog.Record) error {
	switch line.Message {
	case "batch ingested":
		w.batch(attributes(line))
	case "batch failed":
		w.batchFailed(attributes(line))
	case "transform finished":
		w.transformed(attributes(line))
	}
	if !w.next.Enabled(ctx, line.Level) {
		return nil
	}
	return w.next.Handle(ctx, line)
}

// WithAttrs returns a Watcher whose lines carry the attributes.
func (w *Watcher) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Watcher{next: w.next.WithAttrs(attrs), state: w.state}
}

// WithGroup returns a Watcher whose lines are in the group.
func (w *Watcher) WithGroup(name string) slog.Handler {
	return &Watcher{next: w.next.WithGroup(name), state: w.state}
}

func attributes(line slog.Record) map[string]slog.Value {
	values := make(map[string]slog.Value, line.NumAttrs())
	line.Attrs(func(a slog.Attr) bool {
		values[a.Key] = a.Value.Resolve()
		return true
	})
	return values
}

func (s *state) batch(line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	s.failed = ""
	s.records += number(line["records"])
	s.valid += number(line["valid"])
	s.refused += number(line["quarantined"])
	if oldest := number(line["oldest_kafka_ms"]); oldest > 0 {
		latency := time.Duration(number(line["durable_ms"])-oldest) * time.Millisecond
		s.fresh = append(s.recent(), sample{s.now(), latency, number(line["records"])})
	}
}

func (s *state) batchFailed(line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = line["error"].String()
	if line["cause"].String() == "no_batch" {
		s.noBatch++
	}
}

func (s *state) transformed(line map[string]slog.Value) {
	s.mu.Lock()
	s.transform = Transform{At: s.now(), Status: line["status"].String(), Took: time.Duration(number(line["took_ms"])) * time.Millisecond}
	transform := s.transform
	s.mu.Unlock()
	if s.finished != nil {
		s.finished(transform)
	}
}

func number(v slog.Value) int64 {
	switch v.Kind() {
	case slog.KindInt64:
		return v.Int64()
	case slog.KindUint64:
		return int64(v.Uint64())
	case slog.KindFloat64:
		return int64(v.Float64())
	}
	return 0
}

// recent drops the samples that left the window. The lock is held.
func (s *state) recent() []sample {
	from := s.now().Add(-Window)
	first := sort.Search(len(s.fresh), func(i int) bool { return s.fresh[i].at.After(from) })
	if first > len(s.fresh)/2 { // let go of the memory behind
		s.fresh = append([]sample(nil), s.fresh[first:]...)
	} else {
		s.fresh = s.fresh[first:]
	}
	return s.fresh
}

// Figures returns what has been seen so far.
func (s *state) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := Figures{Batches: s.batches, Records: s.records, Valid: s.valid, Quarantined: s.refused, NoBatch: s.noBatch, Failing: s.failed, Transform: s.transform}
	s.fresh = s.recent()
	sorted := append([]sample(nil), s.fresh...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].latency < sorted[j].latency })
	for _, one := range sorted {
		f.Recent += one.records
	}
	f.P50, f.P99 = quantile(sorted, 0.50), quantile(sorted, 0.99)
	if len(sorted) > 0 {
		f.Max = sorted[len(sorted)-1].latency
	}
	return f
}

// quantile returns the latency that the share q of all records does not
// exceed.
func quantile(sorted []sample, q float64) time.Duration {
	var total, seen int64
	for _, s := range sorted {
		total += s.records
	}
	for _, s := range sorted {
		if seen += s.records; float64(seen) >= q*float64(total) {
			return s.latency
		}
	}
	return 0
}
