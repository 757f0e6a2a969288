package ledger

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/internal/lake/parquetfile"
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
// that is damaged is an error, and so is one that cannot be fetched: lake.IsOutage
// tells.
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
	file, at, err := parquetfile.Open(from, size, names...)
	if err != nil {
		return err
	}
	for _, name := range lacking {
		column, ok := file.Schema().Lookup(name)
		if !ok {
			column.ColumnIndex = -1
		}
		at = append(at, column.ColumnIndex)
	}
	for group := range file.RowGroups() {
		if err := showGroup(file, group, at, show); err != nil {
			return fmt.Errorf("its rows cannot be read: %w", err)
		}
	}
	return nil
}

func showGroup(file *parquetfile.File, group int, at []int, show func(row []parquet.Value)) error {
	columns := make([][]parquet.Value, len(at))
	rows := file.RowGroups()[group].NumRows()
	for i := range columns {
		if at[i] < 0 {
			continue
		}
		pages, err := file.Pages(group, at[i])
		if err != nil {
			return err
		}
		if columns[i], err = values(pages); err != nil {
			return err
		}
		if int64(len(columns[i])) != rows {
			return fmt.Errorf("a column has %d values for %d rows", len(columns[i]), rows)
		}
	}
	row := make([]parquet.Value, len(at))
	for i := range rows {
		for c := range columns {
			if at[c] >= 0 {
				row[c] = columns[c][i]
			}
		}
		show(row)
	}
	return nil
}

// values reads a column, a few values at a time: how many there are is what the
// file says, which may be damaged.
func values(pages parquet.Pages) (all []parquet.Value, err error) {
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
