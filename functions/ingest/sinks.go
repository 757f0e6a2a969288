package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/bigquery"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// A Sink makes rows durable in one place. It is safe for concurrent use.
type Sink interface {
	// Lane says which lane of batches the sink takes. A sink of the lane rows
	// may refuse single rows, and the first of them keeps the quarantine. A
	// sink of the lane lake takes every row, and keeps the quarantine only
	// where there is no sink of the other lane.
	Lane() batch.Lane

	// Store makes the rows durable. It returns without an error only when all
	// of them are, except those that it reports as refused, and it gives up
	// soon after the context ends. After an error, or a crash, any of the rows
	// may be durable, and all of them come again, perhaps at the same time:
	// readers keep one of each Kafka coordinate. The rows are valid until
	// Store returns.
	Store(context.Context, *rows.Batch) (rows.Stored, error)

	// Fault says what may help against an error that Store returned. Only
	// fault.OfBatch is a verdict on the batch, and fault.Suspect may be one:
	// after either Store is called again with fewer of the rows, until those
	// are found that it cannot write. An error that the sink does not know is
	// fault.Unknown, and the batch is tried again as in an outage.
	Fault(error) fault.Kind

	// Close ends the sink's connections. Calls that run then fail.
	Close() error
}

// A SinkKind is a sink that may be chosen by its name.
type SinkKind struct {
	Name string
	// Open returns the sink. It need not contact what is behind it: an outage
	// then fails batches, which are delivered again. life bounds the sink's
	// connections; the lake's bucket stays open longer than the sink.
	Open func(life context.Context, config *Config, bucket *lake.Bucket) (Sink, error)
}

// Sinks returns the list of all that INGEST_SINKS may name.
func Sinks() []SinkKind {
	return []SinkKind{
		{"lake", func(_ context.Context, c *Config, bucket *lake.Bucket) (Sink, error) {
			return lake.NewSink(bucket, c.Now), nil
		}},
		{"warehouse", func(life context.Context, c *Config, _ *lake.Bucket) (Sink, error) {
			return bigquery.NewSink(life, c.Warehouse, c.AppendTimeout, c.Now), nil
		}},
	}
}

// defaultSinks are those of INGEST_SINKS where it is not set.
var defaultSinks = []string{"lake", "warehouse"}

// checkSinks reports names that are not of the list, and what else is wrong
// with them, as the end of a sentence.
func checkSinks(names []string, list []SinkKind) error {
	var known []string
	for _, kind := range list {
		known = append(known, kind.Name)
	}
	remedy := "name one or more of " + strings.Join(known, ", ") + ", by comma"
	if len(names) == 0 {
		return errors.New("names no sink: " + remedy)
	}
	for i, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("names %q, which is not a sink: %s", name, remedy)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("names %s twice: %s", name, remedy)
		}
	}
	return nil
}

// sinks are those that a function stores rows in, by lane.
type sinks struct{ rows, lake []*sink }

// A sink is an open Sink with its name.
type sink struct {
	name string
	Sink
}

// openSinks opens the sinks that the configuration names, in the list's order.
// After an error those that are open are returned as well.
func openSinks(life context.Context, config *Config, bucket *lake.Bucket) (opened sinks, err error) {
	for _, kind := range config.Known {
		if !slices.Contains(config.Sinks, kind.Name) {
			continue
		}
		open, err := kind.Open(life, config, bucket)
		if err != nil {
			return opened, fmt.Errorf("opening sink %s: %w", kind.Name, err)
		}
		if s := (&sink{kind.Name, open}); s.Lane() == batch.RowsLane {
			opened.rows = append(opened.rows, s)
		} else {
			opened.lake = append(opened.lake, s)
		}
	}
	return opened, nil
}

// all returns the sinks, those of the lane rows first.
func (s *sinks) all() []*sink { return slices.Concat(s.rows, s.lake) }

// ofQuarantine returns the sink that keeps the quarantine.
func (s *sinks) ofQuarantine() *sink { return s.all()[0] }

// laneOfQuarantine returns the lane that the quarantine goes with.
func (s *sinks) laneOfQuarantine() batch.Lane {
	if len(s.rows) > 0 {
		return batch.RowsLane
	}
	return batch.LakeLane
}

// What becomes of a batch, as the message of its log line.
const (
	ingested   = "batch ingested"    // its records are counted: in these batches each is once
	archived   = "batch archived"    // so that its records are in files as well
	passedOver = "batch passed over" // no sink takes its lane
	retried    = "batch retried"     // its records were counted when they went to quarantine
	arrived    = "canary arrived"    // it is no station's, and counts nowhere
)

// become returns what becomes of the batch.
func (s *sinks) become(b *batch.Batch) string {
	switch {
	case b.Retry:
		return retried
	case b.Lane.Serves(s.laneOfQuarantine()):
		return ingested
	case b.Lane == batch.LakeLane && len(s.lake) > 0:
		return archived
	}
	return passedOver
}

// passedByCanary returns which hop a canary has passed with this batch; "" where
// the batch has none, or no sink takes its lane.
func (s *sinks) passedByCanary(b *batch.Batch) string {
	switch {
	case b.Topic != event.CanaryTopic || b.Retry:
	case b.Lane.Serves(batch.RowsLane) && len(s.rows) > 0:
		return "staging"
	case b.Lane.Serves(batch.LakeLane) && len(s.lake) > 0:
		return "lake"
	}
	return ""
}

// end closes the sinks.
func (s *sinks) end() error {
	var errs []error
	for _, sink := range s.all() {
		errs = append(errs, sink.Close())
	}
	return errors.Join(errs...)
}

// store is the sink's Store, whose errors carry their kind from here on.
func (s *sink) store(ctx context.Context, b *rows.Batch) (stored rows.Stored, err error) {
	err = fault.Guard(func() error {
		if stored, err = s.Store(ctx, b); err != nil {
			return &sinkFault{kind: fault.Known(s.Fault(err)), err: err}
		}
		return nil
	})
	if err == nil && len(stored.Refused) > 0 && s.Lane() != batch.RowsLane {
		err = fmt.Errorf("storing %d rows in sink %s: it refuses %d, which only a sink of the lane rows may do", len(b.Rows), s.name, len(stored.Refused))
	}
	return stored, err
}

// storeIn stores the rows in each of the sinks at the same time, but for those
// that a sink cannot write. The failure of one does not stop the others, which
// leaves less to do again.
func (s *sinks) storeIn(ctx context.Context, all []*sink, b *rows.Batch) (rows.Stored, error) {
	stored, errs := make([]rows.Stored, len(all)), make([]error, len(all))
	var storing sync.WaitGroup
	for i, one := range all {
		storing.Go(func() { stored[i], errs[i] = one.storeWhatGoes(ctx, b, one == s.ofQuarantine()) })
	}
	storing.Wait()
	var sum rows.Stored
	for i := range stored {
		sum.Refused = append(sum.Refused, stored[i].Refused...)
		sum.Duplicates += stored[i].Duplicates
	}
	return sum, errors.Join(errs...)
}
