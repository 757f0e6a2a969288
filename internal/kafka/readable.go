package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
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
	readable, _, err := Readable(block, offset)
	if err != nil {
		return nil, fmt.Errorf("reading %s at offset %d: %w", at, offset, err)
	}
	if len(readable) == 0 || readable[0] != offset {
		return nil, nil
	}
	for _, set := range block.RecordsSet {
		for _, r := range set.RecordBatch.Records {
			if set.RecordBatch.FirstOffset+r.OffsetDelta != offset || set.RecordBatch.Control {
				continue
			}
			stamp := set.RecordBatch.FirstTimestamp.Add(r.TimestampDelta)
			if set.RecordBatch.LogAppendTime {
				stamp = set.RecordBatch.MaxTimestamp
			}
			return &Record{stamp, r.Key, r.Value}, nil
		}
	}
	return nil, nil
}

// errOldFormat is what Readable returns for records as brokers before Kafka
// 0.11 wrote them.
var errOldFormat = errors.New("the records are in a format that does not tell transactions")

// Readable returns the offsets, from the given one on, of those records in a
// block fetched from there that a reader of committed records gets, and the
// offset behind the block. Markers of transactions, aborted records and
// compacted ones take offsets that hold none.
func Readable(block *sarama.FetchResponseBlock, from int64) (records []int64, next int64, err error) {
	aborted := make(map[int64]bool) // by producer, while a transaction of its that will be aborted is open
	transactions := slices.SortedFunc(slices.Values(block.AbortedTransactions),
		func(a, b *sarama.AbortedTransaction) int {
			return cmp.Compare(a.FirstOffset, b.FirstOffset) // Kafka promises no order
		})
	for _, set := range block.RecordsSet {
		b := set.RecordBatch
		if b == nil {
			return records, from, errOldFormat
		}
		if b.PartialTrailingRecord {
			break
		}
		for len(transactions) > 0 && transactions[0].FirstOffset <= b.LastOffset() {
			aborted[transactions[0].ProducerID] = true
			transactions = transactions[1:]
		}
		switch {
		case b.Control:
			delete(aborted, b.ProducerID)
		case b.IsTransactional && aborted[b.ProducerID]:
		default:
			for _, r := range b.Records {
				if offset := b.FirstOffset + r.OffsetDelta; offset >= from {
					records = append(records, offset)
				}
			}
		}
		from = max(from, b.LastOffset()+1)
	}
	return records, from, nil
}
