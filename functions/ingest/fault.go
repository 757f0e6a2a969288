package ingest

import (
	"errors"
	"fmt"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/internal/registry"
)

// classify returns what may help against an error; of joined errors the worst
// counts. What comes from a sink carries its kind. What nobody claims blames
// no batch.
func classify(err error) fault.Kind {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e := e.(type) {
		case *sinkFault:
			return e.kind
		case *registry.Outage:
			if e.Refused {
				return fault.Misconfigured
			}
			return fault.Outage
		case *fault.Crash, *batch.Malformed, *foreignTopic, *unstorable:
			return fault.OfBatch
		case interface{ Unwrap() []error }:
			return fault.Worst(e.Unwrap(), classify)
		}
	}
	if errors.Is(err, errInterrupted) {
		return fault.Outage
	}
	return fault.OfConnection(err)
}

// A sinkFault is an error of a sink and what the sink says of it.
type sinkFault struct {
	kind fault.Kind
	err  error
}

func (s *sinkFault) Error() string { return s.err.Error() }

// Unwrap returns the sink's error.
func (s *sinkFault) Unwrap() error { return s.err }

// A failure is what Ingest returns.
type failure struct {
	batch string // its id; "" when the event has none
	err   error
}

func (f *failure) Error() string {
	if f.batch == "" {
		return fmt.Sprintf("ingesting: %v", f.err)
	}
	return fmt.Sprintf("ingesting batch %s: %v", f.batch, f.err)
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// A foreignTopic is a batch of a topic that has no kind of events.
type foreignTopic struct{ topic string }

func (f *foreignTopic) Error() string {
	return fmt.Sprintf("topic %q is none of those this function knows", f.topic)
}

// isForeign reports whether the event is not a batch of a known topic.
func isForeign(err error) bool { return refusedFor(err) != "" }

// isRegistrys reports whether the schema registry kept the batch from being
// decoded.
func isRegistrys(err error) bool {
	var outage *registry.Outage
	return errors.As(err, &outage)
}

// refusedFor names the part because of which an event is not a batch of a
// known topic, in one word of a small set, fit for the label of a log-based
// metric; "" when it is one.
func refusedFor(err error) string {
	var sinks *sinkFault // what a sink says is about the sink
	var malformed *batch.Malformed
	var foreign *foreignTopic
	switch {
	case errors.As(err, &sinks):
		return ""
	case errors.As(err, &malformed):
		return malformed.Attribute
	case errors.As(err, &foreign):
		return "topic"
	}
	return ""
}

// An unstorable batch has records that are refused in whatever form. All others
// are durable.
type unstorable struct {
	partitions map[int32]bool // of those records
	records    int
	first      string // which it is, and why
}

// add notes one of the records, and why it cannot be stored.
func (u *unstorable) add(r *batch.Record, why string) {
	if u.records == 0 {
		u.first = fmt.Sprintf("partition %d, offset %d: %s", r.Partition, r.Offset, why)
	}
	u.records++
	u.partitions[r.Partition] = true
}

func (u *unstorable) Error() string {
	return fmt.Sprintf("quarantining: %d records cannot be kept, first that of %s", u.records, u.first)
}
