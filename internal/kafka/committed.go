package kafka

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// Committed returns the batches of a block that hold what a reader of committed
// records gets, in their order, and the offset behind the block, which was
// fetched from an offset on. The first batch can begin before that offset. A
// block whose only batch is cut off has none, and ends where it begins.
func Committed(block *sarama.FetchResponseBlock, from int64) (batches []*sarama.RecordBatch, next int64) {
	aborted := make(map[int64]bool) // by producer, while a transaction of its that will be aborted is open
	transactions := slices.SortedFunc(slices.Values(block.AbortedTransactions),
		func(a, b *sarama.AbortedTransaction) int {
			return cmp.Compare(a.FirstOffset, b.FirstOffset) // Kafka promises no order
		})
	next = from
	for _, set := range block.RecordsSet {
		b := set.RecordBatch
		if b == nil {
			b = batchOf(set.MsgSet)
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
			batches = append(batches, b)
		}
		next = max(next, b.LastOffset()+1)
	}
	if len(block.RecordsSet) == 0 {
		next = max(next, behindEmpty(block))
	}
	return batches, next
}

// behindEmpty returns the offset behind a block that has nothing but batches
// without records, as compaction leaves them; 0 where there is none at all. The
// library leaves them out, and keeps this offset to itself (sarama 1.61,
// consumer.go reads it).
func behindEmpty(block *sarama.FetchResponseBlock) int64 {
	next := reflect.ValueOf(block).Elem().FieldByName("recordsNextOffset")
	if !next.IsValid() || next.IsNil() {
		return 0
	}
	return next.Elem().Int()
}

// batchOf returns messages as brokers before Kafka 0.11 kept them, which knew no
// transactions, as a batch. Offsets within compressed messages count from the
// first one, if the messages have a timestamp.
// https://kafka.apache.org/documentation/#messageset
func batchOf(set *sarama.MessageSet) *sarama.RecordBatch {
	batch := new(sarama.RecordBatch)
	for _, outer := range set.Messages {
		inner := outer.Messages()
		base := int64(0)
		if outer.Msg.Version >= 1 && len(inner) > 0 {
			base = outer.Offset - inner[len(inner)-1].Offset
		}
		for _, m := range inner {
			stamp := m.Msg.Timestamp
			if outer.Msg.LogAppendTime {
				stamp = outer.Msg.Timestamp
			}
			if len(batch.Records) == 0 {
				batch.FirstOffset, batch.FirstTimestamp = base+m.Offset, stamp
			}
			batch.LastOffsetDelta = int32(base + m.Offset - batch.FirstOffset)
			batch.Records = append(batch.Records, &sarama.Record{Key: m.Msg.Key, Value: m.Msg.Value,
				OffsetDelta: base + m.Offset - batch.FirstOffset, TimestampDelta: stamp.Sub(batch.FirstTimestamp)})
		}
	}
	batch.PartialTrailingRecord = len(batch.Records) == 0
	return batch
}

// Timestamp returns that of a record in a batch, in milliseconds since 1970-01-01
// UTC; -1 when it has none or an earlier one. The library keeps the distance from
// the batch's first in 64 bits of nanoseconds: one of more than 292 years comes
// out as another time.
func Timestamp(b *sarama.RecordBatch, r *sarama.Record) int64 {
	switch {
	case b.LogAppendTime:
		return millis(b.MaxTimestamp)
	case b.FirstTimestamp.IsZero():
		return -1
	}
	return max(-1, b.FirstTimestamp.Add(r.TimestampDelta).UnixMilli())
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return max(-1, t.UnixMilli())
}
