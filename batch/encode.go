package batch

import (
	"encoding/binary"
)

// The parts of an Object Container File, see
// https://avro.apache.org/docs/1.12.0/specification/#object-container-files.
// The sync marker is the same in every file, so that equal batches are equal
// bytes; nothing ever looks for it.
const (
	magic        = "Obj\x01"
	syncMarker   = "\x9b\x1e\xd3\x47\x5a\xc8\x06\xf1\x6d\x82\x3c\xe0\xb7\x29\x94\x5f"
	codecNull    = "null"
	codecDeflate = "deflate"

	// maxBlockPrefix is the room for a block's record count and byte size.
	// 20,000 takes three bytes, 8 MiB four.
	maxBlockPrefix = 3 + 4
)

// The headers of files: all that precedes the first block.
var (
	plainHeader      = appendFileHeader(nil, codecNull)
	compressedHeader = appendFileHeader(nil, codecDeflate)
)

// overhead bounds the bytes of a file that are not records.
var overhead = len(compressedHeader) + maxBlockPrefix + len(syncMarker) + deflateOverhead

func appendFileHeader(to []byte, codec string) []byte {
	to = append(to, magic...)
	to = binary.AppendVarint(to, 2)
	to = appendString(to, "avro.codec")
	to = appendString(to, codec)
	to = appendString(to, "avro.schema")
	to = appendString(to, schemaJSON)
	to = binary.AppendVarint(to, 0)
	return append(to, syncMarker...)
}

// An Encoder builds the data of one batch, record by record, into one buffer
// that it keeps from batch to batch. It is not safe for concurrent use.
type Encoder struct {
	// Compress makes the data compressed, which pays where bytes cost. It may
	// be changed while there are no records.
	Compress bool

	// buf holds the file header, blocks that are complete, and the records'
	// bytes of the open one from start on. Of a file that is not compressed
	// the one block is open to the end; there is room before start for the
	// block's prefix, which is known last.
	buf      []byte
	start    int
	complete int // records in complete blocks
	records  int
	headers  int
	decoded  int // bytes of all records, not compressed
	ranges   rangesBuilder
}

// Reset empties the encoder. Events that it made before become invalid, and so
// do its Ranges.
func (e *Encoder) Reset() {
	*e = Encoder{Compress: e.Compress, buf: e.buf[:0], ranges: rangesBuilder{ranges: e.ranges.ranges[:0]}}
}

// Grow makes room for data of the given size in bytes, so that adding up to
// that size allocates nothing.
func (e *Encoder) Grow(size int) {
	if size > cap(e.buf) {
		e.buf = append(make([]byte, 0, size), e.buf...)
	}
}

// Room is the size up to which adding allocates nothing. It is the memory that
// the encoder holds, but for the ranges, and but for a moment's while a block
// is compressed: as much as the block has by then.
func (e *Encoder) Room() int { return cap(e.buf) }

// Records is the number of records added.
func (e *Encoder) Records() int { return e.records }

// Size bounds the size of the data so far, in bytes. While records are added
// it may shrink where they are compressed.
func (e *Encoder) Size() int {
	switch {
	case e.records == 0:
		return overhead
	case e.Compress:
		return len(e.buf) + maxBlockPrefix + deflateOverhead + len(syncMarker)
	}
	return len(e.buf) + len(syncMarker)
}

// Ranges are the first and last offset of each partition so far. They are
// valid until the next record is added.
func (e *Encoder) Ranges() Ranges { return e.ranges.ranges }

// Fits reports whether the record can be added within the limits of a batch.
// A record that does not fit an empty batch is too large for any.
func (e *Encoder) Fits(r *Record) bool { return e.FitsSize(r, EncodedSize(r)) }

// FitsSize is Fits of a record that was measured already: size is its
// EncodedSize.
func (e *Encoder) FitsSize(r *Record, size int) bool {
	return e.records < MaxRecords &&
		e.headers+len(r.Headers) <= MaxHeaders &&
		e.decoded+size <= MaxEncodedBytes-overhead &&
		e.Size()+size <= MaxEncodedBytes &&
		e.ranges.fits(r.Partition, r.Offset)
}

// Add appends a record, which must fit and follow the last of its partition in
// offset. The bytes are copied.
func (e *Encoder) Add(r *Record) {
	if e.records == 0 {
		e.begin()
	}
	before := len(e.buf)
	e.buf = appendRecord(e.buf, r)
	e.decoded += len(e.buf) - before
	e.records++
	e.headers += len(r.Headers)
	e.ranges.add(r.Partition, r.Offset)
	if e.Compress && len(e.buf)-e.start >= blockBytes {
		e.completeBlock()
	}
}

func (e *Encoder) begin() {
	if e.Compress {
		e.buf = append(e.buf[:0], compressedHeader...)
	} else {
		e.buf = append(append(e.buf[:0], plainHeader...), make([]byte, maxBlockPrefix)...)
	}
	e.start = len(e.buf)
}

// completeBlock puts the compressed block in the place of the open one.
func (e *Encoder) completeBlock() {
	c := compressors.Take()
	block := c.compress(e.buf[e.start:])
	e.buf = binary.AppendVarint(e.buf[:e.start], int64(e.records-e.complete))
	e.buf = binary.AppendVarint(e.buf, int64(len(block)))
	e.buf = append(append(e.buf, block...), syncMarker...)
	c.release()
	e.complete, e.start = e.records, len(e.buf)
}

// data completes the file and returns it; it shares the encoder's buffer.
func (e *Encoder) data() []byte {
	if e.Compress {
		if e.complete < e.records {
			e.completeBlock()
		}
		return e.buf
	}
	var prefix [2 * binary.MaxVarintLen64]byte
	p := binary.AppendVarint(prefix[:0], int64(e.records))
	p = binary.AppendVarint(p, int64(len(e.buf)-e.start))

	e.buf = append(e.buf, syncMarker...)
	file := e.buf[e.start-len(p)-len(plainHeader):]
	copy(file, plainHeader)
	copy(file[len(plainHeader):], p)
	return file
}
