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

// A batcher turns the records of one claim into batches and sends them off. It
// belongs to the claim's goroutine.
//
// When as many batches are beyond the committable position as may be in
// flight, sending blocks, and with it the reading of this claim: the library
// then stops fetching the partition until its channel is drained, while the
// others go on. Its own Pause would not be better: it takes effect with the
// next fetch, and what was fetched by then waits in the same channel.
type batcher struct {
	*partition
	work       context.Context
	publishing errgroup.Group

	open      *batch.Encoder // nil, or holds at least one record
	exclusive bool           // open is larger than the partition's share: it has a slot and the one place for that
	timestamp int64          // since when the first record in open waits, in milliseconds: Kafka's, if it can be true
	age       *time.Timer    // runs while open is not nil

	record  batch.Record // the one being added
	headers []batch.Header
}

func newBatcher(p *partition, work context.Context) *batcher {
	b := &batcher{partition: p, work: work, age: time.NewTimer(time.Hour)}
	b.age.Stop()
	return b
}

// run reads until done, or until the channel is closed.
func (b *batcher) run(done <-chan struct{}, messages <-chan *sarama.ConsumerMessage) {
	for {
		select {
		case <-done:
			return
		case <-b.age.C:
			b.cut()
		case m, ok := <-messages:
			if !ok {
				return
			}
			b.add(m)
			b.addWaiting(messages)
		}
	}
}

// addWaiting adds what waits in the channel, up to a batch: taking a record
// this way costs a fraction of a select over everything.
func (b *batcher) addWaiting(messages <-chan *sarama.ConsumerMessage) {
	for b.open != nil {
		select {
		case m, ok := <-messages:
			if !ok {
				return
			}
			b.add(m)
		default:
			return
		}
	}
}

// drain sends off what is left and waits for everything in flight.
func (b *batcher) drain() {
	b.cut()
	_ = b.publishing.Wait() // publishes return no error: they try until work is done
	b.age.Stop()
}

// add adds a record to the open batch, cutting before or after it.
func (b *batcher) add(m *sarama.ConsumerMessage) {
	r := b.read(m)
	size := batch.EncodedSize(r)
	if b.open != nil && (b.open.Size()+size > b.batchBytes || !b.open.FitsSize(r, size)) {
		b.cut()
	}
	if b.open == nil {
		if b.begin(r, size) != nil {
			return // work is done, or the topic is gone: nothing after the record can be published either
		}
	} else if need := b.open.Size() + size; need > b.open.Room() {
		b.grow(need)
	}
	b.open.Add(r)
	if b.exclusive || b.open.Records() >= b.bridge.config.BatchRecords {
		b.cut()
	}
}

// begin opens a batch for the record, of which the encoded size is given, and
// makes room for it. The error is work's, or errReplaced.
func (b *batcher) begin(r *batch.Record, size int) error {
	open := b.bridge.encoder(b.batchBytes)
	if !open.FitsSize(r, size) {
		if !b.confirm(b.work) {
			return errReplaced
		}
		if err := b.putAside(b.work, r); err != nil {
			return err
		}
		size = batch.EncodedSize(r)
	}
	need := open.Size() + size
	if b.exclusive = need > b.batchBytes; b.exclusive {
		// In this order: a partition that holds the place which all share
		// waits for nothing more.
		if err := b.takeSlot(b.work); err != nil {
			return err
		}
		if err := b.takeLarge(b.work); err != nil {
			return err
		}
	}
	b.open, b.timestamp = open, event.ReceivedAt(time.Now()).Reference(r.Timestamp).UnixMilli()
	b.grow(need)
	b.openTimestamp.Store(b.timestamp)
	b.age.Reset(b.bridge.config.BatchAge)
	return nil
}

// grow gives the open batch memory for so many bytes and for more to come, in
// steps that double and end at what a batch may have.
func (b *batcher) grow(need int) {
	if need > b.open.Room() {
		b.open.Grow(max(need, min(2*b.open.Room(), b.batchBytes), min(minRoom, b.batchBytes)))
	}
	b.openBytes.Store(int64(b.open.Room()))
}

// cut sends the open batch off. It blocks while too many are in flight, and
// drops the batch when work is done by then.
func (b *batcher) cut() {
	if b.open == nil {
		return
	}
	open, exclusive := b.open, b.exclusive
	run := open.Ranges()[0]
	f := &inFlight{first: run.First, next: run.Last + 1, bytes: open.Room(), timestamp: b.timestamp}
	b.age.Stop()
	if !exclusive && b.takeSlot(b.work) != nil {
		b.open = nil
		return
	}
	b.open, b.exclusive = nil, false
	b.window.add(f)
	b.openBytes.Store(0)
	b.openTimestamp.Store(-1)
	b.publishing.Go(func() error {
		published := b.confirm(b.work) && b.publish(b.work, open, f)
		if !published {
			<-b.slots // the position stays before the batch for good: nothing else gives it back
		}
		switch {
		case exclusive:
			<-b.bridge.large
		case published && !f.retried: // otherwise the transport may be reading it still
			b.bridge.encoders.Put(open)
		}
		return nil
	})
}

// read turns the library's message into a record that is valid until the
// next call.
func (b *batcher) read(m *sarama.ConsumerMessage) *batch.Record {
	timestamp := m.Timestamp.UnixMilli()
	if timestamp < 0 {
		timestamp = -1
	}
	b.headers = b.headers[:0]
	for _, h := range m.Headers {
		b.headers = append(b.headers, batch.Header{Key: string(h.Key), Value: h.Value})
	}
	b.record = batch.Record{Partition: b.number, Offset: m.Offset, Timestamp: timestamp, Key: m.Key, Value: m.Value, Headers: b.headers}
	return &b.record
}
