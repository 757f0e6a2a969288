package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// A batch of several partitions of which something can never be stored is
// stored apart, as one batch for each partition: then only the partition at
// fault keeps the delivery from succeeding. What is durable by then is left out
// of further deliveries.

// coordinates tell the records of a topic apart.
type coordinates struct {
	partition int32
	offset    int64
}

// progress is what one attempt at a batch has done before it failed.
type progress struct {
	// received is when the records were judged, and with what they are judged
	// again: one that was bad must not have become good meanwhile, since what
	// is done is done for the good ones of then.
	received time.Time

	rows    bool                   // every row is in each sink of the lane rows, or refused
	refused map[coordinates]string // the records of rows that those refuse, with why
	lake    bool                   // every row is in each sink of the lane lake
	inLake  error                  // else why it is not

	quarantined bool // so is every rejected record
}

func (p *progress) refuse(b *batch.Batch, d *decoded, refused []rows.Refusal) {
	p.refused = make(map[coordinates]string, len(refused))
	for _, r := range refused {
		record := &b.Records[d.records[r.Row]]
		p.refused[coordinates{record.Partition, record.Offset}] = r.Detail
	}
}

// storeApart stores the batch, of which an attempt failed with the error, as
// one batch for each partition. The error is that of the partitions that cannot
// be stored; the others are durable then. It does nothing that the attempt has
// done.
func (f *Function) storeApart(ctx context.Context, e cloudevents.Event, t *topic, b *batch.Batch, done progress, failed error) error {
	conflicts, _ := lake.Conflicts(failed)
	_, only := lake.Conflicts(done.inLake)
	done.lake = done.lake || only
	var refused *unstorable
	if errors.As(failed, &refused) {
		done.quarantined = true
	}
	if len(f.sinks.rows) == 0 && !done.lake {
		done.quarantined = false // the lake has yet to say which rows it refuses
	}
	var errs []error
	for partition, part := range partsOf(b) {
		err := f.storePart(ctx, e, t, part, done)
		if refused != nil && refused.partitions[partition] {
			err = errors.Join(err, refused)
		}
		var conflict error
		if of := conflicts[partition]; of != nil {
			conflict = fmt.Errorf("partition %d: %w", partition, &sinkFault{kind: fault.OfBatch, err: of})
			errs = append(errs, conflict)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("partition %d: %w", partition, err))
		} else if !part.Retry {
			f.settled.add(part, f.config.Now(), conflict)
		}
	}
	return errors.Join(errs...)
}

// storePart stores one partition's part of a batch. Where it succeeds it is
// counted and logged as a batch is.
func (f *Function) storePart(ctx context.Context, e cloudevents.Event, t *topic, part *batch.Batch, done progress) error {
	began := f.config.Now()
	var s summary
	err := fault.Guard(func() error {
		d := newDecoded()
		if err := d.decode(ctx, t, part, done.received); err != nil {
			return err
		}
		d.refuseAgain(part, done.refused)
		s.describe(part, e, d)
		err := f.store(ctx, t, part, d, &s, &done)
		s.quarantined = len(d.rejections)
		return err
	})
	if err == nil {
		s.durable = f.config.Now()
		s.took = s.durable.Sub(began)
		f.report(e, &s, nil)
	}
	return err
}

// partsOf returns the batch's records as batches of one partition, partitions
// ascending.
func partsOf(b *batch.Batch) iter.Seq2[int32, *batch.Batch] {
	parts := make(map[int32]*batch.Batch)
	for i := range b.Records {
		r := &b.Records[i]
		part := parts[r.Partition]
		if part == nil {
			own := *b
			own.Records = nil
			part = &own
			parts[r.Partition] = part
		}
		part.Records = append(part.Records, *r)
	}
	return func(yield func(int32, *batch.Batch) bool) {
		for _, partition := range slices.Sorted(maps.Keys(parts)) {
			if !yield(partition, parts[partition]) {
				return
			}
		}
	}
}

// refuseAgain rejects the records that a sink has refused in an earlier
// attempt.
func (d *decoded) refuseAgain(b *batch.Batch, refused map[coordinates]string) {
	var again []rows.Refusal
	for row, record := range d.records {
		r := &b.Records[record]
		if detail, known := refused[coordinates{r.Partition, r.Offset}]; known {
			again = append(again, rows.Refusal{Row: row, Detail: detail})
		}
	}
	d.refuse(again)
}

// settledRuns remembers what became of runs of partitions whose delivery
// failed as a whole, for an hour: who delivers them again, whole or apart,
// does not make this instance store once more what is durable, and gets the
// same answer for what the lake holds otherwise, also under another name. It
// forgets the oldest of many; the zero value remembers none. It is safe for
// concurrent use.
type settledRuns struct {
	mu    sync.Mutex
	known map[run]settlement
	order []run
}

// A run is what one batch has of one partition.
type run struct {
	topicID string
	lane    batch.Lane
	batch.Range
}

type settlement struct {
	at      time.Time
	refused error // nil where all of the run is durable
}

// Bounds of the memory: 1,000 runs take some 200 kB.
const (
	maxSettled   = 1000
	settledLasts = time.Hour
)

// add remembers what became of the batch, which is of one partition.
func (s *settledRuns) add(b *batch.Batch, at time.Time, refused error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := run{b.TopicID, b.Lane, b.Ranges()[0]}
	if s.known == nil {
		s.known = make(map[run]settlement)
	}
	if _, known := s.known[r]; !known {
		if len(s.order) == maxSettled {
			delete(s.known, s.order[0])
			s.order = s.order[1:]
		}
		s.order = append(s.order, r)
	}
	s.known[r] = settlement{at, refused}
}

// leaveOut takes the partitions that are settled out of the batch, and returns
// the error of those that are refused.
func (s *settledRuns) leaveOut(b *batch.Batch, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) == 0 {
		return nil
	}
	var errs []error
	gone := make(map[int32]bool)
	for _, r := range b.Ranges() {
		if of, known := s.known[run{b.TopicID, b.Lane, r}]; known && now.Sub(of.at) < settledLasts {
			gone[r.Partition] = true
			errs = append(errs, of.refused)
		}
	}
	if len(gone) > 0 {
		b.Records = slices.DeleteFunc(b.Records, func(r batch.Record) bool { return gone[r.Partition] })
	}
	return errors.Join(errs...)
}
