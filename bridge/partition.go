package bridge

import (
	"context"
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
	number     int32
	batchBytes int

	window    window
	slots     chan struct{} // holds one for each batch from its cut until the position is past it
	committed atomic.Int64  // what the group has committed
	labelled  bool          // that commit names the topic's id; written by the goroutine that commits

	confirm  func(context.Context) bool // see session.confirm
	replaced atomic.Bool                // the topic is not the one it was

	// How far it reaches, as last heard.
	end    atomic.Int64 // the offset of the next record to be produced
	stable atomic.Int64 // the end of what can be read: the first open transaction begins there, or it is end
	held   atomic.Int64 // since when stable stands still before end, in Unix nanoseconds; 0 when it does not

	nothingBefore atomic.Int64 // no offset from the position up to here holds a record

	openBytes     atomic.Int64 // of the batch that is being filled
	openTimestamp atomic.Int64 // of its first record, in milliseconds; -1 for no batch
	moved         atomic.Int64 // when it last made progress or had nothing to do, in Unix nanoseconds

	heldUntil atomic.Int64 // nothing is published before, in Unix nanoseconds: the other side asked for it

	stopped atomic.Pointer[string] // why it is not read at all
	failing atomic.Pointer[string] // why a large value cannot be put aside at the moment
	waiting atomic.Pointer[string] // what the next batch waits for, while it does
}

func newPartition(b *Bridge, of batch.Batch, number int32, from position, batchBytes int) *partition {
	p := &partition{bridge: b, of: of, number: number, batchBytes: batchBytes, labelled: from.labelled,
		slots:   make(chan struct{}, b.config.InFlight),
		confirm: func(context.Context) bool { return true }}
	p.window.position = from.offset
	p.committed.Store(from.offset)
	p.heard(from.end, from.stable, time.Now())
	p.openTimestamp.Store(-1)
	p.progress()
	if from.broken != "" {
		p.stop(from.broken)
	}
	return p
}

func (p *partition) progress() { p.moved.Store(time.Now().UnixNano()) }

// await puts one into the channel, or returns the context's error. Meanwhile
// health says what the partition waits for.
func (p *partition) await(ctx context.Context, places chan<- struct{}, what string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	p.waiting.Store(&what)
	defer p.waiting.Store(nil)
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takeSlot waits until a batch more may be in flight.
func (p *partition) takeSlot(work context.Context) error {
	return p.await(work, p.slots, "as many batches wait to be committed as may be (BRIDGE_IN_FLIGHT)")
}

// takeLarge waits for the bridge's one place for a batch that is larger than
// a partition's share.
func (p *partition) takeLarge(work context.Context) error {
	return p.await(work, p.bridge.large,
		"a large record waits until another partition's has been published: see that one, or raise BRIDGE_MEMORY_BYTES")
}

// stop says that the partition is read no further, and why.
func (p *partition) stop(why string) {
	if p.stopped.Swap(&why) == nil {
		p.bridge.log.Error("a partition stopped", "topic", p.of.Topic, "partition", p.number, "reason", why)
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
