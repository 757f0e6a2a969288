package bridge

import (
	"context"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/pause"
)

// watchInterval is how often Kafka is asked for the topics' ids and the ends
// of the partitions. What a fetch tells of ends is not enough: a partition
// that nobody reads would show no lag.
const watchInterval = 5 * time.Second

// watch notices topics that are not what they were, and keeps the ends of the
// partitions up to date.
func (s *session) watch(ctx context.Context) {
	every := min(watchInterval, s.bridge.config.StuckAfter/4)
	for pause.For(ctx, every) == nil {
		s.watchTopics()
		for at, p := range s.partitions {
			if ctx.Err() != nil {
				return
			}
			end, err := s.control.GetOffset(at.topic, at.partition, sarama.OffsetNewest)
			if err != nil {
				continue // the library reconnects; complaints come from reading
			}
			p.end.Store(end)
			if p.idleWithLag(2 * every) {
				s.lookForRecords(at, p)
			}
			if p.lag() == 0 {
				p.progress()
			}
		}
	}
}

// lag is the number of offsets that may still hold a record to publish.
func (p *partition) lag() int64 {
	position, _ := p.window.committable()
	return max(0, p.end.Load()-max(position, p.nothingBefore.Load()))
}

// idleWithLag reports whether offsets wait although nothing is being
// published.
func (p *partition) idleWithLag(since time.Duration) bool {
	_, batches, _, _ := p.window.look()
	return batches == 0 && p.openTimestamp.Load() < 0 && p.lag() > 0 &&
		time.Since(time.Unix(0, p.moved.Load())) > since
}

// lookForRecords asks whether the offsets that wait hold any record. The
// markers of transactions, aborted records and compacted ones take offsets
// that the library never shows: a partition that ends with them would look
// stuck for ever, and once they expire its position would look out of range.
func (s *session) lookForRecords(at topicPartition, p *partition) {
	from, _ := p.window.committable()
	from = max(from, p.nothingBefore.Load())
	leader, err := s.control.Leader(at.topic, at.partition)
	if err != nil {
		return
	}
	request := &sarama.FetchRequest{Version: 11, MaxBytes: s.bridge.config.FetchBytes,
		Isolation: sarama.ReadCommitted, SessionEpoch: -1}
	request.AddBlock(at.topic, at.partition, from, s.control.Config().Consumer.Fetch.Default, -1)
	response, err := leader.Fetch(request)
	if err != nil {
		return
	}
	if block := response.GetBlock(at.topic, at.partition); block != nil && block.Err == sarama.ErrNoError && s.confirm(s.work, p) {
		p.nothingBefore.Store(emptyUntil(block, from))
		p.window.pass(p.nothingBefore.Load())
	}
}

// emptyUntil returns the first offset, from on, that may hold a record.
func emptyUntil(block *sarama.FetchResponseBlock, from int64) int64 {
	aborted := make(map[int64]bool) // by producer, while a transaction of its that will be aborted is open
	transactions := block.AbortedTransactions
	for _, records := range block.RecordsSet {
		b := records.RecordBatch
		if b == nil || b.PartialTrailingRecord {
			return from
		}
		for len(transactions) > 0 && transactions[0].FirstOffset <= b.LastOffset() {
			aborted[transactions[0].ProducerID] = true
			transactions = transactions[1:]
		}
		switch {
		case b.Control:
			delete(aborted, b.ProducerID)
		case b.IsTransactional && aborted[b.ProducerID]:
		case len(b.Records) > 0 && b.FirstOffset+b.Records[len(b.Records)-1].OffsetDelta >= from:
			return from
		}
		from = max(from, b.LastOffset()+1)
	}
	return from
}
