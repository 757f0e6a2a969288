package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// A gatherer cuts the records of a topic into batches, for each lane that is
// sent. Claims put records in; batches leave by themselves, each in a
// goroutine of its own.
//
// A record is first in open. When that is old enough it leaves in the rows
// lane, and its records are added to kept, without being encoded again; when
// kept is old enough, or at a limit, it leaves in the lake lane. An open batch
// that is full before it is old leaves in both lanes at once; what is kept
// leaves before it. So the batches of each lane leave in the order of the
// offsets, and every record is in exactly one batch of each lane. Where only
// one lane is sent, the other is left out of this.
//
// At most Config.InFlight batches of a lane are on their way. While they are,
// an old batch goes on to be filled, and a full one makes the claims wait:
// their partitions are not fetched until they have added what they have.
type gatherer struct {
	bridge *Bridge
	of     batch.Batch     // where the records come from; it holds none
	work   context.Context // of all publishing
	memory *memory

	// confirm waits until the topic is confirmed to be the same, see
	// session.confirm; relieve makes all gatherers of the session give up
	// what they keep.
	confirm func(context.Context, ...*partition) bool
	relieve func()

	replaced atomic.Bool // the topic is not the one it was

	mu         sync.Mutex
	open, kept gathering
	full       bool               // open has to leave in all lanes
	usual      int                // the size of the batch that was open before, in bytes
	places     map[batch.Lane]int // that are taken, by lane
	through    throughput         // batches that the transport has taken
	changed    chan struct{}      // closed when something has left or landed
}

func newGatherer(b *Bridge, of batch.Batch, work context.Context, memory *memory) *gatherer {
	return &gatherer{bridge: b, of: of, work: work, memory: memory,
		confirm: func(context.Context, ...*partition) bool { return true }, relieve: func() {},
		places: make(map[batch.Lane]int), changed: make(chan struct{})}
}

// leading is the lane that lag is measured at: rows, or the only one.
func (g *gatherer) leading() batch.Lane { return g.bridge.config.Lanes[0] }

// allLanes is what a batch is for that leaves in every lane that is sent.
func (g *gatherer) allLanes() batch.Lane {
	if len(g.bridge.config.Lanes) == 1 {
		return g.leading()
	}
	return batch.BothLanes
}

// A verdict says what became of a record that was to be gathered.
type verdict int

const (
	gathered verdict = iota
	noPlace          // as many batches are on their way as may be
	noMemory         // all memory that is there for the partition is taken
	tooLarge         // it does not fit together with others
	alone            // the partition's batches are failing: it has to wait for them
)

// put adds the record of which the encoded size is given. The caller holds
// the lock.
func (g *gatherer) put(p *partition, r *batch.Record, size int) verdict {
	if p.parts > 0 || p.lakeParts >= g.bridge.config.InFlight {
		return alone
	}
	if e := g.open.encoder; e != nil && (g.full || e.Size()+size > g.bridge.config.BatchBytes || !e.FitsSize(r, size)) {
		g.full = true
		if g.settle(); !g.open.empty() {
			return noPlace
		}
	}
	if g.open.empty() {
		if v := g.begin(p, r, size); v != gathered {
			return v
		}
	} else if v := g.grow(p, g.open.encoder.Size()+size, size); v != gathered {
		return v
	}
	of := g.open.run(p)
	if of == nil {
		of = &run{of: p, first: r.Offset, timestamp: waitsSince(r)}
		p.openTimestamp.Store(of.timestamp)
		g.open.runs, g.open.last = append(g.open.runs, of), of
	}
	g.open.encoder.Add(r)
	g.open.link(r)
	of.next = r.Offset + 1
	of.bytes += int64(size)
	p.held += int64(size)
	if g.open.encoder.Records() >= g.bridge.config.BatchRecords {
		g.full = true
		g.settle()
	}
	return gathered
}

