package pages

import (
	"bytes"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/vectors"
)

// A Format is that of the lake's files of one table.
type Format struct {
	Columns []event.Column
	Schema  *parquet.Schema

	own      []Column
	elements []format.SchemaElement // what a footer says of the schema
}

// NewFormat returns the format of the table with the columns.
func NewFormat(table string, columns []event.Column) *Format {
	f := &Format{Columns: columns, Schema: parquet.NewSchema(table, newColumnGroup(columns)), own: make([]Column, len(columns))}
	f.elements = elementsOf(f.Schema)
	for i := range columns {
		c := &columns[i]
		f.own[i] = Column{Name: c.Name, Type: c.Type, Kind: vectors.KindOf(c), Nullable: c.Nullable}
	}
	return f
}

// NewWriter returns a writer of files of the format.
func (f *Format) NewWriter() *Writer { return NewWriter(f.own, f.elements, "stationflow version 1") }

// elementsOf returns what the footer of a file with the schema says of it.
func elementsOf(schema *parquet.Schema) []format.SchemaElement {
	empty := parquet.NewGenericWriter[any](new(bytes.Buffer), schema)
	if err := empty.Close(); err != nil {
		panic(err) // memory takes everything
	}
	return empty.File().Metadata().Schema
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
		return position(columns, a.Name()) - position(columns, b.Name())
	})
	return g
}

// Fields returns the columns in declared order.
func (g *columnGroup) Fields() []parquet.Field { return g.fields }

func position(columns []event.Column, name string) int {
	return slices.IndexFunc(columns, func(c event.Column) bool { return c.Name == name })
}

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
	if vectors.KindOf(column) == vectors.Words {
		node = parquet.Encoded(node, &parquet.RLEDictionary)
	} else {
		node = parquet.Encoded(node, &parquet.Plain)
	}
	if column.Nullable {
		node = parquet.Optional(node)
	}
	return node
}
