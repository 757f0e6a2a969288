package bridge

import (
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
)

// A claim puts the records of one partition into the topic's gatherer. It
// belongs to its goroutine.
type claim struct {
	*partition

	record  batch.Record // the one being added
	headers []batch.Header
}

// mostAtOnce is how many records a claim adds before it lets the topic's other
// claims go first.
const mostAtOnce = 1000

// run reads until done, or until the channel is closed, or work is done.
func (c *claim) run(done <-chan struct{}, messages <-chan *sarama.ConsumerMessage) {
	for {
		select {
		case <-done:
			return
		case m, ok := <-messages:
			if !ok || !c.add(m, messages) {
				return
			}
		}
	}
}

// add adds a record and what waits in the channel behind it. It returns false
// when work is done, or the topic is gone: nothing behind the record can be
// published either.
func (c *claim) add(m *sarama.ConsumerMessage, messages <-chan *sarama.ConsumerMessage) bool {
	c.read(m)
	for {
		why, room := c.fill(messages)
		switch why {
		case gathered:
			return true
		case tooLarge:
			sent, ok := c.sendAlone()
			if sent || !ok {
				return ok
			}
		default:
			if !c.await(why, room) {
				return false
			}
		}
	}
}

// fill adds the record that was read and what waits in the channel behind it:
// taking records this way costs a fraction of a select over everything. When
// there is no room for one, that is the record that was read.
func (c *claim) fill(messages <-chan *sarama.ConsumerMessage) (verdict, changes) {
	g := c.gatherer
	g.mu.Lock()
	defer g.mu.Unlock()
	for n := 1; ; n++ {
		v := g.put(c.partition, &c.record, batch.EncodedSize(&c.record))
		var freed <-chan struct{}
		if v == noMemory {
			freed = g.memory.more()
			g.hurry()
			v = g.put(c.partition, &c.record, batch.EncodedSize(&c.record)) // some may have been given back before
		}
		if v != gathered {
			return v, changes{g.changed, freed}
		}
		if n == mostAtOnce {
			return gathered, changes{}
		}
		select {
		case m, ok := <-messages:
			if !ok {
				return gathered, changes{}
			}
			c.read(m)
		default:
			return gathered, changes{}
		}
	}
}

// changes are channels that are closed when there may be room.
type changes struct {
	here, memory <-chan struct{}
}

// await waits until there may be room again, and returns false when work is
// done. Meanwhile health says what the partition waits for.
func (c *claim) await(why verdict, room changes) bool {
	g := c.gatherer
	what := "as many batches are on their way as may be (BRIDGE_IN_FLIGHT)"
	switch why {
	case alone:
		what = "its own batches have to be published first"
	case noMemory:
		what = "the memory is taken by batches that wait to be published: see those, or raise BRIDGE_MEMORY_BYTES"
		g.relieve()
	}
	defer c.waits(what)()
	select {
	case <-room.here:
	case <-room.memory:
	case <-g.work.Done():
	}
	return g.work.Err() == nil
}

// waits has health say what the record that was read waits for, until the
// returned function is called.
func (c *claim) waits(what string) (done func()) {
	c.waiting.Store(&what)
	c.waitingTimestamp.Store(waitsSince(&c.record))
	return func() {
		c.waiting.Store(nil)
		c.waitingTimestamp.Store(-1)
	}
}

// sendAlone has the record that was read leave in a batch of its own, behind
// all others of its partition. One that fits no batch it only puts aside:
// what is left of it may fit together with others.
func (c *claim) sendAlone() (sent, ok bool) {
	g := c.gatherer
	encoder := g.bridge.newEncoder()
	if !encoder.Fits(&c.record) {
		ok = g.confirm(g.work, c.partition) && c.putAside(g.work, &c.record) == nil
		return false, ok
	}
	g.finish(c.partition)
	if !c.takeLarge() {
		return false, false
	}
	size := batch.EncodedSize(&c.record)
	encoder.Grow(encoder.Size() + size)
	encoder.Add(&c.record)
	r := &run{of: c.partition, first: c.record.Offset, next: c.record.Offset + 1, bytes: int64(size), timestamp: waitsSince(&c.record)}
	g.mu.Lock()
	defer g.mu.Unlock()
	c.held += r.bytes
	c.takeOut(g.allLanes(), 1)
	alone := gathering{links: g.bridge.newLinks()}
	alone.link(&c.record)
	g.launch(&flight{gatherer: g, lane: g.allLanes(), encoder: encoder, runs: []*run{r}, part: true, large: true, links: alone.links})
	return true, true
}

// takeLarge waits for the bridge's one place for a batch that is larger than
// what others leave; false when work is done.
func (c *claim) takeLarge() bool {
	what := "a large record waits until another partition's has been published: see that one, or raise BRIDGE_MEMORY_BYTES"
	defer c.waits(what)()
	select {
	case c.bridge.large <- struct{}{}:
		return c.gatherer.work.Err() == nil
	case <-c.gatherer.work.Done():
		return false
	}
}

// waitsSince is since when a record waits, in milliseconds: Kafka's timestamp,
// if it can be true.
func waitsSince(r *batch.Record) int64 {
	return event.ReceivedAt(time.Now()).Reference(r.Timestamp).UnixMilli()
}

// read turns the library's message into the record to be added.
func (c *claim) read(m *sarama.ConsumerMessage) {
	timestamp := m.Timestamp.UnixMilli()
	if timestamp < 0 {
		timestamp = -1
	}
	c.headers = c.headers[:0]
	for _, h := range m.Headers {
		c.headers = append(c.headers, batch.Header{Key: string(h.Key), Value: h.Value})
	}
	c.record = batch.Record{Partition: c.number, Offset: m.Offset, Timestamp: timestamp, Key: m.Key, Value: m.Value, Headers: c.headers}
}
