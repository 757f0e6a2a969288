package batch

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// schemaJSON is the Avro schema of a record, as every file carries it.
const schemaJSON = schemaStart +
	`{"name":"partition","doc":"Kafka partition.","type":"int"},` +
	`{"name":"offset","doc":"Kafka offset within the partition.","type":"long"},` + schemaEnd

// schemaV1 is that of the files in events of EventTypeV1.
const schemaV1 = schemaStart +
	`{"name":"offset","doc":"Kafka offset within the partition.","type":"long"},` + schemaEnd

const (
	schemaStart = `{"type":"record","name":"Record","namespace":"io.stationflow","doc":"One Kafka record as it was read.","fields":[`
	schemaEnd   = `{"name":"timestamp","doc":"Kafka timestamp; null when the record has none.","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},` +
		`{"name":"key","type":["null","bytes"]},` +
		`{"name":"value","doc":"Null when the record's is, or when value_uri stands for it.","type":["null","bytes"]},` +
		`{"name":"headers","type":{"type":"array","items":{"type":"record","name":"Header","fields":[` +
		`{"name":"key","type":"string"},{"name":"value","type":["null","bytes"]}]}}},` +
		`{"name":"value_uri","doc":"Where the bytes of a value too large for a batch are.","type":["null","string"]},` +
		`{"name":"value_size","doc":"The bytes behind value_uri.","type":["null","long"]}]}`
)

// Branches of the schema's unions, as encoded.
const (
	branchNull  = 0
	branchValue = 2
)

// EncodedSize is the number of bytes that the record adds to a batch's data.
func EncodedSize(r *Record) int {
	size := longSize(int64(r.Partition)) + longSize(r.Offset) + 1 + bytesSize(r.Key) + bytesSize(r.Value) + 1 + 1 + 1
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
	to = binary.AppendVarint(to, int64(r.Partition))
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
