package ingest

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/tracing"
)

// Counts are totals since the function was made.
type Counts struct {
	Batches          int64 // made durable, in either lane
	Records          int64 // in the batches of the lane that the quarantine goes with: each once
	Valid            int64 // of these, good records: in every sink of the lane
	Quarantined      int64 // records in quarantine
	DuplicateObjects int64 // found in the lake, made by an earlier delivery
	Failed           int64 // deliveries answered with an error
	Refused          int64 // of these: events that are not a batch of a known topic
	Conflicts        int64 // of these: the lake holds other contents under the batch's name
	Crashes          int64 // of these: panics
}

type counters struct {
	batches, records, valid, quarantined, duplicates atomic.Int64
	failed, refused, conflicts, crashes              atomic.Int64
}

// Counts returns what the function has done so far. It may be called at any
// time.
func (f *Function) Counts() Counts {
	c := &f.counters
	return Counts{
		Batches: c.batches.Load(), Records: c.records.Load(), Valid: c.valid.Load(),
		Quarantined: c.quarantined.Load(), DuplicateObjects: c.duplicates.Load(),
		Failed: c.failed.Load(), Refused: c.refused.Load(), Conflicts: c.conflicts.Load(), Crashes: c.crashes.Load(),
	}
}

// A summary is what the log says of one batch. It shares no memory with the
// batch, which belongs to the next one when the log is written.
type summary struct {
	began          time.Time
	span           *tracing.Span // nil when none is recorded
	whereabouts    []slog.Attr   // none when the event carried no batch
	became         string        // the message
	canary         string        // the hop that a canary has passed; "" for other records
	apart          bool          // the batch was stored as several, each with a line of its own
	records        int
	bytes          int
	quarantined    int
	tombstones     int // of the quarantined
	duplicates     int64
	aside          int            // records that the lake cannot keep as rows
	crash          *fault.Crash   // of the decoder, at a record that is among the quarantined
	oldest, newest int64          // believable Kafka timestamps in Unix milliseconds; -1 when no record has one
	absurd, beyond int            // records whose Kafka timestamp is absurd; of these, beyond what kafka_timestamp can hold
	fields         map[string]int // rows with each field that has no column
	durable        time.Time
	took           time.Duration
}

func (s *summary) describe(b *batch.Batch, e cloudevents.Event, d *decoded) {
	s.records, s.bytes, s.quarantined = len(b.Records), len(e.Data()), len(d.rejections)
	for i := range d.rejections {
		if d.rejections[i].reason == event.Tombstone {
			s.tombstones++
		}
	}
	s.fields, s.crash = maps.Clone(d.fields), d.crash
	s.oldest, s.newest = -1, -1
	for i := range b.Records {
		switch at := b.Records[i].Timestamp; {
		case d.received.Believes(at):
			if s.oldest < 0 || at < s.oldest {
				s.oldest = at
			}
			s.newest = max(s.newest, at)
		case at > rows.LastMillis:
			s.beyond++
			s.absurd++
		case at >= 0:
			s.absurd++
		}
	}
}

