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

// decode reads an Object Container File that holds exactly count records of
// this package's schema, in any valid layout: several blocks, further
// metadata, the schema in other words. Only the null codec is read. The records
// are in memory if it has room for them.
func decode(memory []Record, data []byte, count int) ([]Record, error) {
	if len(data) > MaxEncodedBytes {
		return nil, malformed("data", "has %d bytes, the limit is %d", len(data), MaxEncodedBytes)
	}
	r := &reader{data: data}
	sync := r.fileHeader()
	if r.err != nil {
		return nil, r.err
	}
	if left := len(r.data) - r.at; count > left/minRecordBytes {
		return nil, malformed(extensionRecordCount, "is %d, more than the data can hold", count)
	}
	if cap(memory) < count {
		memory = make([]Record, count)
	}
	records := memory[:0:count]
	for r.err == nil && r.at < len(r.data) {
		records = r.block(records, sync)
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(records) != count {
		return nil, malformed(extensionRecordCount, "is %d, but the data holds %d records", count, len(records))
	}
	return records, nil
}

// A reader walks over the file. After its first fault err is set and every
// method returns zero values.
type reader struct {
	data    []byte
	at      int
	err     error
	headers []Header // of all records, each of which holds a part
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed("data", format, args...)
		r.at = len(r.data)
	}
}

// fileHeader checks the header and returns the sync marker.
func (r *reader) fileHeader() []byte {
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
				if codec := string(value); codec != "null" {
					r.fail("is compressed with %.20q; only the codec null is read", codec)
				}
			}
		}
	}
	if r.err == nil && !sameSchema(schema) {
		r.fail("has another schema than a batch's records")
	}
	return r.take(len(syncMarker))
}

// sameSchema reports whether the schema is this package's, however it is
// written.
func sameSchema(schema []byte) bool {
	if string(schema) == schemaJSON {
		return true
	}
	if len(schema) > maxSchemaBytes {
		return false
	}
	theirs, err := avro.ParseBytesWithCache(schema, "", &avro.SchemaCache{})
	if err != nil {
		return false
	}
	ours, err := avro.ParseWithCache(schemaJSON, "", &avro.SchemaCache{})
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
	end := r.at + int(size)
	for ; n > 0 && r.err == nil; n-- {
		var record Record
		r.record(&record)
		if record.Offset < 0 || len(records) > 0 && record.Offset <= records[len(records)-1].Offset {
			r.fail("has the offset %d out of order", record.Offset)
		}
		records = append(records, record)
	}
	if r.err == nil && r.at != end {
		r.fail("has a block of another size than it says")
	}
	if !bytes.Equal(r.take(len(sync)), sync) {
		r.fail("has a block without its sync marker")
	}
	return records
}

func (r *reader) record(to *Record) {
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
	switch branch := r.take(1); {
	case len(branch) == 1 && branch[0] == branchNull:
		return false
	case len(branch) == 1 && branch[0] == branchValue:
		return true
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
	n, size := binary.Varint(r.data[r.at:])
	if size <= 0 {
		r.fail("ends within a number, or has one of more than 64 bits")
		return 0
	}
	r.at += size
	return n
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
