// Package telemetry watches the structured log lines that the functions
// write, as log-based metrics do in the cloud, and keeps the figures that the
// local system shows: records ingested and quarantined, freshness, batches
// that fail, the last transform with its models. A Meter makes rates of counts.
package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Window is how far back freshness looks.
const Window = time.Minute

// failureLasts is how long a batch that failed counts as failing unless it
// succeeds or fails again: longer than the longest pause between deliveries.
const failureLasts = 90 * time.Second

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
	tombs     int64
	surplus   int64
	noBatch   int64
	fields    []NewField // of events, that have no column, in the order in which they came
	fresh     []sample   // within Window, oldest first
	arrived   arrived
	failures  int64
	failing   map[batchKey]failure // batches that have not succeeded since
	transform Transform
	failed    int64                 // transforms
	running   map[string]*Transform // by run id, of runs whose end has not been seen
	finished  func(Transform)
	canaries  map[string]Canary // the last ones, by hop
}

// A Canary is one that has arrived at a hop.
type Canary struct {
	At  time.Time
	Age time.Duration // that it had then, since it was sent
}

// A batchKey tells batches apart; a batch that could not be read has its
// CloudEvent's id alone.
type batchKey struct{ topic, lane, ranges, id string }

type failure struct {
	at    time.Time
	cause string
}

// A sample is one batch: how long its oldest record took from Kafka to
// durable, and how many records share that bound.
type sample struct {
	at      time.Time
	latency time.Duration
	records int64
}

// A NewField is a field of a topic's events that has no column: it is kept in
// extra.
type NewField struct {
	Topic, Name string
	Since       time.Time // when its first record was ingested
	Records     int64
}

// maxNewFields bounds how many are told apart.
const maxNewFields = 100

// A Transform is a finished run of the transform function.
type Transform struct {
	At      time.Time
	Status  string // success or failed
	Took    time.Duration
	Changed int64 // models that were built again; 0: there was nothing new
	Models  []Model
	Tests   int64 // that were run
	Found   []Finding
}

// A Model is what became of one model in a run.
type Model struct {
	Name, Status string // created, replaced, unchanged, failed or skipped
	Took         time.Duration
	Error        string
}

// A Finding is a test that found something, or could not run.
type Finding struct {
	Test, Status string // failed or warned
	Rows         int64  // that must not be
	Error        string
}

// Figures are what has been seen since the start.
type Figures struct {
	Batches, Records, Valid, Quarantined int64
	Tombstones                           int64 // of the quarantined

	// Surplus is how many rows retries have added to the quarantine, and of how
	// many records they have ended it: rows there that stand for no record.
	Surplus int64

	// Freshness over the last Window: the time from Kafka's timestamp of a
	// batch's oldest record until the batch was durable in lake and
	// warehouse, counted once for each record of the batch: an upper bound
	// for every record. A batch of which all has arrived before, as in a
	// replay, is left out. Recent is how many records that were; 0 leaves the
	// rest without meaning.
	Recent        int64
	P50, P99, Max time.Duration

	// NoBatch counts deliveries that were no batch of a known topic, and were
	// refused.
	NoBatch int64

	// NewFields are those of events that have no column.
	NewFields []NewField

	// Failures counts attempts to ingest a batch. Failing is how many batches
	// failed and have not succeeded since, Cause why the last of them did.
	Failures, Failing int64
	Cause             string

	Transform        Transform // the last one; zero when there was none
	FailedTransforms int64

	Canaries map[string]Canary // the last that arrived, by hop: staging, lake, marts
}

// Watch returns a Watcher in front of next. finished, if not nil, is called
// after each transform.
func Watch(next slog.Handler, now func() time.Time, finished func(Transform)) *Watcher {
	return &Watcher{next: next, state: &state{now: now, finished: finished, failing: map[batchKey]failure{}, arrived: arrived{}, running: map[string]*Transform{}}}
}

// Enabled is true: the lines about single models are for debugging, and the
// watcher needs them.
func (w *Watcher) Enabled(context.Context, slog.Level) bool { return true }

// Handle notes the line and passes it on.
func (w *Watcher) Handle(ctx context.Context, line slog.Record) error {
	switch line.Message {
	case "batch ingested":
		w.batch(attributes(line))
	case "canary arrived":
		w.canaryArrived(attributes(line))
	case "batch archived", "batch passed over": // its records are counted in the other lane
		w.batchDone(attributes(line))
	case "batch retried":
		w.batchRetried(attributes(line))
	case "batch failed":
		w.batchFailed(attributes(line))
	case "model finished":
		w.modelFinished(attributes(line))
	case "test failed", "test warned":
		w.testFound(line.Message, attributes(line))
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
	delete(s.failing, keyOf(line))
	s.records += number(line["records"])
	s.valid += number(line["valid"])
	s.refused += number(line["quarantined"])
	s.tombs += number(line["tombstones"])
	if fields, ok := line["new_fields"].Any().(map[string]int); ok {
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			s.newField(line["topic"].String(), name, int64(fields[name]))
		}
	}
	if oldest := number(line["oldest_kafka_ms"]); !s.arrived.again(line) && oldest > 0 {
		latency := time.Duration(number(line["durable_ms"])-oldest) * time.Millisecond
		s.fresh = append(s.recent(), sample{s.now(), latency, number(line["records"])})
	}
}

