package ingest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake"
)

// parallelObjects bounds how many of a batch's objects are written at a time.
// A batch of live events has one or two.
const parallelObjects = 8

const hourMicros = int64(time.Hour / time.Microsecond)

// An hour holds the rows whose event time lies in one hour, UTC.
type hour struct {
	start time.Time
	rows  []event.Row
}

// byHour parts rows by the TIMESTAMP in the place, keeping their order.
func byHour(rows []event.Row, column int) []hour {
	var hours []hour
	places := make(map[int64]int) // of each hour in hours
	last, at := int64(math.MinInt64), 0
	place := func(row event.Row) int {
		h := floorHour(row[column].Int())
		if h == last {
			return at
		}
		known := false
		if at, known = places[h]; !known {
			at = len(hours)
			places[h] = at
			hours = append(hours, hour{start: time.UnixMicro(h * hourMicros).UTC()})
		}
		last = h
		return at
	}
	sizes := make([]int, 0, 8)
	for _, row := range rows {
		i := place(row)
		if i == len(sizes) {
			sizes = append(sizes, 0)
		}
		sizes[i]++
	}
	if len(hours) == 1 {
		hours[0].rows = rows
		return hours
	}
	space := make([]event.Row, len(rows))
	for i, size := range sizes {
		hours[i].rows, space = space[:0:size], space[size:]
	}
	for _, row := range rows {
		h := &hours[place(row)]
		h.rows = append(h.rows, row)
	}
	return hours
}

// floorHour counts whole hours since 1970, also before it.
func floorHour(micros int64) int64 {
	h := micros / hourMicros
	if micros%hourMicros < 0 {
		h--
	}
	return h
}

// archive makes the rows durable in the lake, one object for each event hour,
// and returns for how many hours an earlier delivery had created one. After
// an error some objects may exist; the next delivery finds them.
func (f *Function) archive(ctx context.Context, t *topic, b *batch.Batch, digest uint64, all rows) (duplicates int64, err error) {
	var existed atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelObjects)
	for _, h := range byHour(all.own, t.timestamp) {
		raw := target{t.table, func(b *batch.Batch) string { return lake.RawObject(b, h.start) }, t.allRows}
		group.Go(func() error {
			return guarded(func() error {
				duplicate, err := f.archiveRows(ctx, raw, b, digest, rows{shared: all.shared, own: h.rows})
				if duplicate {
					existed.Add(1)
				}
				return err
			})
		})
	}
	err = group.Wait()
	return existed.Load(), err
}

// A target is where in the lake rows of a table go.
type target struct {
	*table
	name func(*batch.Batch) string // of the object for a batch
	// all returns the rows that the records of a batch have in this table,
	// also those that it does not want there.
	all func(context.Context, *batch.Batch) (rows, error)
}

// archiveRows makes rows of the batch durable as one Parquet object. Where an
// earlier delivery created one that lacks some, further objects hold these.
func (f *Function) archiveRows(ctx context.Context, to target, b *batch.Batch, digest uint64, some rows) (duplicate bool, err error) {
	duplicate, err = f.archiveFile(ctx, to, lake.Object{Name: to.name(b), Digest: digest, Selection: lake.Selection(to.offsets(some.own))}, some)
	var other *lake.OtherSelection
	var conflict *lake.Conflict
	if errors.As(err, &other) || errors.As(err, &conflict) {
		return true, f.complete(ctx, to, b, some, conflict)
	}
	return duplicate, err
}

// files holds the memory of Parquet files on their way.
var files = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// archiveFile makes the rows durable as the Parquet object, which has all but
// its data.
func (f *Function) archiveFile(ctx context.Context, to target, object lake.Object, some rows) (duplicate bool, err error) {
	file := files.Get().(*bytes.Buffer)
	file.Reset()
	if err := to.parquet.encode(file, some, f.config.Now().UnixMicro()); err != nil {
		return false, err
	}
	object.Data = file.Bytes()
	duplicate, err = f.create(ctx, object)
	if err == nil {
		files.Put(file) // after an error the upload may not have let go of it
	}
	return duplicate, err
}

// create makes the object durable.
func (f *Function) create(ctx context.Context, object lake.Object) (duplicate bool, err error) {
	err = f.inLake(ctx, func(ctx context.Context) error {
		duplicate, err = lake.CreateOnce(ctx, f.bucket, object)
		return err
	})
	return duplicate, err
}

// inLake makes an attempt within the time limit, again while the errors are
// transient.
func (f *Function) inLake(ctx context.Context, attempt func(context.Context) error) error {
	return retrying(ctx, func() error {
		limited, cancel := context.WithTimeout(ctx, f.config.AppendTimeout)
		defer cancel()
		return attempt(limited)
	})
}
