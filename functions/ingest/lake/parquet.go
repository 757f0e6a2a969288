package lake

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// Parquet writes rows of one table as Parquet files. It is safe for concurrent
// use.
type Parquet struct {
	rows.Layout
	Schema  *parquet.Schema
	writers sync.Pool // of *parquetWriter
}

// NewParquet returns the format of the table's files.
func NewParquet(table *rows.Table) *Parquet {
	p := &Parquet{Layout: table.Layout}
	p.Schema = parquet.NewSchema(table.Name, newColumnGroup(table.Columns))
	p.writers.New = func() any { return p.newWriter() }
	return p
}

// Encode writes one file with the rows to dst. stamp is the rows'
// ingested_at, in microseconds since 1970-01-01 UTC.
func (p *Parquet) Encode(dst *bytes.Buffer, all rows.Set, stamp int64) error {
	w := p.writers.Get().(*parquetWriter)
	if err := w.write(dst, all, stamp); err != nil {
		return fmt.Errorf("encoding %d rows as Parquet: %w", len(all.Own), err)
	}
	p.writers.Put(w) // after an error or a panic its state is unknown: not reused
	return nil
}

// A parquetWriter writes one file after another, column by column, in reused
// memory.
type parquetWriter struct {
	format *Parquet
	file   *parquet.GenericWriter[any]
	values []parquet.Value
}

// chunkRows is how many rows are handed over at once, one column after the
// other: few enough that they stay in the processor's cache meanwhile.
const chunkRows = 128

func (p *Parquet) newWriter() *parquetWriter {
	return &parquetWriter{
		format: p,
		values: make([]parquet.Value, chunkRows),
		file: parquet.NewGenericWriter[any](nil, p.Schema,
			parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
			parquet.DataPageVersion(1),        // which every reader takes
			parquet.DataPageStatistics(false), // the footer has them
			parquet.CreatedBy("stationflow", "1", ""),
		),
	}
}

func (w *parquetWriter) write(dst *bytes.Buffer, all rows.Set, stamp int64) error {
	w.file.Reset(dst)
	for c, column := range w.file.ColumnWriters() {
		if err := w.writeShared(column, c, all, stamp); err != nil {
			return fmt.Errorf("column %s: %w", w.format.Columns[c].Name, err)
		}
	}
	for chunk := range slices.Chunk(all.Own, chunkRows) {
		for c, column := range w.file.ColumnWriters() {
			if w.format.Own[c] < 0 {
				continue
			}
			values := w.values[:len(chunk)]
			w.fill(values, c, chunk)
			if _, err := column.WriteRowValues(values); err != nil {
				return fmt.Errorf("column %s: %w", w.format.Columns[c].Name, err)
			}
		}
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	return withoutLongStatistics(dst, w.file.File().Metadata())
}

// writeShared writes the whole of column c if the rows share its value.
func (w *parquetWriter) writeShared(column *parquet.ColumnWriter, c int, all rows.Set, stamp int64) error {
	if w.format.Own[c] >= 0 {
		return nil
	}
	value := parquetValue(w.format.Columns[c].Type, &all.Shared[c])
	if c == w.format.Stamp {
		value = parquet.Int64Value(stamp)
	}
	for i := range w.values {
		w.values[i] = value
	}
	for left := len(all.Own); left > 0; left -= chunkRows {
		if _, err := column.WriteRowValues(w.values[:min(left, chunkRows)]); err != nil {
			return err
		}
	}
	return nil
}

// fill sets values to column c of the rows, which do not share it.
func (w *parquetWriter) fill(values []parquet.Value, c int, own []event.Row) {
	column, at := &w.format.Columns[c], w.format.Own[c]
	if !column.Nullable {
		for i := range values {
			values[i] = parquetValue(column.Type, &own[i][at])
		}
		return
	}
	for i := range values {
		values[i] = parquet.NullValue()
		if v := &own[i][at]; !v.Null() {
			values[i] = parquetValue(column.Type, v).Level(0, 1, c)
		}
	}
}

func parquetValue(t event.Type, v *event.Value) parquet.Value {
	switch t {
	case event.String, event.Bytes:
		return parquet.ByteArrayValue(v.Text())
	case event.Float64:
		return parquet.DoubleValue(v.Float())
	}
	return parquet.Int64Value(v.Int())
}

// A columnGroup is a Parquet group whose fields keep the order in which the
// columns are declared; the library's own sorts them by name.
type columnGroup struct {
	parquet.Group
	fields []parquet.Field
}

func newColumnGroup(columns []event.Column) *columnGroup {
	g := &columnGroup{Group: parquet.Group{}}
	for i := range columns {
		g.Group[columns[i].Name] = columnNode(&columns[i])
	}
	g.fields = g.Group.Fields()
	slices.SortFunc(g.fields, func(a, b parquet.Field) int {
		return rows.Position(columns, a.Name()) - rows.Position(columns, b.Name())
	})
	return g
}

// Fields returns the columns in declared order.
func (g *columnGroup) Fields() []parquet.Field { return g.fields }

func columnNode(column *event.Column) parquet.Node {
	var node parquet.Node
	switch column.Type {
	case event.String:
		node = parquet.String()
	case event.Bytes:
		node = parquet.Leaf(parquet.ByteArrayType)
	case event.Int64:
		node = parquet.Leaf(parquet.Int64Type)
	case event.Float64:
		node = parquet.Leaf(parquet.DoubleType)
	case event.Timestamp:
		node = parquet.Timestamp(parquet.Microsecond)
	}
	// The two encodings that every reader knows; the library's own choice for
	// strings is a newer one.
	if repeats(column) {
		node = parquet.Encoded(node, &parquet.RLEDictionary)
	} else {
		node = parquet.Encoded(node, &parquet.Plain)
	}
	if column.Nullable {
		node = parquet.Optional(node)
	}
	return node
}

// repeats reports whether a column has few distinct values within a batch, so
// that a dictionary is worth its price.
func repeats(column *event.Column) bool {
	return column.Type == event.String && column.Name != "id" && column.Name != "train_id" && column.Name != "extra"
}
