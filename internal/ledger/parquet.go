package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"cloud.google.com/go/storage"
	"github.com/parquet-go/parquet-go"
)

// coordinateColumns are those by which a record is known.
var coordinateColumns = []string{"kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset"}

// within bounds the events of which coordinates are read, by their own time; the
// zero value bounds nothing.
type within struct{ from, to time.Time }

func (w within) bounds() bool { return !w.from.IsZero() || !w.to.IsZero() }

// has reports whether the time is within, in microseconds since 1970.
func (w within) has(micros int64) bool {
	at := time.UnixMicro(micros)
	return !at.Before(w.from) && (w.to.IsZero() || at.Before(w.to))
}

// readCoordinates returns the coordinates of the rows of a Parquet file. It
// reads the footer and four columns, or five where a time bounds them. A file
// that is damaged is an error; one that cannot be fetched is an *outage.
func readCoordinates(from io.ReaderAt, size int64, in within) (spans map[Place]Spans, err error) {
	names := slices.Clone(coordinateColumns)
	if in.bounds() {
		names = append(names, "timestamp")
	}
	offsets := map[Place][]int64{}
	var place Place
	err = readRows(from, size, names, nil, func(row []parquet.Value) {
		if in.bounds() && !in.has(row[4].Int64()) {
			return
		}
		topic, id, partition := row[0].ByteArray(), row[1].ByteArray(), row[2].Int64()
		if place.Topic != string(topic) || place.TopicID != string(id) || place.Partition != partition { // most rows are like the one before
			place = Place{string(topic), string(id), partition}
		}
		offsets[place] = append(offsets[place], row[3].Int64())
	})
	if err != nil {
		return nil, err
	}
	spans = make(map[Place]Spans, len(offsets))
	for place, some := range offsets {
		spans[place] = Offsets(some)
	}
	return spans, nil
}

// readRows shows the columns of each row of a Parquet file. Of those that may be
// lacking, from older files, a value is null then.
func readRows(from io.ReaderAt, size int64, names, lacking []string, show func(row []parquet.Value)) (err error) {
	defer func() {
		if fault := recover(); fault != nil { // the library trusts what a file says of itself
			err = fmt.Errorf("it is no Parquet file that can be read: %v", fault)
		}
	}()
	file, err := parquet.OpenFile(from, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("it is no Parquet file that can be read: %w", err)
	}
	at := make([]int, len(names)+len(lacking))
	for i, name := range slices.Concat(names, lacking) {
		column, ok := file.Schema().Lookup(name)
		if at[i] = -1; !ok && i >= len(names) {
			continue
		} else if !ok {
			return fmt.Errorf("it has no column %s", name)
		}
		at[i] = column.ColumnIndex
	}
	for _, group := range file.RowGroups() {
		if err := showGroup(group, at, show); err != nil {
			return fmt.Errorf("its rows cannot be read: %w", err)
		}
	}
	return nil
}

func showGroup(group parquet.RowGroup, at []int, show func(row []parquet.Value)) error {
	columns := make([][]parquet.Value, len(at))
	for i := range columns {
		if at[i] < 0 {
			columns[i] = make([]parquet.Value, group.NumRows())
			continue
		}
		var err error
		if columns[i], err = values(group.ColumnChunks()[at[i]]); err != nil {
			return err
		}
		if int64(len(columns[i])) != group.NumRows() {
			return fmt.Errorf("a column has %d values for %d rows", len(columns[i]), group.NumRows())
		}
	}
	row := make([]parquet.Value, len(at))
	for i := range group.NumRows() {
		for c := range columns {
			row[c] = columns[c][i]
		}
		show(row)
	}
	return nil
}

// values reads a column, a few values at a time: how many there are is what the
// file says, which may be damaged.
func values(chunk parquet.ColumnChunk) (all []parquet.Value, err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	some := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		for reader := page.Values(); ; {
			n, err := reader.ReadValues(some)
			for _, value := range some[:n] {
				all = append(all, value.Clone())
			}
			if errors.Is(err, io.EOF) || n == 0 && err == nil {
				break
			}
			if err != nil {
				return nil, err
			}
		}
		parquet.Release(page)
	}
}

// blockBytes is how much of an object is fetched at once. Most objects have
// fewer bytes; of large ones, what lies between the columns is not fetched.
const blockBytes = 1 << 20

// Blocks reads an object in blocks, each once.
type blocks struct {
	ctx    context.Context
	object *storage.ObjectHandle
	size   int64

	number int64
	held   []byte
}

// An outage is why an object could not be fetched.
type outage struct{ error }

func (o *outage) Unwrap() error { return o.error }

// ReadAt fetches the blocks that it needs.
func (b *blocks) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) {
		if offset >= b.size {
			return n, io.EOF
		}
		if err := b.fetch(offset / blockBytes); err != nil {
			return n, err
		}
		start := offset % blockBytes
		if start >= int64(len(b.held)) {
			return n, io.ErrUnexpectedEOF
		}
		copied := copy(p[n:], b.held[start:])
		n, offset = n+copied, offset+int64(copied)
	}
	return n, nil
}

func (b *blocks) fetch(number int64) error {
	if b.held != nil && b.number == number {
		return nil
	}
	first := number * blockBytes
	reader, err := b.object.NewRangeReader(b.ctx, first, min(blockBytes, b.size-first))
	if err == nil {
		b.held, err = io.ReadAll(reader)
		err = errors.Join(err, reader.Close())
	}
	if err != nil {
		b.held = nil
		return &outage{err}
	}
	b.number = number
	return nil
}
