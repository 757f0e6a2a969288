package bridge

import (
	"context"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
)

// minRoom is the memory that a batch starts with, in bytes.
const minRoom = 16 << 10

// A cutter turns the records of one claim into batches and sends them off. It
// belongs to the claim's goroutine.
//
// When as many batches are beyond the committable position as may be in
// flight, sending blocks, and with it the reading of this claim: the library then stops fetching the partition
// until its channel is drained, while others go on. Its own Pause would not
// be better: it takes effect with the next fetch, and what was fetched by
// then waits in the same channel.
type cutter struct {
	*partition
	work    context.Context
	flights errgroup.Group

	open      *batch.Encoder // nil, or holds at least one record
	exclusive bool           // open is larger than the partition's share, and holds a slot and the bridge's one place for that
	timestamp int64          // since when the first record in open waits, in milliseconds: Kafka's, if it can be true
	age       *time.Timer    // runs while open is not nil

	record  batch.Record // the one being added
	headers []batch.Header
}

func newCutter(p *partition, work context.Context) *cutter {
	c := &cutter{partition: p, work: work, age: time.NewTimer(time.Hour)}
	c.age.Stop()
	return c
}

// run reads until done, or until the channel is closed.
func (c *cutter) run(done <-chan struct{}, messages <-chan *sarama.ConsumerMessage) {
	for {
		select {
		case <-done:
			return
		case <-c.age.C:
			c.cut()
		case m, ok := <-messages:
			if !ok {
				return
			}
			c.add(m)
			c.addWaiting(messages)
		}
	}
}

// addWaiting adds what waits in the channel, up to a batch: taking a record
// this way costs a fraction of a select over everything.
func (c *cutter) addWaiting(messages <-chan *sarama.ConsumerMessage) {
	for c.open != nil {
		select {
		case m, ok := <-messages:
			if !ok {
				return
			}
			c.add(m)
		default:
			return
		}
	}
}

// drain sends off what is left and waits for everything in flight.
func (c *cutter) drain() {
	c.cut()
	_ = c.flights.Wait() // publishes return no error: they try until work is done
	c.age.Stop()
}

// add adds a record to the open batch, cutting before or after it.
func (c *cutter) add(m *sarama.ConsumerMessage) {
	r := c.read(m)
	size := batch.EncodedSize(r)
	if c.open != nil && (c.open.Size()+size > c.batchBytes || !c.open.Fits(r)) {
		c.cut()
	}
	if c.open == nil {
		if err := c.begin(r); err != nil {
			return // work is done, or the topic is gone: nothing after the record can be published either
		}
		size = batch.EncodedSize(r)
	}
	if need := c.open.Size() + size; need > c.open.Room() {
		c.grow(need)
	}
	c.open.Add(r)
	if c.exclusive || c.open.Records() >= c.bridge.config.BatchRecords {
		c.cut()
	}
}

// begin opens a batch for the record. The error is work's, or errReplaced.
func (c *cutter) begin(r *batch.Record) error {
	open := c.bridge.encoder(c.batchBytes)
	if !open.Fits(r) {
		if !c.confirm(c.work) {
			return errReplaced
		}
		if err := c.putAside(c.work, r); err != nil {
			return err
		}
	}
	need := open.Size() + batch.EncodedSize(r)
	if c.exclusive = need > c.batchBytes; c.exclusive {
		// In this order: whoever holds the place that all share waits for
		// nothing more.
		if err := c.takeSlot(c.work); err != nil {
			return err
		}
		if err := c.takeLarge(c.work); err != nil {
			return err
		}
	}
	c.open, c.timestamp = open, event.ReceivedAt(time.Now()).Reference(r.Timestamp).UnixMilli()
	c.grow(need)
	c.openTimestamp.Store(c.timestamp)
	c.age.Reset(c.bridge.config.BatchAge)
	return nil
}

// grow gives the open batch memory for so many bytes and for more to come, in
// steps that double and end at what a batch may have.
func (c *cutter) grow(need int) {
	if need > c.open.Room() {
		c.open.Grow(max(need, min(2*c.open.Room(), c.batchBytes), min(minRoom, c.batchBytes)))
	}
	c.openBytes.Store(int64(c.open.Room()))
}

// cut sends the open batch off. It blocks while too many are in flight, and
// drops the batch when work is done by then.
func (c *cutter) cut() {
	if c.open == nil {
		return
	}
	open, exclusive := c.open, c.exclusive
	f := &flight{first: open.FirstOffset(), next: open.LastOffset() + 1, bytes: open.Room(), timestamp: c.timestamp}
	c.age.Stop()
	if !exclusive && c.takeSlot(c.work) != nil {
		c.open = nil
		return
	}
	c.open, c.exclusive = nil, false
	c.window.depart(f)
	c.openBytes.Store(0)
	c.openTimestamp.Store(-1)
	c.flights.Go(func() error {
		published := c.confirm(c.work) && c.publish(c.work, open, f)
		if !published {
			<-c.slots // the position stays before the batch for good: nobody else gives it back
		}
		switch {
		case exclusive:
			<-c.bridge.large
		case published && !f.retried: // otherwise the transport may be reading it still
			c.bridge.encoders.Put(open)
		}
		return nil
	})
}

// read turns the library's message into a record that is valid until the
// next call.
func (c *cutter) read(m *sarama.ConsumerMessage) *batch.Record {
	timestamp := m.Timestamp.UnixMilli()
	if timestamp < 0 {
		timestamp = -1
	}
	c.headers = c.headers[:0]
	for _, h := range m.Headers {
		c.headers = append(c.headers, batch.Header{Key: string(h.Key), Value: h.Value})
	}
	c.record = batch.Record{Offset: m.Offset, Timestamp: timestamp, Key: m.Key, Value: m.Value, Headers: c.headers}
	return &c.record
}
