package lake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// Contents are what a Parquet file of a table holds.
type contents struct {
	columns []string
	rows    map[coordinates]parquet.Row // values in the columns' order
}

// Coordinates tell the records of a topic apart.
type coordinates struct {
	partition int32
	offset    int64
}

func coordinatesOf(r *batch.Record) coordinates { return coordinates{r.Partition, r.Offset} }

func (c coordinates) String() string {
	return fmt.Sprintf("partition %d, offset %d", c.partition, c.offset)
}

func readContents(data []byte) (*contents, error) {
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("reading Parquet: %w", err)
	}
	c := &contents{rows: make(map[coordinates]parquet.Row)}
	for _, path := range file.Schema().Columns() {
		c.columns = append(c.columns, path[0])
	}
	partition, offset := slices.Index(c.columns, "kafka_partition"), slices.Index(c.columns, "kafka_offset")
	if partition < 0 || offset < 0 {
		return nil, errors.New("reading Parquet: there is no column kafka_partition or kafka_offset")
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
			c.rows[coordinates{int32(row[0][partition].Int64()), row[0][offset].Int64()}] = row[0].Clone()
		}
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading Parquet: %w", err)
		}
	}
}

func (c *contents) has(at coordinates) bool { return c.rows[at] != nil }

// sameRecord reports whether the rows at the coordinates were made from the same
// record. It compares the columns that both files have, without those that
// differ between deliveries.
func (c *contents) sameRecord(other *contents, at coordinates) bool {
	mine, others := c.rows[at], other.rows[at]
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
		if other := slices.Index(other.columns, column); other >= 0 && !parquet.Equal(mine[i], others[other]) {
			return false
		}
	}
	return true
}