// begin opens a batch for the record.
func (g *gatherer) begin(p *partition, r *batch.Record, size int) verdict {
	encoder := g.bridge.encoder(g.bridge.config.BatchBytes)
	need := encoder.Size() + size
	if need > g.bridge.config.BatchBytes || !encoder.FitsSize(r, size) {
		return tooLarge
	}
	if room := encoder.Room(); room >= need && g.memory.take(int64(room)) {
		g.open.taken = int64(room)
	} else {
		g.bridge.encoders.Put(encoder)
		encoder = g.bridge.newEncoder()
	}
	g.open.encoder = encoder
	if v := g.grow(p, need, size); v != gathered {
		g.open.leave() // nothing was taken yet
		return v
	}
	g.foresee()
	age := g.bridge.config.BatchAge
	g.open.begin(encoder, time.Now(), age, func() { g.aged(&g.open, age) })
	g.open.links = g.bridge.newLinks()
	return gathered
}

// foresee makes room at once for as much as the batch before held, and a little
// more, if there is memory: a batch that grows by steps is copied with each.
func (g *gatherer) foresee() {
	room := g.open.encoder.Room()
	wanted := min(g.usual+g.usual/32, g.bridge.config.BatchBytes)
	if wanted > room && g.memory.take(int64(wanted-room)) {
		g.open.encoder.Grow(wanted)
		g.open.taken += int64(wanted - room)
	}
}

// grow makes room in the open batch for so many bytes, of which the last one
// record takes size: in steps of an eighth, for encoders are used again and so
// grow seldom but keep what they have, up to what a batch may have, or within
// the partition's share where the memory is short.
func (g *gatherer) grow(p *partition, need, size int) verdict {
	room := g.open.encoder.Room()
	if need <= room {
		return gathered
	}
	most := g.bridge.config.BatchBytes
	wanted := max(need, min(room+max(room/8, minRoom), most))
	if !g.memory.take(int64(wanted - room)) {
		switch {
		case int64(size) > g.memory.share:
			return tooLarge
		case p.held+int64(size) > g.memory.share:
			return noMemory
		}
		wanted = max(need, min(room+minRoom, most))
		g.memory.takeShare(int64(wanted - room))
	}
	g.open.encoder.Grow(wanted)
	g.open.taken += int64(wanted - room)
	return gathered
}

// aged says that a batch may have to leave.
func (g *gatherer) aged(one *gathering, age time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !one.empty() && time.Since(one.began) >= age { // otherwise the one that was meant has left
		one.due = true
		g.settle()
	}
}

// settle has everything leave that has to, as far as there are places for it.
// The caller holds the lock.
func (g *gatherer) settle() {
	if g.kept.due {
		g.sendKept()
	}
	if g.open.empty() || !g.open.due && !g.full {
		return
	}
	all := g.allLanes()
	rows, lake := all.Serves(batch.RowsLane), all.Serves(batch.LakeLane)
	switch {
	case rows && !g.place(batch.RowsLane):
	case lake && !g.full && (g.keep() || g.sendKept() && g.keep()):
		if rows {
			g.send(&g.open, batch.RowsLane)
		} else {
			g.drop()
		}
	case g.sendKept() && (!lake || g.place(batch.LakeLane)):
		g.send(&g.open, all)
	}
}

// sendKept has leave what is kept, and returns whether nothing is any more.
func (g *gatherer) sendKept() bool {
	if !g.kept.empty() && g.place(batch.LakeLane) {
		g.send(&g.kept, batch.LakeLane)
	}
	return g.kept.empty()
}

// place reports whether a batch more of the lane may be on its way.
func (g *gatherer) place(lane batch.Lane) bool { return g.places[lane] < g.bridge.config.InFlight }

