// Package batch is what the bridge and the functions agree on: a micro-batch
// of Kafka records and the CloudEvent that carries it.
//
// A batch holds records of one topic, of one or more of its partitions. It
// travels as a CloudEvents 1.0 event in binary mode whose data is an Avro
// Object Container File; the file carries its own schema, so that any
// subscriber with a stock Avro library can read it.
package batch

import (
	"fmt"
)

// Limits of a batch. MaxRecords and MaxEncodedBytes, which bounds the
// CloudEvent's data, compressed and not, are the contract's; Pub/Sub takes
// 10 MB a message, attributes included
// (https://cloud.google.com/pubsub/quotas). MaxHeaders counts the headers of
// all records: an empty one takes two bytes encoded and twenty times that in
// memory, so the bytes alone would not bound a reader.
const (
	MaxRecords      = 20_000
	MaxEncodedBytes = 8 << 20
	MaxHeaders      = 100_000
)

// ContentType is the datacontenttype of a batch's CloudEvent.
const ContentType = "application/avro"

// EventType is the type of a batch's CloudEvent. Events of EventTypeV1, which
// earlier bridges sent, are read as well.
const (
	EventType   = "io.stationflow.records.v2"
	EventTypeV1 = "io.stationflow.records.v1"
)

// A Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte // nil for a null header value
}

// A Record is one Kafka record as it was read. Key and Value are nil for
// null, which is not the same as empty.
type Record struct {
	Partition int32
	Offset    int64
	Timestamp int64 // milliseconds since 1970-01-01 UTC; negative when Kafka has none
	Key       []byte
	Value     []byte
	Headers   []Header

	// ValueURI and ValueSize (bytes) stand for the value of a record too
	// large for a batch: its bytes are in the lake, and Value is nil. The
	// headers of such a record are HeaderKeyURI and HeaderHeadersURI alone,
	// where they apply.
	ValueURI  string
	ValueSize int64
}

// Headers that stand for what else was put into the lake of a record that has
// a ValueURI. Their values are gs:// addresses.
const (
	HeaderKeyURI     = "stationflow-key-uri"     // of the key; Key is nil
	HeaderHeadersURI = "stationflow-headers-uri" // of the record's own headers, as JSON: [{"key": …, "value": base64 or null}, …]
)

// Header returns the value of the first header with the key, nil for none.
func (r *Record) Header(key string) []byte {
	for _, h := range r.Headers {
		if h.Key == key {
			return h.Value
		}
	}
	return nil
}

// A Batch is records of one topic in the order in which they came: those of
// several partitions may alternate, those of one are in offset order. Offsets
// may have gaps (compaction, transactions).
type Batch struct {
	ClusterID string // Kafka's id of the cluster
	Topic     string
	TopicID   string // Kafka's UUID of the topic, as 8-4-4-4-12 lower-case hex digits
	Lane      Lane
	V1        bool // came as an event of EventTypeV1: of one partition, and named in that form

	// Retry says that the records come out of quarantine, to be judged again:
	// those of a range need not be all that Kafka had between its ends.
	// Whoever accepts one says so in the quarantine. It serves both lanes.
	Retry   bool
	Records []Record
}

// Ranges returns the first and last offset of each partition in the batch. It
// looks at every record.
func (b *Batch) Ranges() Ranges {
	var ranges rangesBuilder
	for rest := b.Records; len(rest) > 0; {
		// Of a run of one partition's records, in order, the ends are enough.
		end := 1
		for end < len(rest) && rest[end].Partition == rest[0].Partition && rest[end].Offset > rest[end-1].Offset {
			end++
		}
		ranges.add(rest[0].Partition, rest[0].Offset)
		ranges.add(rest[end-1].Partition, rest[end-1].Offset)
		rest = rest[end:]
	}
	return ranges.ranges
}

// ID names the batch by what it holds and its lane: the same records in the
// same lane always have the same id, so that a redelivered batch can be told
// from a new one. A retry has ids of its own.
func (b *Batch) ID() string { return b.id(b.Ranges()) }

func (b *Batch) id(ranges Ranges) string {
	if b.V1 {
		r := ranges[0]
		return fmt.Sprintf("%s-%d-%d-%d", b.TopicID, r.Partition, r.First, r.Last)
	}
	way := string(b.Lane)
	if b.Retry {
		way = extensionRetry
	}
	return b.TopicID + "-" + way + "-" + ranges.hash(b.TopicID)
}

// RangesHash names what the batch holds, whatever its lane: 16 hexadecimal
// digits of a hash over the topic's id and the ranges.
func (b *Batch) RangesHash() string { return b.Ranges().hash(b.TopicID) }

// source is the CloudEvent's source: where in Kafka the records come from.
func (b *Batch) source() string { return "//kafka/" + b.ClusterID + "/" + b.Topic }
