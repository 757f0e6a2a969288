// Package lake is the sink that keeps rows as Parquet objects in a Cloud
// Storage bucket.
//
// An object is created once, because its name is derived from the batch, and
// completed by further ones where a later delivery accepts records that it
// lacks.
package lake

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/lake"
)

// parallel is how many of a batch's objects are written at a time. A batch of
// live events has one or two; one of sparse history may have one for each of its
// records, and the time of a call must do for all: those objects are small.
func parallel(objects int) int { return min(max(8, objects/64), 64) }

// A Sink makes rows durable as Parquet objects: those of a topic under raw/,
// by event hour, those of the quarantine under quarantine/. It is safe for
// concurrent use.
type Sink struct {
	bucket  *Bucket
	now     func() time.Time
	formats map[string]*Parquet // by table
}

// NewSink returns a sink that writes to the bucket, which stays open when the
// sink is closed.
func NewSink(bucket *Bucket, now func() time.Time) *Sink {
	s := &Sink{bucket: bucket, now: now, formats: make(map[string]*Parquet)}
	for _, table := range rows.Tables() {
		s.formats[table.Name] = NewParquet(table)
	}
	return s
}

// Lane returns the lane of files.
func (*Sink) Lane() batch.Lane { return batch.LakeLane }

// Fault returns the kind of an error that Store returned.
func (*Sink) Fault(err error) fault.Kind { return Fault(err) }

// Close does nothing: the bucket is not the sink's.
func (*Sink) Close() error { return nil }

// Store makes the rows durable, in one object for each event hour, or in one
// for all where the rows have no event time. It refuses none. After an error
// some objects may exist; the next delivery finds them.
func (s *Sink) Store(ctx context.Context, b *rows.Batch) (rows.Stored, error) {
	digest := b.Digest()
	if b.Table.Timestamp < 0 {
		duplicate, err := s.archive(ctx, s.target(b, lake.QuarantineBatch), b.Batch, digest, b.Set)
		if duplicate {
			return rows.Stored{Duplicates: 1}, err
		}
		return rows.Stored{}, err
	}
	var duplicates atomic.Int64
	var failed sync.Mutex
	var errs []error
	var group errgroup.Group // the failure of one hour does not stop the others
	hours := ByHour(b.Rows, b.Own[b.Table.Timestamp].Numbers)
	group.SetLimit(parallel(len(hours)))
	for _, h := range hours {
		raw := s.target(b, func(of *batch.Batch) string { return lake.RawObject(of, h.Start) })
		group.Go(func() error {
			err := fault.Guard(func() error {
				duplicate, err := s.archive(ctx, raw, b.Batch, digest, b.Only(h.Rows))
				if duplicate {
					duplicates.Add(1)
				}
				return err
			})
			failed.Lock()
			defer failed.Unlock()
			errs = append(errs, err)
			return nil
		})
	}
	_ = group.Wait()
	return rows.Stored{Duplicates: duplicates.Load()}, errors.Join(errs...)
}

// A target is where in the lake rows of a table go.
type target struct {
	*Parquet
	name func(*batch.Batch) string // of the object for a batch
	all  func(context.Context, *batch.Batch) (rows.Set, error)
}

func (s *Sink) target(b *rows.Batch, name func(*batch.Batch) string) target {
	return target{s.formats[b.Table.Name], name, b.All}
}

// archive makes rows of the batch durable as one Parquet object. Where an
// earlier delivery created one that lacks some, further objects hold these.
func (s *Sink) archive(ctx context.Context, to target, b *batch.Batch, digest uint64, some rows.Set) (duplicate bool, err error) {
	object := lake.Object{Name: to.name(b), Digest: digest, Selection: lake.Selection(to.Coordinates(some)), Ranges: b.Ranges().String()}
	duplicate, err = s.write(ctx, to, object, some)
	var other *lake.OtherSelection
	var conflict *lake.Conflict
	if errors.As(err, &other) || errors.As(err, &conflict) {
		return true, s.complete(ctx, to, b, some, conflict)
	}
	return duplicate, err
}

// files holds the memory of Parquet files that are being uploaded.
var files = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Unencodable rows cannot be written as Parquet: one of them may be why.
type unencodable struct{ error }

// Unwrap returns the error of the encoder.
func (u *unencodable) Unwrap() error { return u.error }

// write makes the rows durable as the Parquet object, which has all but its
// data.
func (s *Sink) write(ctx context.Context, to target, object lake.Object, some rows.Set) (duplicate bool, err error) {
	file := files.Get().(*bytes.Buffer)
	file.Reset()
	if err := to.Encode(file, some, s.now().UnixMicro()); err != nil {
		return false, &unencodable{err}
	}
	object.Data = file.Bytes()
	duplicate, err = s.bucket.create(ctx, object)
	if err == nil {
		files.Put(file) // after an error the upload may still read it
	}
	return duplicate, err
}