// keep adds the open batch to what is kept for the lake lane, unless that
// would be too much for a batch or for the memory.
func (g *gatherer) keep() bool {
	e, open := g.kept.encoder, g.open.encoder
	if e == nil {
		e = g.bridge.newEncoder()
	}
	room := e.Room()
	wanted := room
	if need := e.Size() + open.Size(); need > room {
		wanted = max(need, min(2*room, batch.MaxEncodedBytes))
	}
	if !e.Joins(open) || !g.memory.take(int64(wanted-room)) {
		return false
	}
	if g.kept.empty() {
		age := g.bridge.config.LakeAge
		g.kept.begin(e, g.open.began, age-time.Since(g.open.began), func() { g.aged(&g.kept, age) })
		g.kept.links = g.bridge.newLinks()
	}
	e.Grow(wanted)
	g.kept.taken += int64(wanted - room)
	g.kept.join(&g.open)
	for _, r := range g.open.runs {
		r.of.held += r.bytes
	}
	return true
}

// leave empties the open batch or what is kept, and returns it.
func (g *gatherer) leave(from *gathering) gathering {
	if from == &g.open {
		g.full, g.usual = false, from.encoder.Size()
		for _, r := range from.runs {
			r.of.openTimestamp.Store(-1)
		}
	}
	return from.leave()
}

// drop empties the open batch, which was added to what is kept: nothing takes
// rows.
func (g *gatherer) drop() {
	left := g.leave(&g.open)
	for _, r := range left.runs {
		r.of.held -= r.bytes
	}
	g.memory.give(left.taken)
	g.bridge.encoders.Put(left.encoder)
}

// send has a batch leave.
func (g *gatherer) send(from *gathering, lane batch.Lane) {
	left := g.leave(from)
	for _, of := range g.bridge.config.Lanes {
		if lane.Serves(of) {
			g.places[of]++
		}
	}
	g.launch(&flight{gatherer: g, lane: lane, encoder: left.encoder, runs: left.runs, taken: left.taken, placed: true,
		gathered: left.began, links: left.links})
}

// launch has a batch set off that has not been on its way yet. The caller
// holds the lock.
func (g *gatherer) launch(f *flight) {
	f.began = time.Now()
	for _, r := range f.runs {
		r.lane = f.lane
		r.of.window.add(r)
		r.of.flying++
	}
	g.notify()
	go f.fly()
}

// A throughput counts batches by lane: those of the lane rows, then those of the
// lane lake.
type throughput [2]int64

// tookOver counts a batch that the transport has taken.
func (g *gatherer) tookOver(lane batch.Lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, of := range []batch.Lane{batch.RowsLane, batch.LakeLane} {
		if lane.Serves(of) {
			g.through[i]++
		}
	}
}

func (g *gatherer) throughput() throughput {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.through
}

// since reports whether batches of all the lanes that the one serves got
// through since before.
func (t throughput) since(before throughput, lane batch.Lane) bool {
	return (!lane.Serves(batch.RowsLane) || t[0] > before[0]) && (!lane.Serves(batch.LakeLane) || t[1] > before[1])
}

// giveBack gives the places of a batch to others. The caller holds the lock.
func (g *gatherer) giveBack(f *flight) {
	if f.placed {
		f.placed = false
		for _, of := range g.bridge.config.Lanes {
			if f.lane.Serves(of) {
				g.places[of]--
			}
		}
	}
	g.settle()
	g.notify()
}

// hurry has everything leave, whether it is old or not. The caller holds the
// lock.
func (g *gatherer) hurry() {
	g.kept.due, g.full = true, true
	g.settle()
	if g.open.empty() {
		g.full = false
	}
	if g.kept.empty() {
		g.kept.due = false
	}
}

// giveUp has leave what is kept for the lake lane.
func (g *gatherer) giveUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.kept.empty() {
		g.kept.due = true
		g.settle()
	}
}

// finish has all of a partition's records leave, and waits until they are
// published, or until work is done and nothing of them is on its way.
func (g *gatherer) finish(p *partition) {
	for {
		g.mu.Lock()
		g.hurry()
		waits := g.open.run(p) != nil || g.kept.run(p) != nil
		flying, changed := p.flying > 0, g.changed
		g.mu.Unlock()
		if !flying && (!waits || g.work.Err() != nil) {
			return
		}
		<-changed
	}
}

// notify wakes those who wait for a change. The caller holds the lock.
func (g *gatherer) notify() {
	close(g.changed)
	g.changed = make(chan struct{})
}
