package bridge

import (
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// A partition is what is known of one partition during one session. The
// goroutines of its claim and of its batches write it, those of committing,
// health and metrics read it.
type partition struct {
	*gatherer
	number int32

	window    *window
	committed atomic.Int64 // what the group has committed
	labelled  bool         // that commit names the topic's id; written by the goroutine that commits

	// The gatherer's lock guards these.
	held      int64 // bytes of its records in all batches, open and on their way
	flying    int   // batches on their way that hold some
	parts     int   // of these, those that hold nothing else and that it waits for
	lakeParts int   // likewise, those for the lake lane alone: it waits when there are many

	// How far it reaches, as last heard.
	end    atomic.Int64 // the offset of the next record to be produced
	stable atomic.Int64 // the end of what can be read: the first open transaction begins there, or it is end
	stands atomic.Int64 // since when stable stands still before end, in Unix nanoseconds; 0 when it does not

	nothingBefore atomic.Int64 // no offset from the position up to here holds a record

	openTimestamp atomic.Int64 // of its first record in the open batch, in milliseconds; -1 for none
	// Of the record that was read and waits for room, in milliseconds; -1 for
	// none.
	waitingTimestamp atomic.Int64
	moved            atomic.Int64 // when it last made progress or had nothing to do, in Unix nanoseconds

	turn turn // of what it publishes alone

	stopped atomic.Pointer[string] // why it is not read at all
	failing atomic.Pointer[string] // why a large value cannot be put aside at the moment
	waiting atomic.Pointer[string] // what the next record waits for, while it does
}

func newPartition(g *gatherer, number int32, from position) *partition {
	p := &partition{gatherer: g, number: number, labelled: from.labelled,
		window: newWindow(from.offset, g.bridge.config.Lanes)}
	p.committed.Store(from.offset)
	p.heard(from.end, from.stable, time.Now())
	p.openTimestamp.Store(-1)
	p.waitingTimestamp.Store(-1)
	p.progress()
	if from.broken != "" {
		p.stop(from.broken)
	}
	return p
}

func (p *partition) progress() { p.moved.Store(time.Now().UnixNano()) }

// takeOut has the partition wait for a batch of its own, or with -1 no more.
// The caller holds the gatherer's lock.
func (p *partition) takeOut(lane batch.Lane, by int) {
	if lane.Serves(p.leading()) {
		p.parts += by
	} else {
		p.lakeParts += by
	}
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
		p.stands.Store(0)
	case moved || p.stands.Load() == 0:
		p.stands.Store(now.UnixNano())
	}
}

// transaction is the open one that keeps the rest of the partition from being
// read; nil while there is none.
func (p *partition) transaction(now time.Time) *OpenTransaction {
	since := p.stands.Load()
	if since == 0 {
		return nil
	}
	stable := p.stable.Load()
	return &OpenTransaction{Offset: stable, Offsets: p.end.Load() - stable, For: max(0, now.Sub(time.Unix(0, since)))}
}

// lag is the number of offsets that can be read and may still hold a record to
// publish.
func (p *partition) lag() int64 {
	return max(0, p.stable.Load()-max(p.window.published(), p.nothingBefore.Load()))
}

// idleWithLag reports whether offsets wait although nothing is being
// published.
func (p *partition) idleWithLag(since time.Duration) bool {
	_, oldest, _ := p.window.look()
	return oldest < 0 && p.openTimestamp.Load() < 0 && p.lag() > 0 &&
		time.Since(time.Unix(0, p.moved.Load())) > since
}
