// Package pages writes Parquet files straight from rows of events: flat
// columns, two encodings (PLAIN and RLE_DICTIONARY) in data pages of version 1,
// Zstandard. These are what every reader takes. A file of ingest has one row
// group; one that functions/compact merges can have several.
//
// It exists for speed. What it writes, and what a general writer does of the
// same rows, read alike: that is its test.
//
// The format: https://parquet.apache.org/docs/file-format/
package pages

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/vectors"
)

// A Column is a column of a file.
type Column struct {
	Name     string
	Type     event.Type
	Kind     vectors.Kind // Words where texts are expected to repeat; numbers show it themselves
	Nullable bool
}

// Magic begins a file, and ends it.
const Magic = "PAR1"

// A Writer writes one file after another in memory that it uses again. It is
// for one goroutine at a time. After an error it must not be used.
type Writer struct {
	schema    []format.SchemaElement
	createdBy string
	columns   []column
	rows      int
	groups    bool // the files have several row groups

	header     []byte // of a page
	page       []byte // before its compression
	compressed []byte
	blocks     []byte // of a frame
	plain      []byte // of a column whose values are not held so
	numbers    numbering
	present    []int64  // of a column with NULLs
	ids        []uint32 // of such a column
}

// NewWriter returns a writer of files with the columns; schema is how their
// footers describe these.
func NewWriter(columns []Column, schema []format.SchemaElement, createdBy string) *Writer {
	w := &Writer{schema: schema, createdBy: createdBy, columns: make([]column, len(columns))}
	for i := range w.columns {
		w.columns[i].Column, w.columns[i].own.Kind = columns[i], columns[i].Kind
	}
	return w
}

// Groups says that the files that follow may have several row groups.
func (w *Writer) Groups() { w.groups = true }

// Reset begins the next row group, of so many rows. Each column then gets as
// many values, by Take, Add or Repeat.
func (w *Writer) Reset(rows int) {
	w.rows = rows
	for i := range w.columns {
		w.columns[i].reset()
	}
}

// Take has column c hold the rows, ascending, of the vector, which may not
// change before the row group is written.
func (w *Writer) Take(c int, v *vectors.Vector, rows []int32) { w.columns[c].take(v, rows) }

// Add adds the values to column c. It keeps nothing of them.
func (w *Writer) Add(c int, values []event.Value) { w.columns[c].own.Append(values, 1) }

// Repeat says that all rows have the value in column c.
func (w *Writer) Repeat(c int, value event.Value) { w.columns[c].repeat(value, w.rows) }

// WriteTo adds the file to dst, with one row group.
func (w *Writer) WriteTo(dst *bytes.Buffer) error {
	dst.WriteString(Magic)
	var groups []format.RowGroup
	if w.rows > 0 {
		group, err := w.WriteGroup(dst, int64(len(Magic)))
		if err != nil {
			return err
		}
		groups = append(groups, group)
	}
	return w.WriteFooter(dst, groups, nil)
}

// WriteGroup adds the rows to dst as a row group of a file; at is where in the
// file the group begins. The first one begins behind Magic.
func (w *Writer) WriteGroup(dst *bytes.Buffer, at int64) (format.RowGroup, error) {
	chunk := chunk{Writer: w, dst: dst, start: dst.Len(), at: at}
	group := format.RowGroup{NumRows: int64(w.rows), FileOffset: at, Columns: make([]format.ColumnChunk, len(w.columns))}
	for i := range w.columns {
		c := &w.columns[i]
		if c.rows() != w.rows {
			return group, fmt.Errorf("column %s has %d values for %d rows", c.Name, c.rows(), w.rows)
		}
		if c.nulls() > 0 && !c.Nullable {
			return group, fmt.Errorf("column %s has NULL, which it may not", c.Name)
		}
		chunk.write(c)
		group.Columns[i].MetaData = chunk.meta
		group.TotalByteSize += chunk.meta.TotalUncompressedSize
		group.TotalCompressedSize += chunk.meta.TotalCompressedSize
	}
	w.Reset(0) // what was taken is not the writer's
	return group, nil
}

// WriteFooter adds to dst what ends a file of the row groups, with further
// facts about it by their keys.
func (w *Writer) WriteFooter(dst *bytes.Buffer, groups []format.RowGroup, facts []format.KeyValue) error {
	footer := format.FileMetaData{
		Version:          1,
		Schema:           w.schema,
		RowGroups:        groups,
		KeyValueMetadata: facts,
		CreatedBy:        w.createdBy,
		ColumnOrders:     make([]format.ColumnOrder, len(w.columns)),
	}
	for i := range groups {
		footer.NumRows += groups[i].NumRows
	}
	for i := range footer.ColumnOrders {
		footer.ColumnOrders[i].Value = new(format.TypeDefinedOrder)
	}
	begin := dst.Len()
	if err := marshal(dst, &footer); err != nil {
		return fmt.Errorf("encoding the footer: %w", err)
	}
	dst.Write(binary.LittleEndian.AppendUint32(nil, uint32(dst.Len()-begin)))
	dst.WriteString(Magic)
	return nil
}

func marshal(dst *bytes.Buffer, value any) error {
	return thrift.NewEncoder(new(thrift.CompactProtocol).NewWriter(dst)).Encode(value)
}
