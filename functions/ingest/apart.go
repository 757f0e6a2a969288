package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

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
	rows    bool                   // every row is in each sink of the lane rows, or refused
	refused map[coordinates]string // the records of rows that those refuse, with why
	lake    bool                   // every row is in each sink of the lane lake
}

func (p *progress) refuse(b *batch.Batch, d *decoded, refused []rows.Refusal) {
	p.refused = make(map[coordinates]string, len(refused))
	for _, r := range refused {
		record := &b.Records[d.records[r.Row]]
		p.refused[coordinates{record.Partition, record.Offset}] = r.Detail
	}
}

// storeApart stores the batch, of which an attempt failed with the error, as
// one batch for each partition. The errors are those of the partitions that
// cannot be stored; the others are durable then.
func (f *Function) storeApart(ctx context.Context, e cloudevents.Event, t *topic, b *batch.Batch, done progress, failed error) error {
	conflicts, only := lake.Conflicts(failed)
	done.lake = done.lake || only // which has stored all but those
	parts := partsOf(b)
	var errs []error
	for _, partition := range slices.Sorted(maps.Keys(parts)) {
		part, own := parts[partition], done
		var s summary
		began := f.config.Now()
		err := fault.Guard(func() error {
			d := newDecoded()
			d.decode(t, part, f.config.Now())
			d.refuseAgain(part, done.refused)
			s.describe(part, e, d)
			err := f.store(ctx, t, part, d, &s, &own)
			s.quarantined = len(d.rejections)
			return err
		})
		if conflict := conflicts[partition]; conflict != nil {
			err = errors.Join(err, conflict)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("partition %d: %w", partition, err))
			continue
		}
		f.finished.add(part)
		s.durable = f.config.Now()
		s.took = s.durable.Sub(began)
		f.report(e, &s, nil)
	}
	return errors.Join(errs...)
}

// partsOf returns the batch's records as batches of one partition.
func partsOf(b *batch.Batch) map[int32]*batch.Batch {
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
	return parts
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

// finishedRuns remembers runs of partitions that are durable although the
// delivery which brought them failed, so that those who deliver it again, whole
// or apart, do not make this instance store them once more. It forgets the
// oldest of many; the zero value remembers none. It is safe for concurrent use.
type finishedRuns struct {
	mu    sync.Mutex
	known map[run]bool
	order []run
}

// A run is what one batch has of one partition.
type run struct {
	topicID string
	lane    batch.Lane
	batch.Range
}

// maxFinished bounds the memory: 1,000 runs take some 200 kB.
const maxFinished = 1000

// add remembers the batch, which is of one partition.
func (f *finishedRuns) add(b *batch.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := run{b.TopicID, b.Lane, b.Ranges()[0]}
	if f.known[r] {
		return
	}
	if f.known == nil {
		f.known = make(map[run]bool)
	}
	if len(f.order) == maxFinished {
		delete(f.known, f.order[0])
		f.order = f.order[1:]
	}
	f.known[r], f.order = true, append(f.order, r)
}

// leaveOut takes the partitions that are durable out of the batch.
func (f *finishedRuns) leaveOut(b *batch.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) == 0 {
		return
	}
	gone := make(map[int32]bool)
	for _, r := range b.Ranges() {
		if f.known[run{b.TopicID, b.Lane, r}] {
			gone[r.Partition] = true
		}
	}
	if len(gone) > 0 {
		b.Records = slices.DeleteFunc(b.Records, func(r batch.Record) bool { return gone[r.Partition] })
	}
}
