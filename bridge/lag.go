package bridge

import (
	"context"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// watchInterval is how often Kafka is asked for the topics' ids and how far
// the partitions reach. What a fetch tells of that is not enough: a partition
// that nobody reads would show no lag.
const watchInterval = 2 * time.Second

// watch notices topics that are not what they were, and keeps up to date how
// far the partitions reach.
func (s *session) watch(ctx context.Context) {
	every := min(watchInterval, s.bridge.config.StuckAfter/4)
	for pause.For(ctx, every) == nil {
		s.watchTopics()
		s.watchEnds()
		for at, p := range s.partitions {
			if ctx.Err() != nil {
				return
			}
			if p.idleWithLag(every) {
				s.lookForRecords(at, p)
			}
			if p.lag() == 0 {
				p.progress()
			}
		}
	}
}

// watchEnds asks for the ends of all partitions. What cannot be told stays as
// it was: the library reconnects, and complaints come from reading.
func (s *session) watchEnds() {
	times := make(map[kafka.Partition]int64, len(s.partitions))
	for at := range s.partitions {
		times[at] = sarama.OffsetNewest
	}
	// In this order: what the first has beyond the second was there before.
	ends, _ := kafka.Offsets(s.control, times, sarama.ReadUncommitted)
	stable, _ := kafka.Offsets(s.control, times, sarama.ReadCommitted)
	for at, p := range s.partitions {
		upTo, known := stable[at]
		if end, both := ends[at]; known && both {
			p.heard(end, upTo, time.Now())
		}
	}
}

// heard takes note of how far the partition reaches: up to end, of which what
// is before stable can be read.
func (p *partition) heard(end, stable int64, now time.Time) {
	moved := p.stable.Swap(stable) != stable
	p.end.Store(max(end, stable))
	switch {
	case end <= stable:
		p.held.Store(0)
	case moved || p.held.Load() == 0:
		p.held.Store(now.UnixNano())
	}
}

// open is the transaction that keeps the rest of the partition from being
// read; nil while there is none.
func (p *partition) open(now time.Time) *OpenTransaction {
	since := p.held.Load()
	if since == 0 {
		return nil
	}
	stable := p.stable.Load()
	return &OpenTransaction{Offset: stable, Offsets: p.end.Load() - stable, For: max(0, now.Sub(time.Unix(0, since)))}
}

// lag is the number of offsets that can be read and may still hold a record to
// publish.
func (p *partition) lag() int64 {
	position, _ := p.window.committable()
	return max(0, p.stable.Load()-max(position, p.nothingBefore.Load()))
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
func (s *session) lookForRecords(at kafka.Partition, p *partition) {
	from, _ := p.window.committable()
	from = max(from, p.nothingBefore.Load())
	block, err := kafka.Fetch(s.control, at, from, s.control.Config().Consumer.Fetch.Default)
	if err != nil {
		return
	}
	if records, next, err := kafka.Readable(block, from); err == nil && s.confirm(s.work, p) {
		if len(records) > 0 {
			next = records[0]
		}
		p.nothingBefore.Store(next)
		p.window.pass(next)
	}
}