// report counts a call and logs one line about it.
func (f *Function) report(e cloudevents.Event, s *summary, err error) {
	if err != nil {
		f.reportFailure(e, s, err)
		return
	}
	if s.apart {
		return
	}
	c := &f.counters
	valid := s.records - s.quarantined
	if s.canary != "" && valid == s.records && s.newest >= 0 {
		f.config.Logger.LogAttrs(context.Background(), slog.LevelInfo, arrived, append(s.whereabouts,
			slog.String("hop", s.canary), slog.Int64("age_ms", s.durable.UnixMilli()-s.newest))...)
		return
	}
	c.batches.Add(1)
	c.duplicates.Add(s.duplicates)
	if s.became == ingested {
		c.records.Add(int64(s.records))
		c.valid.Add(int64(valid))
		c.quarantined.Add(int64(s.quarantined))
	}
	attributes := append(s.whereabouts,
		slog.Int("valid", valid),
		slog.Int("quarantined", s.quarantined),
		slog.Int("tombstones", s.tombstones), // of the quarantined; they are not a fault
		slog.Int("refused", s.quarantined-s.tombstones),
		slog.Int64("duplicate_objects", s.duplicates),
		slog.Int("bytes", s.bytes))
	if s.newest >= 0 {
		attributes = append(attributes, slog.Int64("oldest_kafka_ms", s.oldest), slog.Int64("newest_kafka_ms", s.newest),
			slog.Int64("age_ms", max(0, s.durable.UnixMilli()-s.oldest))) // of the oldest record, when all was durable
	}
	if s.absurd > 0 {
		attributes = append(attributes, slog.Int("absurd_kafka_timestamps", s.absurd), slog.Int("null_kafka_timestamps", s.beyond))
	}
	if s.aside > 0 {
		attributes = append(attributes, slog.Int("set_aside", s.aside))
	}
	if len(s.fields) > 0 {
		attributes = append(attributes, slog.Any("new_fields", s.fields)) // kept in extra
	}
	attributes = append(attributes, slog.Int64("durable_ms", s.durable.UnixMilli()), slog.Int64("took_ms", s.took.Milliseconds()))
	if id := s.span.TraceID(); id != "" {
		attributes = append(attributes, slog.String("trace_id", id))
	}
	f.config.Logger.LogAttrs(context.Background(), slog.LevelInfo, s.became, attributes...)
	if s.crash != nil && s.became == ingested { // a fault of this program: someone has to see it
		f.config.Logger.LogAttrs(context.Background(), slog.LevelError, "records crash the decoder: they are in quarantine",
			append(slices.Clone(s.whereabouts), slog.String("error", clean(s.crash.Error())), slog.String("stack", s.crash.Stack))...)
	}
}

// reportFailure counts, and logs at level ERROR what a person must look into,
// and at WARN what may have passed when the batch is delivered again. For an
// event that is not a batch the line has cause "no_batch", and refused_for
// says which part is wrong.
func (f *Function) reportFailure(e cloudevents.Event, s *summary, err error) {
	class := classify(err)
	level := slog.LevelError
	if class == fault.Outage {
		level = slog.LevelWarn
	}
	attributes := []slog.Attr{
		slog.String("batch", clean(e.ID())), slog.String("source", clean(e.Source())),
		slog.String("class", string(class)), slog.String("cause", f.countFailure(err)),
		slog.String("error", clean(err.Error())), slog.Int64("took_ms", s.took.Milliseconds()),
	}
	if part := refusedFor(err); part != "" {
		attributes = append(attributes, slog.String("refused_for", part))
	}
	attributes = append(attributes, s.whereabouts...)
	if id := s.span.TraceID(); id != "" {
		attributes = append(attributes, slog.String("trace_id", id))
	}
	var crashed *fault.Crash
	if errors.As(err, &crashed) {
		attributes = append(attributes, slog.String("stack", crashed.Stack))
	}
	f.config.Logger.LogAttrs(context.Background(), level, "batch failed", attributes...)
}

// countFailure returns the name of what was counted.
func (f *Function) countFailure(err error) string {
	c := &f.counters
	c.failed.Add(1)
	var crashed *fault.Crash
	switch {
	case isRegistrys(err):
		return "schema_registry"
	case isForeign(err):
		c.refused.Add(1)
		return "no_batch"
	case lake.IsConflict(err):
		c.conflicts.Add(1)
		return "object_conflict"
	case errors.As(err, &crashed):
		c.crashes.Add(1)
		return "panic"
	}
	return "storing"
}

func whereabouts(b *batch.Batch) []slog.Attr {
	return []slog.Attr{
		slog.String("topic", b.Topic),
		slog.String("lane", string(b.Lane)),
		slog.String("ranges", b.Ranges().String()),
		slog.Int("records", len(b.Records)),
	}
}
