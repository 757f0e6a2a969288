package lake

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/lake/pages"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// Parquet writes rows of one table as Parquet files. It is safe for concurrent
// use.
type Parquet struct {
	rows.Layout
	Schema  *parquet.Schema
	writers sync.Pool // of *pages.Writer
}

// NewParquet returns the format of the table's files.
func NewParquet(table *rows.Table) *Parquet {
	p := &Parquet{Layout: table.Layout}
	p.Schema = parquet.NewSchema(table.Name, newColumnGroup(table.Columns))
	elements := elementsOf(p.Schema)
	columns := make([]pages.Column, len(table.Columns))
	for i := range columns {
		c := &table.Columns[i]
		columns[i] = pages.Column{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Dictionary: repeats(c)}
	}
	p.writers.New = func() any { return pages.NewWriter(columns, elements, "stationflow version 1") }
	return p
}

// elementsOf returns what the footer of a file with the schema says of it.
func elementsOf(schema *parquet.Schema) []format.SchemaElement {
	empty := parquet.NewGenericWriter[any](new(bytes.Buffer), schema)
	if err := empty.Close(); err != nil {
		panic(err) // memory takes everything
	}
	return empty.File().Metadata().Schema
}

// Encode writes one file with the rows to dst. stamp is the rows'
// ingested_at, in microseconds since 1970-01-01 UTC.
func (p *Parquet) Encode(dst *bytes.Buffer, all rows.Set, stamp int64) error {
	w := p.writers.Get().(*pages.Writer)
	w.Reset(len(all.Own))
	for c, place := range p.Own {
		switch {
		case c == p.Stamp:
			w.Repeat(c, event.TimeValue(stamp))
		case place < 0:
			w.Repeat(c, all.Shared[c])
		}
	}
	for chunk := range slices.Chunk(all.Own, chunkRows) {
		for c, place := range p.Own {
			if place >= 0 {
				w.Append(c, chunk, place)
			}
		}
	}
	if err := w.WriteTo(dst); err != nil {
		return fmt.Errorf("encoding %d rows as Parquet: %w", len(all.Own), err)
	}
	p.writers.Put(w) // after an error or a panic its state is unknown: not reused
	return nil
}

// chunkRows is how many rows are handed over at once, one column after the
// other: few enough that they stay in the processor's cache meanwhile.
const chunkRows = 128

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