// batchRetried notes a batch of records that were in quarantine: each has one
// row more there, and those that are good now should have none.
func (s *state) batchRetried(line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failing, keyOf(line))
	s.surplus += 2*number(line["valid"]) + number(line["quarantined"])
}

func (s *state) batchDone(line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failing, keyOf(line))
}

// canaryArrived notes how long a canary took to the hop. One in the marts belongs
// to no batch.
func (s *state) canaryArrived(line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failing, keyOf(line))
	if s.canaries == nil {
		s.canaries = map[string]Canary{}
	}
	s.canaries[text(line["hop"])] = Canary{At: s.now(), Age: milliseconds(line["age_ms"])}
}

func (s *state) newField(topic, name string, records int64) {
	at := slices.IndexFunc(s.fields, func(f NewField) bool { return f.Topic == topic && f.Name == name })
	if at < 0 && len(s.fields) < maxNewFields {
		at = len(s.fields)
		s.fields = append(s.fields, NewField{Topic: topic, Name: name, Since: s.now()})
	}
	if at >= 0 {
		s.fields[at].Records += records
	}
}

func (s *state) batchFailed(line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line["cause"].String() == "no_batch" {
		s.noBatch++
		return
	}
	s.failures++
	s.failing[keyOf(line)] = failure{s.now(), line["error"].String()}
}

// keyOf names the batch of a line.
func keyOf(line map[string]slog.Value) batchKey {
	if topic, read := line["topic"]; read {
		return batchKey{topic: topic.String(), lane: line["lane"].String(), ranges: line["ranges"].String()}
	}
	return batchKey{id: line["batch"].String()}
}

// stillFailing drops the batches of which nothing was heard for long: they
// were given up. It returns how many are left, and the last failure. The lock
// is held.
func (s *state) stillFailing() (batches int64, cause string) {
	var last time.Time
	for key, failed := range s.failing {
		switch {
		case s.now().Sub(failed.at) > failureLasts:
			delete(s.failing, key)
			continue
		case !failed.at.Before(last):
			last, cause = failed.at, failed.cause
		}
		batches++
	}
	return batches, cause
}

// run is the run that a line belongs to. The lock is held.
func (s *state) run(line map[string]slog.Value) *Transform {
	id := line["run_id"].String()
	if s.running[id] == nil {
		s.running[id] = &Transform{}
	}
	return s.running[id]
}

func (s *state) modelFinished(line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.run(line)
	run.Models = append(run.Models, Model{Name: text(line["model"]), Status: text(line["status"]), Took: milliseconds(line["took_ms"]), Error: text(line["error"])})
}

func (s *state) testFound(message string, line map[string]slog.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.run(line)
	run.Found = append(run.Found, Finding{Test: text(line["test"]), Status: strings.TrimPrefix(message, "test "), Rows: number(line["failures"]), Error: text(line["error"])})
}

func (s *state) transformed(line map[string]slog.Value) {
	s.mu.Lock()
	transform := *s.run(line)
	clear(s.running) // one run at a time: what is left belongs to none
	transform.At, transform.Status = s.now(), text(line["status"])
	transform.Took = milliseconds(line["took_ms"])
	transform.Changed, transform.Tests = number(line["changed"]), number(line["tests"])
	if transform.Status == "failed" {
		s.failed++
	}
	s.transform = transform
	s.mu.Unlock()
	if s.finished != nil {
		s.finished(transform)
	}
}

// text is the text of an attribute, "" when the line has none.
func text(v slog.Value) string {
	if v.Kind() == slog.KindString {
		return v.String()
	}
	return ""
}

func milliseconds(v slog.Value) time.Duration { return time.Duration(number(v)) * time.Millisecond }

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
	f := Figures{Batches: s.batches, Records: s.records, Valid: s.valid, Quarantined: s.refused, Tombstones: s.tombs, Surplus: s.surplus, NoBatch: s.noBatch,
		Failures: s.failures, Transform: s.transform, FailedTransforms: s.failed}
	f.NewFields, f.Canaries = slices.Clone(s.fields), maps.Clone(s.canaries)
	f.Failing, f.Cause = s.stillFailing()
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
