package batch

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// schemaJSON is the Avro schema of a record, as every file carries it.
const schemaJSON = `{"type":"record","name":"Record","namespace":"io.stationflow","doc":"One Kafka record as it was read.","fields":[` +
	`{"name":"offset","doc":"Kafka offset within the partition.","type":"long"},` +
	`{"name":"timestamp","doc":"Kafka timestamp; null when the record has none.","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},` +
	`{"name":"key","type":["null","bytes"]},` +
	`{"name":"value","doc":"Null when the record's is, or when value_uri stands for it.","type":["null","bytes"]},` +
	`{"name":"headers","type":{"type":"array","items":{"type":"record","name":"Header","fields":[` +
	`{"name":"key","type":"string"},{"name":"value","type":["null","bytes"]}]}}},` +
	`{"name":"value_uri","doc":"Where the bytes of a value too large for a batch are.","type":["null","string"]},` +
	`{"name":"value_size","doc":"The bytes behind value_uri.","type":["null","long"]}]}`

// The parts of an Object Container File, see
// https://avro.apache.org/docs/1.12.0/specification/#object-container-files.
// The sync marker is the same in every file, so that equal batches are equal
// bytes; a file has one block, and nothing ever looks for the marker.
const (
	magic      = "Obj\x01"
	syncMarker = "\x9b\x1e\xd3\x47\x5a\xc8\x06\xf1\x6d\x82\x3c\xe0\xb7\x29\x94\x5f"

	// maxBlockPrefix is the room for a block's record count and byte size.
	// 20,000 takes three bytes, 8 MiB four.
	maxBlockPrefix = 3 + 4
)

// Branches of the schema's unions, as encoded.
const (
	branchNull  = 0
	branchValue = 2
)

// fileHeader is all that precedes the first block.
var fileHeader = appendFileHeader(nil)

// overhead bounds the bytes of a file that are not records.
var overhead = len(fileHeader) + maxBlockPrefix + len(syncMarker)

func appendFileHeader(to []byte) []byte {
	to = append(to, magic...)
	to = binary.AppendVarint(to, 2)
	to = appendString(to, "avro.codec")
	to = appendString(to, "null")
	to = appendString(to, "avro.schema")
	to = appendString(to, schemaJSON)
	to = binary.AppendVarint(to, 0)
	return append(to, syncMarker...)
}

// An Encoder builds the data of one batch, record by record, into one buffer
// that it keeps from batch to batch. It is not safe for concurrent use.
type Encoder struct {
	// buf holds the records' bytes after room for the file header and the
	// block's prefix, both of which are known last.
	buf         []byte
	records     int
	headers     int
	first, last int64
}

// Reset empties the encoder. Events that it made before become invalid.
func (e *Encoder) Reset() {
	*e = Encoder{buf: e.buf[:0]}
}

// Grow makes room for data of the given size in bytes, so that adding up to
// that size allocates nothing.
func (e *Encoder) Grow(size int) {
	if size > cap(e.buf) {
		e.buf = append(make([]byte, 0, size), e.buf...)
	}
}

// Room is the size up to which adding allocates nothing.
func (e *Encoder) Room() int { return cap(e.buf) }

// Records is the number of records added.
func (e *Encoder) Records() int { return e.records }

// Size bounds the size of the data so far, in bytes.
func (e *Encoder) Size() int {
	if e.records == 0 {
		return overhead
	}
	return len(e.buf) + len(syncMarker)
}

// FirstOffset is the offset of the first record added.
func (e *Encoder) FirstOffset() int64 { return e.first }

// LastOffset is the offset of the last record added.
func (e *Encoder) LastOffset() int64 { return e.last }

// Fits reports whether the record can be added within the limits of a batch.
// A record that does not fit an empty batch is too large for any.
func (e *Encoder) Fits(r *Record) bool { return e.FitsSize(r, EncodedSize(r)) }

