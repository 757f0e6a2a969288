package bridge

import (
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
)

// A claim puts the records of one partition into the topic's gatherer. It
// belongs to its goroutine.
type claim struct {
	*partition
	longer func() // says that adding takes longer

	left    []*sarama.RecordBatch // the batches to add, of which the first is being read
	at      int                   // the index in it of the next record
	from    int64                 // what lies before this offset is passed over
	record  batch.Record          // the one being added
	headers []batch.Header
}

// mostAtOnce is how many records a claim adds before it lets the topic's other
// claims go first.
const mostAtOnce = 1000

// run adds what the source has until its session is done, or work is. It returns
// the source's error; nil where work is done or the topic is gone.
func (c *claim) run(from *source) error {
	c.from, c.longer = from.from, from.wait
	defer from.leave()
	for {
		got, err := from.next()
		if err != nil {
			return err
		}
		c.left, c.at = got.batches, 0
		if !c.addAll(from.done.Done()) {
			return nil
		}
		c.from = got.next
	}
}

// addAll adds what is left, or as much of it as there is time for until done.
// It returns false when work is done, or the topic is gone: nothing behind the
// record can be published either.
func (c *claim) addAll(done <-chan struct{}) bool {
	for more := c.read(); more; {
		select {
		case <-done:
			return true // the source ends
		default:
		}
		why, room := c.fill()
		switch why {
		case gathered:
			more = c.read()
		case tooLarge:
			sent, ok := c.sendAlone()
			if !ok {
				return false
			}
			if sent {
				more = c.read()
			}
		default:
			if !c.await(why, room) {
				return false
			}
		}
	}
	return true
}

// fill adds the record that was read and those behind it, mostAtOnce at most.
// Where there is no room for one, that is the record that was read.
func (c *claim) fill() (verdict, changes) {
	g := c.gatherer
	g.mu.Lock()
	defer g.mu.Unlock()
	for n := 1; ; n++ {
		size := batch.EncodedSize(&c.record)
		v := g.put(c.partition, &c.record, size)
		var freed <-chan struct{}
		if v == noMemory {
			freed = g.memory.more()
			g.hurry()
			v = g.put(c.partition, &c.record, size) // some may have been given back before
		}
		if v != gathered {
			return v, changes{g.changed, freed}
		}
		if n == mostAtOnce || !c.read() {
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
	c.longer()
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
	c.longer()
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
		if c.gatherer.work.Err() == nil {
			return true
		}
		<-c.bridge.large // both were ready; the next session needs the place
	case <-c.gatherer.work.Done():
	}
	return false
}

// waitsSince is since when a record waits, in milliseconds: Kafka's timestamp,
// if it can be true.
func waitsSince(r *batch.Record) int64 {
	return event.ReceivedAt(time.Now()).Reference(r.Timestamp).UnixMilli()
}

// read makes the next of the records that are left the one to be added; false
// where none is left.
func (c *claim) read() bool {
	for len(c.left) > 0 {
		b := c.left[0]
		for c.at < len(b.Records) {
			r := b.Records[c.at]
			c.at++
			if offset := b.FirstOffset + r.OffsetDelta; offset >= c.from {
				c.take(r, offset, kafka.Timestamp(b, r))
				return true
			}
		}
		c.left, c.at = c.left[1:], 0
	}
	return false
}

// take turns the library's record into the one to be added.
func (c *claim) take(r *sarama.Record, offset, timestamp int64) {
	c.headers = c.headers[:0]
	for _, h := range r.Headers {
		c.headers = append(c.headers, batch.Header{Key: string(h.Key), Value: h.Value})
	}
	c.record = batch.Record{Partition: c.number, Offset: offset, Timestamp: timestamp, Key: r.Key, Value: r.Value, Headers: c.headers}
}
