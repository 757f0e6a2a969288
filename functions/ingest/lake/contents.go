package lake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// Contents are what a Parquet file of a table holds.
type contents struct {
	columns []string
	rows    map[int64]parquet.Row // by offset; values in the columns' order
}

func readContents(data []byte) (*contents, error) {
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("reading Parquet: %w", err)
	}
	c := &contents{rows: make(map[int64]parquet.Row)}
	for _, path := range file.Schema().Columns() {
		c.columns = append(c.columns, path[0])
	}
	offset := slices.Index(c.columns, "kafka_offset")
	if offset < 0 {
		return nil, errors.New("reading Parquet: there is no column kafka_offset")
	}
	reader := parquet.NewReader(file)
	defer func() { _ = reader.Close() }()
	row := make([]parquet.Row, 1)
	for {
		n, err := reader.ReadRows(row)
		if n == 1 {
			if len(row[0]) != len(c.columns) {
				return nil, fmt.Errorf("reading Parquet: a row has %d values for %d columns", len(row[0]), len(c.columns))
			}
			c.rows[row[0][offset].Int64()] = row[0].Clone()
		}
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading Parquet: %w", err)
		}
	}
}

func (c *contents) has(offset int64) bool { return c.rows[offset] != nil }

// sameRecord reports whether the rows at the offset were made from the same
// record. It compares the columns that both files have, without those that
// differ between deliveries.
func (c *contents) sameRecord(other *contents, offset int64) bool {
	mine, others := c.rows[offset], other.rows[offset]
	if mine == nil || others == nil {
		return false
	}
	versions := !slices.Equal(c.columns, other.columns)
	for i, column := range c.columns {
		switch column {
		case rows.IngestedAt, "batch_id", "reason", "detail":
			continue
		case "extra": // holds what another version may have a column for
			if versions {
				continue
			}
		}
		if at := slices.Index(other.columns, column); at >= 0 && !parquet.Equal(mine[i], others[at]) {
			return false
		}
	}
	return true
}
