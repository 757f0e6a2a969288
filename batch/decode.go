package batch

import (
	"bytes"
	"encoding/binary"

	"github.com/hamba/avro/v2"
)

// Least sizes of what a file counts in advance: a count beyond what the
// remaining bytes can hold is refused before anything is allocated for it.
const (
	minRecordBytes = 7
	minHeaderBytes = 2
	maxSchemaBytes = 64 << 10
)

// Memory is what reading one batch takes, kept for the next. The zero Memory
// has none yet. It is not safe for concurrent use.
type Memory struct {
	records []Record
	blocks  []byte // decompressed
}

// decode reads an Object Container File that holds exactly count records of
// the schema, in any valid layout: several blocks, further metadata, the schema
// in other words, compressed with deflate or not at all. The records of a file
// with schemaV1 have the partition 0. Records share the memory and the data.
func (m *Memory) decode(schema string, data []byte, count int) ([]Record, Ranges, error) {
	if len(data) > MaxEncodedBytes {
		return nil, nil, malformed("data", "has %d bytes, the limit is %d", len(data), MaxEncodedBytes)
	}
	r := &reader{data: data, v1: schema == schemaV1, memory: m, left: MaxEncodedBytes}
	sync := r.fileHeader(schema)
	if r.err != nil {
		return nil, nil, r.err
	}
	if left := len(r.data) - r.at; !r.compressed && count > left/minRecordBytes {
		return nil, nil, malformed(extensionRecordCount, "is %d, more than the data can hold", count)
	}
	m.blocks = m.blocks[:0]
	if cap(m.records) < count {
		m.records = make([]Record, count)
	}
	records := m.records[:0:count]
	for r.err == nil && r.at < len(r.data) {
		records = r.block(records, sync)
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	if len(records) != count {
		return nil, nil, malformed(extensionRecordCount, "is %d, but the data holds %d records", count, len(records))
	}
	return records, r.ranges.ranges, nil
}

// A reader walks over the file. After its first fault err is set and every
// method returns zero values.
type reader struct {
	data       []byte
	at         int
	err        error
	v1         bool // records have no partition
	compressed bool
	memory     *Memory
	left       int // bytes that blocks may still decompress to
	ranges     rangesBuilder
	headers    []Header // of all records, each of which holds a part
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed("data", format, args...)
		r.at = len(r.data)
	}
}

// fileHeader checks the header and returns the sync marker.
func (r *reader) fileHeader(want string) []byte {
	if string(r.take(len(magic))) != magic {
		r.fail("is not an Avro Object Container File")
		return nil
	}
	var schema []byte
	for n := r.blockCount(); n > 0; n = r.blockCount() {
		for ; n > 0 && r.err == nil; n-- {
			key, value := string(r.bytes()), r.bytes()
			switch key {
			case "avro.schema":
				schema = value
			case "avro.codec":
				codec := string(value)
				if r.compressed = codec == codecDeflate; !r.compressed && codec != codecNull {
					r.fail("is compressed with %.20q; the codecs null and deflate are read", codec)
				}
			}
		}
	}
	if r.err == nil && !sameSchema(schema, want) {
		r.fail("has another schema than a batch's records")
	}
	return r.take(len(syncMarker))
}

// sameSchema reports whether the schema is the one wanted, however it is
// written.
func sameSchema(schema []byte, want string) bool {
	if string(schema) == want {
		return true
	}
	if len(schema) > maxSchemaBytes {
		return false
	}
	theirs, err := avro.ParseBytesWithCache(schema, "", &avro.SchemaCache{})
	if err != nil {
		return false
	}
	ours, err := avro.ParseWithCache(want, "", &avro.SchemaCache{})
	return err == nil && theirs.Fingerprint() == ours.Fingerprint()
}

// block reads one block of records and the sync marker after it.
func (r *reader) block(records []Record, sync []byte) []Record {
	n, size := r.long(), r.long()
	if n < 0 || n > int64(cap(records)-len(records)) {
		r.fail("holds more records than recordcount, %d, says", cap(records))
		return records
	}
	if size < 0 || size > int64(len(r.data)-r.at) {
		r.fail("ends within a block")
		return records
	}
	block := r.take(int(size))
	if !bytes.Equal(r.take(len(sync)), sync) {
		r.fail("has a block without its sync marker")
		return records
	}
	if r.compressed {
		block = r.decompress(block)
	}
	rest, at := r.data, r.at
	if r.err == nil {
		r.data, r.at = block, 0
		records = r.records(records, n)
		r.data, r.at = rest, at
	}
	return records
}

