// Package pages writes Parquet files straight from rows of events: flat
// columns, one row group, two encodings (PLAIN and RLE_DICTIONARY) in data
// pages of version 1, Zstandard. These are what every reader takes.
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
)

// A Column is a column of a file.
type Column struct {
	Name       string
	Type       event.Type
	Nullable   bool
	Dictionary bool // the strings are expected to repeat; numbers show it themselves
}

const magic = "PAR1"

// A Writer writes one file after another in memory that it uses again. It is
// for one goroutine at a time. After an error it must not be used.
type Writer struct {
	schema    []format.SchemaElement
	createdBy string
	columns   []column
	rows      int

	header     []byte // of a page
	page       []byte // before its compression
	compressed []byte
	numbers    numbering
}

// NewWriter returns a writer of files with the columns; schema is how their
// footers describe these.
func NewWriter(columns []Column, schema []format.SchemaElement, createdBy string) *Writer {
	w := &Writer{schema: schema, createdBy: createdBy, columns: make([]column, len(columns))}
	for i := range w.columns {
		w.columns[i].Column = columns[i]
	}
	return w
}

// Reset begins the next file, of so many rows. Each column then gets as many
// values, by Append or Repeat.
func (w *Writer) Reset(rows int) {
	w.rows = rows
	for i := range w.columns {
		w.columns[i].reset()
	}
}

// Append adds the value at the place of each row to column c. It keeps
// nothing of the rows.
func (w *Writer) Append(c int, rows []event.Row, place int) { w.columns[c].append(rows, place) }

// Repeat says that all rows have the value in column c.
func (w *Writer) Repeat(c int, value event.Value) { w.columns[c].repeat(value, w.rows) }

// WriteTo adds the file to dst.
func (w *Writer) WriteTo(dst *bytes.Buffer) error {
	start := dst.Len()
	dst.WriteString(magic)
	footer := format.FileMetaData{
		Version:      1,
		Schema:       w.schema,
		NumRows:      int64(w.rows),
		CreatedBy:    w.createdBy,
		ColumnOrders: make([]format.ColumnOrder, len(w.columns)),
	}
	for i := range footer.ColumnOrders {
		footer.ColumnOrders[i].TypeOrder = new(format.TypeDefinedOrder)
	}
	if w.rows > 0 {
		group, err := w.writeGroup(dst, start)
		if err != nil {
			return err
		}
		footer.RowGroups = []format.RowGroup{group}
	}
	begin := dst.Len()
	if err := marshal(dst, &footer); err != nil {
		return fmt.Errorf("encoding the footer: %w", err)
	}
	dst.Write(binary.LittleEndian.AppendUint32(nil, uint32(dst.Len()-begin)))
	dst.WriteString(magic)
	return nil
}

// writeGroup writes the row group; the file begins at start of dst.
func (w *Writer) writeGroup(dst *bytes.Buffer, start int) (format.RowGroup, error) {
	group := format.RowGroup{NumRows: int64(w.rows), FileOffset: int64(dst.Len() - start), Columns: make([]format.ColumnChunk, len(w.columns))}
	for i := range w.columns {
		c := &w.columns[i]
		if c.rows() != w.rows {
			return group, fmt.Errorf("column %s has %d values for %d rows", c.Name, c.rows(), w.rows)
		}
		chunk := chunk{Writer: w, dst: dst, start: start}
		chunk.write(c)
		group.Columns[i].MetaData = chunk.meta
		group.TotalByteSize += chunk.meta.TotalUncompressedSize
		group.TotalCompressedSize += chunk.meta.TotalCompressedSize
	}
	return group, nil
}

func marshal(dst *bytes.Buffer, value any) error {
	return thrift.NewEncoder(new(thrift.CompactProtocol).NewWriter(dst)).Encode(value)
}