// FitsSize is Fits of a record that was measured already: size is its
// EncodedSize.
func (e *Encoder) FitsSize(r *Record, size int) bool {
	return e.records < MaxRecords &&
		e.headers+len(r.Headers) <= MaxHeaders &&
		e.Size()+size <= MaxEncodedBytes
}

// Add appends a record, which must fit and follow the last in offset. The
// bytes are copied.
func (e *Encoder) Add(r *Record) {
	if e.records == 0 {
		e.buf = append(append(e.buf[:0], fileHeader...), make([]byte, maxBlockPrefix)...)
		e.first = r.Offset
	}
	e.records++
	e.headers += len(r.Headers)
	e.last = r.Offset
	e.buf = appendRecord(e.buf, r)
}

// data completes the file and returns it; it shares the encoder's buffer.
func (e *Encoder) data() []byte {
	body := len(fileHeader) + maxBlockPrefix
	var prefix [2 * binary.MaxVarintLen64]byte
	p := binary.AppendVarint(prefix[:0], int64(e.records))
	p = binary.AppendVarint(p, int64(len(e.buf)-body))

	e.buf = append(e.buf, syncMarker...)
	file := e.buf[body-len(p)-len(fileHeader):]
	copy(file, fileHeader)
	copy(file[len(fileHeader):], p)
	return file
}

// EncodedSize is the number of bytes that the record adds to a batch's data.
func EncodedSize(r *Record) int {
	size := longSize(r.Offset) + 1 + bytesSize(r.Key) + bytesSize(r.Value) + 1 + 1 + 1
	if r.Timestamp >= 0 {
		size += longSize(r.Timestamp)
	}
	if len(r.Headers) > 0 {
		size += longSize(int64(len(r.Headers)))
		for i := range r.Headers {
			key := headerKey(r.Headers[i].Key)
			size += longSize(int64(len(key))) + len(key) + bytesSize(r.Headers[i].Value)
		}
	}
	if r.ValueURI != "" {
		size += longSize(int64(len(r.ValueURI))) + len(r.ValueURI) + longSize(r.ValueSize)
	}
	return size
}

func appendRecord(to []byte, r *Record) []byte {
	to = binary.AppendVarint(to, r.Offset)
	if r.Timestamp < 0 {
		to = append(to, branchNull)
	} else {
		to = binary.AppendVarint(append(to, branchValue), r.Timestamp)
	}
	to = appendBytes(to, r.Key)
	to = appendBytes(to, r.Value)
	if len(r.Headers) > 0 {
		to = binary.AppendVarint(to, int64(len(r.Headers)))
		for i := range r.Headers {
			to = appendString(to, headerKey(r.Headers[i].Key))
			to = appendBytes(to, r.Headers[i].Value)
		}
	}
	to = append(to, 0) // the end of the headers
	if r.ValueURI == "" {
		return append(to, branchNull, branchNull)
	}
	to = appendString(append(to, branchValue), r.ValueURI)
	return binary.AppendVarint(append(to, branchValue), r.ValueSize)
}

// headerKey is the key as Avro may hold it: a string there is UTF-8, which
// Kafka does not enforce.
func headerKey(key string) string { return strings.ToValidUTF8(key, "\uFFFD") }

func appendString(to []byte, s string) []byte {
	return append(binary.AppendVarint(to, int64(len(s))), s...)
}

// appendBytes appends the union of null and bytes.
func appendBytes(to []byte, b []byte) []byte {
	if b == nil {
		return append(to, branchNull)
	}
	to = binary.AppendVarint(append(to, branchValue), int64(len(b)))
	return append(to, b...)
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return 1 + longSize(int64(len(b))) + len(b)
}

// longSize is the size of an Avro long: zigzag, then seven bits a byte.
func longSize(n int64) int {
	zigzag := uint64(n<<1) ^ uint64(n>>63)
	return (bits.Len64(zigzag|1) + 6) / 7
}
