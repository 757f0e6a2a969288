package ingest

import (
	"bytes"
	"context"
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
// and returns how many of the objects an earlier delivery had created. After
// an error some objects may exist; the next delivery finds them.
func (f *Function) archive(ctx context.Context, t *topic, b *batch.Batch, digest uint64, all rows) (duplicates int64, err error) {
	var existed atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelObjects)
	for _, h := range byHour(all.own, t.timestamp) {
		group.Go(func() error {
			return guarded(func() error {
				duplicate, err := f.archiveFile(ctx, t.table, lake.RawObject(b, h.start), digest, rows{shared: all.shared, own: h.rows})
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

// files holds the memory of Parquet files on their way.
var files = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// archiveFile makes rows of a table durable as one Parquet object.
func (f *Function) archiveFile(ctx context.Context, t *table, name string, digest uint64, some rows) (duplicate bool, err error) {
	file := files.Get().(*bytes.Buffer)
	file.Reset()
	if err := t.parquet.encode(file, some, f.config.Now().UnixMicro()); err != nil {
		return false, err
	}
	duplicate, err = f.create(ctx, name, digest, file.Bytes())
	if err == nil {
		files.Put(file) // after an error the upload may not have let go of it
	}
	return duplicate, err
}

// create makes the object durable, again while the errors are transient.
func (f *Function) create(ctx context.Context, name string, digest uint64, data []byte) (duplicate bool, err error) {
	err = retrying(ctx, func() error {
		limited, cancel := context.WithTimeout(ctx, f.config.AppendTimeout)
		defer cancel()
		duplicate, err = lake.CreateOnce(limited, f.bucket, name, digest, data)
		return err
	})
	return duplicate, err
}
