package kafka

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Fetch asks the partition's leader for what follows from an offset on, as a
// reader of committed records. The answer holds a batch at least, unless there
// is none yet.
func Fetch(client sarama.Client, at Partition, from int64, most int32) (*sarama.FetchResponseBlock, error) {
	leader, err := client.Leader(at.Topic, at.Number)
	if err != nil {
		return nil, fmt.Errorf("finding the leader of %s: %w", at, err)
	}
	request := &sarama.FetchRequest{Version: 11, MaxBytes: most, Isolation: sarama.ReadCommitted, SessionEpoch: -1}
	request.AddBlock(at.Topic, at.Number, from, most, -1)
	response, err := leader.Fetch(request)
	if err != nil {
		_ = leader.Close()
		return nil, fmt.Errorf("reading %s from offset %d on: %w", at, from, err)
	}
	block := response.GetBlock(at.Topic, at.Number)
	if block == nil {
		return nil, fmt.Errorf("reading %s from offset %d on: %w", at, from, sarama.ErrIncompleteResponse)
	}
	if block.Err != sarama.ErrNoError {
		return nil, Explain(fmt.Errorf("reading %s from offset %d on: %w", at, from, block.Err), "read topic "+at.Topic)
	}
	return block, nil
}

// A Record is one in Kafka.
type Record struct {
	At         time.Time // zero when it has none
	Key, Value []byte
}

// fetchRecord is how much is fetched to read one record. Kafka answers the
// whole batch of it, however large.
const fetchRecord = 1 << 20

// Read returns the record at an offset, or nil where the offset holds none that
// a reader of committed records gets.
func Read(client sarama.Client, at Partition, offset int64) (*Record, error) {
	block, err := Fetch(client, at, offset, fetchRecord)
	if err != nil {
		return nil, err
	}
	var found *Record
	EachReadable(block, offset, func(at int64, timestamp time.Time, r *sarama.Record) {
		if at == offset {
			found = &Record{timestamp, r.Key, r.Value}
		}
	})
	return found, nil
}

// Readable returns the offsets, from the given one on, of those records in a
// block fetched from there that a reader of committed records gets, and the
// offset behind the block. Markers of transactions, aborted records and
// compacted ones take offsets that hold none.
func Readable(block *sarama.FetchResponseBlock, from int64) (records []int64, next int64) {
	next = EachReadable(block, from, func(offset int64, _ time.Time, _ *sarama.Record) { records = append(records, offset) })
	return records, next
}

// EachReadable shows each record of which Readable gives the offset, with its
// timestamp (zero when it has none), and returns the offset behind the block.
func EachReadable(block *sarama.FetchResponseBlock, from int64, show func(offset int64, timestamp time.Time, r *sarama.Record)) (next int64) {
	batches, next := Committed(block, from)
	for _, b := range batches {
		for _, r := range b.Records {
			if offset := b.FirstOffset + r.OffsetDelta; offset >= from {
				var at time.Time
				if millis := Timestamp(b, r); millis >= 0 {
					at = time.UnixMilli(millis)
				}
				show(offset, at, r)
			}
		}
	}
	return next
}
