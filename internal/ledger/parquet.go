package ledger

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/internal/lake/parquetfile"
)

// readCoordinates returns the coordinates of the rows of a Parquet file. It
// reads the footer and four columns. A file that is damaged is an error, and so
// is one that cannot be fetched: lake.IsOutage tells.
func readCoordinates(from io.ReaderAt, size int64) (spans map[Place]Spans, err error) {
	defer func() {
		if fault := recover(); fault != nil { // the library trusts what a file says of itself
			err = fmt.Errorf("it is no Parquet file that can be read: %v", fault)
		}
	}()
	file, at, err := parquetfile.Open(from, size, "kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset")
	if err != nil {
		return nil, err
	}
	offsets := map[Place][]int64{}
	for group := range file.RowGroups() {
		if err := addGroup(offsets, file, group, [4]int(at)); err != nil {
			return nil, fmt.Errorf("its rows cannot be read: %w", err)
		}
	}
	spans = make(map[Place]Spans, len(offsets))
	for place, some := range offsets {
		spans[place] = Offsets(some)
	}
	return spans, nil
}

func addGroup(to map[Place][]int64, file *parquetfile.File, group int, at [4]int) error {
	var columns [4][]parquet.Value
	rows := file.RowGroups()[group].NumRows()
	for i := range columns {
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
	var place Place
	var offsets []int64
	for row := range columns[0] {
		topic, id, partition := columns[0][row].ByteArray(), columns[1][row].ByteArray(), columns[2][row].Int64()
		if place.Topic != string(topic) || place.TopicID != string(id) || place.Partition != partition || row == 0 {
			if row > 0 {
				to[place] = offsets
			}
			place = Place{string(topic), string(id), partition}
			offsets = to[place]
		}
		offsets = append(offsets, columns[3][row].Int64())
	}
	if len(columns[0]) > 0 {
		to[place] = offsets
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
