package pages

import (
	"encoding/binary"

	"github.com/parquet-go/parquet-go/format"
)

// A pageHeader is what stands before a page, but for its sizes.
type pageHeader struct {
	kind     format.PageType
	values   int // with NULLs, or the entries of a dictionary
	encoding format.Encoding
}

// The types of Thrift's compact protocol that a header needs, and where a
// struct ends. Before a field stands its type, and how far its number is from
// that of the field before:
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
const (
	thriftInt    = 5
	thriftStruct = 12
	thriftStop   = 0
)

// appendTo adds the header as Thrift's compact protocol has it; the sizes are
// those of the page, and of what is stored of it, in bytes.
func (h *pageHeader) appendTo(dst []byte, size, stored int) []byte {
	next := func(n int64) { dst = binary.AppendVarint(append(dst, 1<<4|thriftInt), n) }
	next(int64(h.kind))
	next(int64(size))
	next(int64(stored))
	if h.kind == format.DictionaryPage {
		dst = append(dst, 4<<4|thriftStruct)
	} else {
		dst = append(dst, 2<<4|thriftStruct)
	}
	next(int64(h.values))
	next(int64(h.encoding))
	if h.kind != format.DictionaryPage {
		next(int64(format.RLE)) // of definition levels
		next(int64(format.RLE)) // of repetition levels, of which there are none
	}
	return append(dst, thriftStop, thriftStop)
}

// data writes a data page of so many rows and bytes, as it is stored.
func (k *chunk) data(rows int, encoding format.Encoding, size int, stored []byte) {
	if k.meta.DataPageOffset == 0 {
		k.meta.DataPageOffset = k.offset()
	}
	k.put(pageHeader{format.DataPage, rows, encoding}, size, stored)
}

func (k *chunk) offset() int64 { return k.at + int64(k.dst.Len()-k.start) }

// compress returns a page as it is stored in a chunk of this codec, until the
// next call. Where it is not worth compressing, it is put into a frame as it is.
func (k *chunk) compress(page []byte, worth bool) []byte {
	switch {
	case k.meta.Codec != format.Zstd:
		return page
	case worth:
		k.compressed = compressor().EncodeAll(page, k.compressed[:0])
	default:
		k.compressed = appendRaw(appendFrame(k.compressed[:0], len(page)), page, true)
	}
	return k.compressed
}

// put writes a page of so many bytes, as it is stored, behind its header.
func (k *chunk) put(header pageHeader, size int, stored []byte) {
	k.header = header.appendTo(k.header[:0], size, len(stored))
	k.dst.Write(k.header)
	k.dst.Write(stored)
	k.meta.TotalUncompressedSize += int64(len(k.header) + size)
	k.meta.TotalCompressedSize += int64(len(k.header) + len(stored))
}
