package bridge

import (
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// A partition is what is known of one partition during one session. The
// goroutines of its claim and of its publishes write it, those of committing,
// health and metrics read it.
type partition struct {
	bridge     *Bridge
	of         batch.Batch // where the records come from; it holds none
	batchBytes int

	window    window
	committed atomic.Int64 // what the group has committed, or -1
	end       atomic.Int64 // the offset of the next record to be produced, as last heard

	nothingBefore atomic.Int64 // no offset from the position up to here holds a record

	openBytes     atomic.Int64 // of the batch that is being filled
	openTimestamp atomic.Int64 // of its first record, in milliseconds; -1 for no batch
	moved         atomic.Int64 // when it last made progress or had nothing to do, in Unix nanoseconds

	heldUntil atomic.Int64 // nothing is published before, in Unix nanoseconds: the other side asked for it

	stopped atomic.Pointer[string] // why it is not read at all
	failing atomic.Pointer[string] // why publishing does not succeed at the moment
}

func newPartition(b *Bridge, of batch.Batch, from position, batchBytes int) *partition {
	p := &partition{bridge: b, of: of, batchBytes: batchBytes}
	p.window.position = from.offset
	p.committed.Store(from.committed)
	p.end.Store(from.end)
	p.openTimestamp.Store(-1)
	p.progress()
	if from.broken != "" {
		p.stop(from.broken)
	}
	return p
}

func (p *partition) progress() { p.moved.Store(time.Now().UnixNano()) }

// stop says that the partition is read no further, and why.
func (p *partition) stop(why string) {
	if p.stopped.Swap(&why) == nil {
		p.bridge.log.Error("a partition stopped", "topic", p.of.Topic, "partition", p.of.Partition, "reason", why)
	}
}
