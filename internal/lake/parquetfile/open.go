// Package parquetfile opens Parquet objects of the lake that may be damaged. The
// library takes as much memory as a file says that it needs, so that a few
// bytes that are wrong end the process; here what a file says is held against
// its size first.
package parquetfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// What a file of the lake has at most: pages are of one row group, which has
// the records of a batch, and a batch has a bounded number of bytes.
const (
	maxPageBytes  = 64 << 20
	maxPageValues = 4 << 20
)

// headerBytes is how much is read at once to see a page's header, which is some
// 50 bytes without statistics.
const headerBytes = 16 << 10

// A File is a Parquet file whose pages are looked at before they are read.
type File struct {
	*parquet.File

	from io.ReaderAt
	size int64
}

// Open opens a Parquet file and returns which columns of a row group the named
// ones are. An error says what is wrong with the file, or wraps the one that
// from gave.
func Open(from io.ReaderAt, size int64, columns ...string) (file *File, at []int, err error) {
	defer func() {
		if fault := recover(); fault != nil { // the library trusts what a file says of itself
			file, at, err = nil, nil, fmt.Errorf("it is no Parquet file that can be read: %v", fault)
		}
	}()
	if err := checkFooter(from, size); err != nil {
		return nil, nil, fmt.Errorf("it is no Parquet file that can be read: %w", err)
	}
	opened, err := parquet.OpenFile(from, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, nil, fmt.Errorf("it is no Parquet file that can be read: %w", err)
	}
	for _, name := range columns {
		column, ok := opened.Schema().Lookup(name)
		if !ok {
			return nil, nil, fmt.Errorf("it has no column %s", name)
		}
		at = append(at, column.ColumnIndex)
	}
	return &File{opened, from, size}, at, nil
}

// Pages returns the pages of a column in a row group. What is inside them may
// still be damaged: reading them may panic.
func (f *File) Pages(group, column int) (parquet.Pages, error) {
	if err := checkChunk(f.from, f.size, &f.Metadata().RowGroups[group], column); err != nil {
		return nil, err
	}
	return f.RowGroups()[group].ColumnChunks()[column].Pages(), nil
}

// checkFooter holds the footer's length against the file's.
func checkFooter(from io.ReaderAt, size int64) error {
	const magic, tail = 4, 8
	if size < magic+tail {
		return fmt.Errorf("it has %d bytes", size)
	}
	end := make([]byte, tail)
	if _, err := from.ReadAt(end, size-tail); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if length := int64(binary.LittleEndian.Uint32(end)); length > size-magic-tail {
		return fmt.Errorf("its footer is of %d bytes, the file of %d", length, size)
	}
	return nil
}

// checkChunk holds the headers of a column's pages in a row group against the
// chunk that they are in.
func checkChunk(from io.ReaderAt, size int64, group *format.RowGroup, column int) error {
	if column >= len(group.Columns) {
		return errors.New("a row group has too few columns")
	}
	chunk := &group.Columns[column].MetaData
	if chunk.Codec != format.Uncompressed && chunk.Codec != format.Zstd {
		// Others do not say how large they become, and one takes memory without end
		// where it is damaged.
		return fmt.Errorf("it is compressed by %v: the lake's files are by ZSTD or not at all", chunk.Codec)
	}
	start := chunk.DataPageOffset
	if chunk.DictionaryPageOffset != 0 {
		start = chunk.DictionaryPageOffset
	}
	if start < 0 || chunk.TotalCompressedSize < 0 || chunk.TotalCompressedSize > size-start || chunk.NumValues != group.NumRows {
		return errors.New("the footer contradicts itself")
	}
	for at, end := start, start+chunk.TotalCompressedSize; at < end; {
		next, err := checkPage(from, at, end, chunk)
		if err != nil {
			return err
		}
		at = next
	}
	return nil
}

// checkPage returns where the page that begins there ends.
func checkPage(from io.ReaderAt, at, end int64, chunk *format.ColumnMetaData) (next int64, err error) {
	some := make([]byte, min(headerBytes, end-at))
	if _, err := from.ReadAt(some, at); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	rest := bytes.NewReader(some)
	var header format.PageHeader
	var protocol thrift.CompactProtocol
	if err := thrift.NewDecoder(protocol.NewReader(rest)).Decode(&header); err != nil {
		return 0, fmt.Errorf("the header of a page: %w", err)
	}
	body := some[len(some)-rest.Len():]
	next = at + int64(len(some)-len(body)) + int64(header.CompressedPageSize)
	switch {
	case header.CompressedPageSize < 0 || next > end:
		return 0, errors.New("a page is larger than its column")
	case header.UncompressedPageSize < 0 || header.UncompressedPageSize > maxPageBytes:
		return 0, fmt.Errorf("a page is of %d bytes", header.UncompressedPageSize)
	}
	if n := valuesOf(&header); n < 0 || int64(n) > chunk.NumValues || n > maxPageValues {
		return 0, fmt.Errorf("a page has %d values of %d", n, chunk.NumValues)
	}
	if chunk.Codec == format.Zstd {
		err = checkFrame(body, int64(header.UncompressedPageSize))
	}
	return next, err
}

// valuesOf is how many values a page has, of which a dictionary has no more
// than its column.
func valuesOf(header *format.PageHeader) int32 {
	return max(header.DataPageHeader.V.NumValues, header.DataPageHeaderV2.V.NumValues, header.DictionaryPageHeader.V.NumValues)
}

// checkFrame holds what a compressed page says of its size against what its
// header says; levels, which are not compressed, may lie in front of it.
func checkFrame(body []byte, size int64) error {
	var frame zstd.Header
	// Of what is no frame the decompressor tells what is wrong.
	if frame.Decode(body) == nil && frame.HasFCS && frame.FrameContentSize > uint64(size) {
		return fmt.Errorf("a page of %d bytes holds one of %d", size, frame.FrameContentSize)
	}
	return nil
}
