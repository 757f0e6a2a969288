package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

// An object exists under the name of a batch, and is not what this delivery
// would write. There are two reasons for which that is no harm:
//
//   - The earlier delivery decided otherwise about some records, because of
//     the time of receipt, or as another version of this program.
//   - Kafka has compacted the partition since, and the batch has fewer records
//     between the same first and last offset.
//
// What the object lacks then goes into further objects, and what it holds
// besides stays. Only where a record is another one than the object holds under
// its offset, there is a conflict.

// complete makes durable what the object of the batch lacks of the rows. With
// a conflict it compares the records first, and returns the conflict where they
// differ. Each run of records that all are missing is treated as a batch of
// its own, so that name and digest are those that such a batch would have.
func (f *Function) complete(ctx context.Context, to target, b *batch.Batch, some rows, conflict *lake.Conflict) error {
	held, err := f.archived(ctx, to.name(b))
	if err != nil {
		return err
	}
	if conflict != nil {
		if err := f.compare(ctx, to, b, held, conflict); err != nil {
			return err
		}
	}
	wanted := slices.Collect(to.offsets(some.own)) // in the order of the batch's records
	first, firstRow, row := 0, 0, 0                // of the run, and the row of the next record
	for i := range len(b.Records) + 1 {
		is := i < len(b.Records) && row < len(wanted) && wanted[row] == b.Records[i].Offset
		if is && !held.has(wanted[row]) {
			row++
			continue
		}
		if i > first {
			run := *b
			run.Records = b.Records[first:i]
			if err := f.archiveRun(ctx, to, b, &run, rows{shared: some.shared, own: some.own[firstRow:row]}); err != nil {
				return err
			}
		}
		if is {
			row++
		}
		first, firstRow = i+1, row
	}
	return nil
}

// archiveRun makes durable a run of records of the batch, each of which has a
// row, in two parts if it is the whole batch, whose name is taken.
func (f *Function) archiveRun(ctx context.Context, to target, b, run *batch.Batch, own rows) error {
	n := len(run.Records)
	parts := []int{0, n}
	if n == len(b.Records) {
		if n == 1 {
			return fmt.Errorf("looking there for offset %d, after which it is named: %w", b.FirstOffset(), &lake.Conflict{Name: to.name(b)})
		}
		parts = []int{0, n / 2, n}
	}
	for i, end := range parts[1:] {
		part, begin := *run, parts[i]
		part.Records = run.Records[begin:end]
		if _, err := f.archiveRows(ctx, to, &part, lake.Digest(&part), rows{shared: own.shared, own: own.own[begin:end]}); err != nil {
			return err
		}
	}
	return nil
}

// compare returns an error, which is the conflict, where the object holds
// another record under an offset of the batch's.
func (f *Function) compare(ctx context.Context, to target, b *batch.Batch, held *contents, conflict *lake.Conflict) error {
	all, err := to.all(ctx, b)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := to.parquet.encode(&file, all, 0); err != nil {
		return err
	}
	ours, err := readContents(file.Bytes())
	if err != nil {
		return fmt.Errorf("comparing the records of object %s: %w", conflict.Name, err)
	}
	for i := range b.Records {
		at := b.Records[i].Offset
		if held.has(at) && !held.sameRecord(ours, at) {
			return fmt.Errorf("comparing the record at offset %d with the one there: %w", at, conflict)
		}
	}
	return nil
}

// longAfter is later than any time of receipt: nothing that was accepted once
// is too far ahead of it.
var longAfter = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// allRows returns the rows of all records of the batch that can be good.
func (t *topic) allRows(_ context.Context, b *batch.Batch) (rows, error) {
	d := newDecoded()
	d.decode(t, b, longAfter)
	return d.good, nil
}

// archived returns what a Parquet object holds. One that cannot be read is
// none that this program wrote: a conflict.
func (f *Function) archived(ctx context.Context, name string) (*contents, error) {
	var data []byte
	err := f.inLake(ctx, func(ctx context.Context) (err error) {
		data, err = lake.Read(ctx, f.bucket, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	held, err := readContents(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", &lake.Conflict{Name: name}, err)
	}
	return held, nil
}

// Contents are those of a Parquet file of a table.
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

// sameRecord tells whether the rows at the offset were made from the same
// record, as far as columns tell which both files have, and which say nothing
// of a delivery.
func (c *contents) sameRecord(other *contents, offset int64) bool {
	mine, others := c.rows[offset], other.rows[offset]
	if mine == nil || others == nil {
		return false
	}
	versions := !slices.Equal(c.columns, other.columns)
	for i, column := range c.columns {
		switch column {
		case ingestedAt, "batch_id", "reason", "detail":
			continue
		case "extra": // has what another version may have a column for
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
