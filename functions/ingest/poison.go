package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// A record can be poison: because of it a sink refuses all that comes with it,
// without saying which record it is. It is searched for by halves, found, and
// left out, and the others land.

// maxPoison is how many records are searched for in one batch. With more, the
// batch as a whole is to blame. A search among n records makes at most
// 2·log2(n)+1 calls of the sink for each that it finds.
const maxPoison = 8

// A search stores rows in a sink except those that the sink cannot write. It
// keeps nothing: after a crash at any step the next delivery searches again,
// in the same steps, and what is durable by then does no harm.
type search struct {
	*sink
	whole *rows.Batch
	at    []int // the index of each row's record

	stored  rows.Stored
	found   []part // each with one row, which is refused alone
	crashed bool   // each of those made the sink crash
	written bool   // others were stored
}

// storeWhatGoes is store, and finds the records because of which the sink
// refuses the whole: these are among the refused, also where the sink is one
// of the lane lake. keeps says that the sink keeps the quarantine.
//
// An outage is never taken for poison: it ends the search. Nor is what a
// person must mend, for that does not let others of the same batch through: a
// record is blamed only where some were stored without it, or the sink
// crashed, or the sink, which is then asked to keep the record in quarantine,
// blames the batch itself.
func (s *sink) storeWhatGoes(ctx context.Context, b *rows.Batch, keeps bool) (rows.Stored, error) {
	stored, err := s.store(ctx, b)
	if !mayBePoison(err) {
		return stored, err
	}
	q := &search{sink: s, whole: b, crashed: true}
	if q.at = recordsOf(b); q.at == nil {
		return stored, err
	}
	all := part{records: span{0, len(b.Records)}, rows: span{0, len(b.Rows)}}
	if ended := q.divide(ctx, all, err); ended != nil {
		return stored, ended
	}
	if !q.written && !q.crashed && !(keeps && classify(err) == fault.OfBatch) {
		return stored, err
	}
	if err := q.confirm(ctx); err != nil {
		return stored, err
	}
	return q.stored, nil
}

// mayBePoison reports whether an error may be that of one record among others.
// What the lake holds otherwise is an alarm, and has been told apart by then.
func mayBePoison(err error) bool {
	if err == nil || lake.IsConflict(err) {
		return false
	}
	kind := classify(err)
	return kind == fault.OfBatch || kind == fault.Suspect
}

// A span is the indexes from from, and before to.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// A part is records that follow each other, and their rows.
type part struct{ records, rows span }

func (q *search) batchOf(p part) *rows.Batch {
	own := *q.whole.Batch
	own.Records = own.Records[p.records.from:p.records.to]
	some := *q.whole
	some.Batch, some.Rows, some.Digest = &own, some.Rows[p.rows.from:p.rows.to], digestOf(&own)
	return &some
}

// recordsOf returns the index of each row's record, ascending; nil where there
// is a row that has none.
func recordsOf(b *rows.Batch) []int {
	places := make(map[coordinates]int, len(b.Records))
	for i := range b.Records {
		places[coordinates{b.Records[i].Partition, b.Records[i].Offset}] = i
	}
	var at []int
	for partition, offset := range b.Table.Coordinates(b.Set) {
		i, known := places[coordinates{partition, offset}]
		if !known {
			return nil
		}
		at = append(at, i)
	}
	if !slices.IsSorted(at) {
		return nil
	}
	return at
}

// store stores the rows of the part. An error ends the search.
func (q *search) store(ctx context.Context, p part) error {
	if p.rows.len() == 0 {
		return nil
	}
	stored, err := q.sink.store(ctx, q.batchOf(p))
	switch {
	case err == nil:
		q.take(p, stored)
		return nil
	case !mayBePoison(err):
		return err
	}
	return q.divide(ctx, p, err)
}

// take notes what the sink says of a part that it has stored.
func (q *search) take(p part, stored rows.Stored) {
	for _, r := range stored.Refused {
		q.stored.Refused = append(q.stored.Refused, rows.Refusal{Row: p.rows.from + r.Row, Detail: r.Detail})
	}
	q.stored.Duplicates += stored.Duplicates
	q.written = q.written || len(stored.Refused) < p.rows.len()
}

// divide goes on with the halves of a part that the sink has refused with the
// error, or has found the record.
func (q *search) divide(ctx context.Context, p part, err error) error {
	if p.rows.len() > 1 {
		middle := p.records.from + p.records.len()/2
		row, _ := slices.BinarySearch(q.at[p.rows.from:p.rows.to], middle)
		row += p.rows.from
		if err := q.store(ctx, part{span{p.records.from, middle}, span{p.rows.from, row}}); err != nil {
			return err
		}
		return q.store(ctx, part{span{middle, p.records.to}, span{row, p.rows.to}})
	}
	var crash *fault.Crash
	q.crashed = q.crashed && errors.As(err, &crash)
	q.found = append(q.found, p)
	if len(q.found) <= maxPoison {
		return nil
	}
	if kind := classify(err); kind == fault.OfBatch || q.written {
		return &sinkFault{kind: fault.OfBatch, err: fmt.Errorf("more than %d records of %d cannot be stored: %w", maxPoison, len(q.whole.Rows), err)}
	}
	return err
}

// confirm refuses the records that were found, each once it was refused alone a
// second time.
func (q *search) confirm(ctx context.Context) error {
	for _, p := range q.found {
		stored, err := q.sink.store(ctx, q.batchOf(p))
		switch {
		case err == nil:
			q.take(p, stored)
		case mayBePoison(err):
			q.stored.Refused = append(q.stored.Refused, rows.Refusal{Row: p.rows.from, Detail: err.Error()})
		default:
			return err
		}
	}
	return nil
}

// setAside makes the records that the lake cannot keep as rows durable there
// with their bytes, each as an object of its own. Their rows are in the sinks
// of the lane rows, or will be.
func (f *Function) setAside(ctx context.Context, b *batch.Batch, d *decoded, refused []rows.Refusal) error {
	for _, r := range refused {
		record := &b.Records[d.records[r.Row]]
		uri, err := f.bucket.SetAsideValue(ctx, b, record)
		if err == nil && len(record.Key) > 0 {
			_, err = f.bucket.SetAsideKey(ctx, b, record)
		}
		if err != nil {
			return &sinkFault{kind: lake.Fault(err), err: fmt.Errorf("setting partition %d, offset %d aside (%s): %w", record.Partition, record.Offset, r.Detail, err)}
		}
		f.config.Logger.LogAttrs(ctx, slog.LevelError, "the lake cannot keep a record as a row: its bytes are set aside",
			slog.String("topic", b.Topic), slog.Int("partition", int(record.Partition)), slog.Int64("offset", record.Offset),
			slog.String("uri", uri), slog.String("error", clean(r.Detail)))
	}
	return nil
}
