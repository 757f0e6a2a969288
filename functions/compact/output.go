package compact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/pages"
	"github.com/stationflow/stationflow/internal/retry"
)

// An output is an object that is being made: all of it is in memory until it is
// known to be right. Objects appear whole or not at all.
type output struct {
	pieces [][]byte
	size   int64
	groups []format.RowGroup
	digest uint64
	spans  map[place]span // by partition
}

// add takes a row group in, which was encoded as the first of a file.
func (o *output) add(encoded []byte, group format.RowGroup) {
	if o.size == 0 {
		o.pieces, o.size = [][]byte{[]byte(pages.Magic)}, int64(len(pages.Magic))
	}
	shift := o.size - int64(len(pages.Magic))
	group.FileOffset += shift
	for i := range group.Columns {
		meta := &group.Columns[i].MetaData
		meta.DataPageOffset += shift
		if meta.DictionaryPageOffset != 0 {
			meta.DictionaryPageOffset += shift
		}
	}
	o.pieces, o.groups = append(o.pieces, bytes.Clone(encoded)), append(o.groups, group)
	o.size += int64(len(encoded))
}

func (o *output) rows() (n int64) {
	for _, g := range o.groups {
		n += g.NumRows
	}
	return n
}

// ranges are the first and the last offset of each partition, as text; "" where
// there are too many.
func (o *output) ranges() string {
	var all batch.Ranges
	for at, s := range o.spans {
		all = append(all, batch.Range{Partition: int32(at.partition), First: s.first, Last: s.last})
	}
	slices.SortFunc(all, func(a, b batch.Range) int { return int(a.Partition) - int(b.Partition) })
	if text := all.String(); len(text) <= batch.MaxRangesBytes {
		return text
	}
	return ""
}

// ReadAt reads the file.
func (o *output) ReadAt(p []byte, offset int64) (n int, err error) {
	for _, piece := range o.pieces {
		if offset >= int64(len(piece)) {
			offset -= int64(len(piece))
			continue
		}
		n += copy(p[n:], piece[offset:])
		if offset = 0; n == len(p) {
			return n, nil
		}
	}
	return n, io.EOF
}

// createTimeout bounds an attempt to write an object, of 256 MiB at most.
const createTimeout = 2 * time.Minute

// attempts and pauses ride out what passes in seconds; for anything longer the
// next call begins again.
const attempts = 4

var pauses = retry.Backoff{Min: 200 * time.Millisecond, Max: 2 * time.Second}

// finish makes the object durable, and begins another one. The last object of a
// merge has the record of what all of them replace.
func (m *merging) finish(ctx context.Context, last bool) error {
	o := &m.output
	number := len(m.made) + 1
	var facts []format.KeyValue
	if last {
		number = 0
		fact, err := m.record().Fact()
		if err != nil {
			return err
		}
		facts = append(facts, fact)
	}
	if o.size == 0 { // of rows there are none
		o.pieces, o.size = [][]byte{[]byte(pages.Magic)}, int64(len(pages.Magic))
	}
	var footer bytes.Buffer
	if err := m.writer.WriteFooter(&footer, o.groups, facts); err != nil {
		return err
	}
	o.pieces, o.size = append(o.pieces, footer.Bytes()), o.size+int64(footer.Len())
	name := lake.MergedObject(m.task.folder, m.task.topic, m.task.topicID, m.generation, number)
	if err := m.reader.check(o, o.size, o.rows(), func(digest uint64) bool { return digest == o.digest }); err != nil {
		return fmt.Errorf("checking object %s before it is written: %w", name, err)
	}
	object := lake.Object{Name: name, Digest: o.digest, Ranges: o.ranges(), Pieces: o.pieces, Arrived: m.arrived()}
	mayPass := func(err error) bool {
		var conflict *lake.Conflict
		return !errors.As(err, &conflict)
	}
	err := retry.Do(ctx, attempts, pauses, mayPass, func() error {
		limited, cancel := context.WithTimeout(ctx, createTimeout)
		defer cancel()
		_, err := lake.CreateOnce(limited, m.bucket, object)
		return err
	})
	if err != nil {
		return err
	}
	m.made, m.records, m.bytes = append(m.made, name), m.records+o.rows(), m.bytes+o.size
	m.output = output{}
	return nil
}

// check reads a file that was made here and compares it with what it was made
// from: how many rows, and their digest. Rows below 0 are not compared.
func (r *reader) check(from io.ReaderAt, size, want int64, isRight func(digest uint64) bool) error {
	return guard(func() error {
		f, err := r.open(from, size)
		if err != nil {
			return err
		}
		var digest uint64
		count := int64(0)
		for i := range f.RowGroups() {
			some := newRows(r.format.Columns)
			if err := some.load(f, &group{part: &part{}, index: i}, window{}); err != nil {
				return err
			}
			order := make([]int32, some.count())
			for row := range order {
				order[row] = int32(row)
			}
			digest += some.digest(order)
			count += int64(some.count())
		}
		if want >= 0 && count != want || !isRight(digest) {
			return fmt.Errorf("it reads otherwise than the %d rows that it was made from", count)
		}
		return nil
	})
}