// decompress returns what the block holds, in the memory.
func (r *reader) decompress(block []byte) []byte {
	begin := len(r.memory.blocks)
	var err error
	if r.memory.blocks, err = decompress(r.memory.blocks, block, r.left); err != nil {
		r.fail("has a compressed block that %v", err)
		return nil
	}
	plain := r.memory.blocks[begin:]
	r.left -= len(plain)
	return plain
}

// records reads n records, which are all that the data holds.
func (r *reader) records(records []Record, n int64) []Record {
	for ; n > 0 && r.err == nil; n-- {
		records = records[:len(records)+1]
		record := &records[len(records)-1]
		*record = Record{} // the memory had another
		r.record(record)
		if r.err == nil && !r.ranges.add(record.Partition, record.Offset) {
			r.fail("has the offset %d of partition %d out of order", record.Offset, record.Partition)
		}
	}
	if r.err == nil && r.at != len(r.data) {
		r.fail("has a block of another size than it says")
	}
	return records
}

func (r *reader) record(to *Record) {
	if !r.v1 {
		to.Partition = r.int()
	}
	to.Offset = r.long()
	to.Timestamp = -1
	if r.branch() {
		to.Timestamp = max(r.long(), -1)
	}
	if r.branch() {
		to.Key = r.bytes()
	}
	if r.branch() {
		to.Value = r.bytes()
	}
	if r.none(nothingElse) {
		return
	}
	to.Headers = r.recordHeaders()
	if r.branch() {
		to.ValueURI = string(r.bytes())
	}
	if r.branch() {
		to.ValueSize = r.long()
	}
	if to.ValueSize < 0 || to.ValueURI == "" && to.ValueSize > 0 || to.ValueURI != "" && to.Value != nil {
		r.fail("has a value_uri at offset %d that value or value_size contradicts", to.Offset)
	}
}

// nothingElse is what a record ends with that has no headers and no value_uri.
const nothingElse = "\x00\x00\x00"

// none skips what follows if it is as given.
func (r *reader) none(as string) bool {
	if end := r.at + len(as); end <= len(r.data) && string(r.data[r.at:end]) == as {
		r.at = end
		return true
	}
	return false
}

func (r *reader) recordHeaders() []Header {
	start := len(r.headers)
	for n := r.blockCount(); n > 0; n = r.blockCount() {
		if len(r.headers)+n > MaxHeaders {
			r.fail("has more than %d headers", MaxHeaders)
			return nil
		}
		for ; n > 0 && r.err == nil; n-- {
			header := Header{Key: string(r.bytes())}
			if r.branch() {
				header.Value = r.bytes()
			}
			r.headers = append(r.headers, header)
		}
	}
	if len(r.headers) == start {
		return nil
	}
	return r.headers[start:len(r.headers):len(r.headers)]
}

// blockCount reads how many headers the next part of a record's headers, or
// entries the next part of the file's metadata, has; 0 is its end. Each takes
// minHeaderBytes at least. A negative count is followed by the part's size in
// bytes, which is of no use here.
func (r *reader) blockCount() int {
	n := r.long()
	if n < 0 {
		n = -n
		r.long()
	}
	if n < 0 || n > int64((len(r.data)-r.at)/minHeaderBytes) {
		r.fail("counts more items than it holds")
		return 0
	}
	return int(n)
}

// branch reads which branch of a union with null follows: null, or the other.
func (r *reader) branch() bool {
	if r.at < len(r.data) {
		switch r.at++; r.data[r.at-1] {
		case branchNull:
			return false
		case branchValue:
			return true
		}
	}
	r.fail("has a union of an unknown branch")
	return false
}

// bytes reads Avro bytes or an Avro string, which share their form. Empty
// bytes are not nil.
func (r *reader) bytes() []byte {
	n := r.long()
	if n < 0 || n > int64(len(r.data)-r.at) {
		r.fail("ends within a value")
		return nil
	}
	return r.take(int(n))
}

func (r *reader) long() int64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 { // most are short
		n := r.data[r.at]
		r.at++
		return int64(n>>1) ^ -int64(n&1)
	}
	n, size := binary.Varint(r.data[r.at:])
	if size <= 0 {
		r.fail("ends within a number, or has one of more than 64 bits")
		return 0
	}
	r.at += size
	return n
}

func (r *reader) int() int32 {
	n := r.long()
	if n != int64(int32(n)) {
		r.fail("has a number of more than 32 bits where it says int")
	}
	return int32(n)
}

func (r *reader) take(n int) []byte {
	if n > len(r.data)-r.at {
		r.fail("ends too early")
		return nil
	}
	taken := r.data[r.at : r.at+n : r.at+n]
	r.at += n
	return taken
}
