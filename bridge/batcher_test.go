package bridge

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// A sink is a Transport that takes everything.
type sink func(cloudevents.Event) error

func (s sink) Publish(_ context.Context, e cloudevents.Event) error { return s(e) }

const topicID = "0f9b3c1e-5a7d-4e21-8c44-d2b6a1907e53"

func testBatcher(t testing.TB, change func(*Config), transport Transport) *batcher {
	t.Helper()
	c, err := FromEnv(environment(map[string]string{"BRIDGE_BATCH_AGE": "1m"}))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&c)
	}
	b, err := New(c, Dependencies{Transport: transport, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	of := batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes}
	return newBatcher(newPartition(b, of, 0, position{}, c.batchBytes(6)), context.Background())
}

// Whatever the sizes of the records, every one is in a batch, in order, and
// every batch is within its limits.
func TestBatcher_CutsWithinTheLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 30 {
		var mu sync.Mutex
		var batches []*batch.Batch
		c := testBatcher(t, func(c *Config) {
			c.BatchRecords = 1 + random.IntN(100)
			c.BatchBytes = 4<<10 + random.IntN(64<<10)
			c.InFlight = 1 // in order, so that the test can look
		}, sink(func(e cloudevents.Event) error {
			b, err := batch.FromEvent(e.Clone())
			if err != nil {
				t.Error(err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			batches = append(batches, b)
			return nil
		}))
		messages := make(chan *sarama.ConsumerMessage, 1000)
		for i := range cap(messages) {
			size := random.IntN(400)
			if random.IntN(100) == 0 {
				size = random.IntN(200 << 10) // alone in a batch
			}
			messages <- &sarama.ConsumerMessage{Offset: int64(i), Value: make([]byte, size), Timestamp: time.UnixMilli(1)}
		}
		close(messages)
		c.run(nil, messages)
		c.drain()
		next := int64(0)
		for _, b := range batches {
			if len(b.Records) > c.bridge.config.BatchRecords {
				t.Fatalf("round %d: a batch of %d records", round, len(b.Records))
			}
			size := 0
			for i := range b.Records {
				if b.Records[i].Offset != next {
					t.Fatalf("round %d: offset %d follows %d", round, b.Records[i].Offset, next-1)
				}
				next++
				size += batch.EncodedSize(&b.Records[i])
			}
			if size > c.batchBytes && len(b.Records) > 1 {
				t.Fatalf("round %d: a batch of %d bytes", round, size)
			}
		}
		if position, _ := c.window.committable(); next != 1000 || position != 1000 {
			t.Fatalf("round %d: %d records were published, and %d are committable", round, next, position)
		}
		if len(c.bridge.large) != 0 {
			t.Fatal("the place for large batches is still taken")
		}
	}
}

// A batch is published when its first record has waited long enough, full or
// not.
func TestBatcher_CutsByAge(t *testing.T) {
	published := make(chan int64, 1)
	c := testBatcher(t, func(c *Config) { c.BatchAge = time.Millisecond }, sink(func(e cloudevents.Event) error {
		b, err := batch.FromEvent(e.Clone())
		if err != nil {
			t.Error(err)
		}
		published <- b.Records[len(b.Records)-1].Offset
		return nil
	}))
	messages := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { c.run(done, messages) })
	for offset := range int64(3) {
		messages <- &sarama.ConsumerMessage{Offset: offset, Timestamp: time.UnixMilli(1)}
		if last := <-published; last != offset {
			t.Errorf("published up to %d, want %d", last, offset)
		}
	}
	close(done)
	running.Wait()
	c.drain()
}

// Without a lake a record that fits no batch is not passed over: neither it
// nor anything behind it is published or committable.
func TestBatcher_StopsBeforeARecordItCannotCarry(t *testing.T) {
	var published []int64
	c := testBatcher(t, nil, sink(func(e cloudevents.Event) error {
		b, err := batch.FromEvent(e.Clone())
		if err != nil {
			t.Error(err)
		}
		published = append(published, b.Records[len(b.Records)-1].Offset)
		return nil
	}))
	work, abandon := context.WithCancel(context.Background())
	c.work = work
	messages := make(chan *sarama.ConsumerMessage, 3)
	for offset, size := range []int{1, batch.MaxEncodedBytes, 1} {
		messages <- &sarama.ConsumerMessage{Offset: int64(offset), Value: make([]byte, size), Timestamp: time.UnixMilli(1)}
	}
	close(messages)
	var running sync.WaitGroup
	running.Go(func() { c.run(nil, messages) })
	for position, _ := c.window.committable(); position == 0 || c.failing.Load() == nil; position, _ = c.window.committable() {
		time.Sleep(time.Millisecond) // until the first is published and the second has failed
	}
	abandon()
	running.Wait()
	c.drain()
	if position, _ := c.window.committable(); fmt.Sprint(published) != "[0]" || position != 1 {
		t.Errorf("published %v, committable %d", published, position)
	}
	if s := c.status(time.Now()); s.Problem != "a value is too large for a batch and there is no lake to put it: set LAKE_BUCKET to the bucket's name" {
		t.Errorf("the problem is %q", s.Problem)
	}
}

// What the bridge itself costs a record: from the library's channel to a
// published batch of 5,000.
func BenchmarkBatcher(b *testing.B) {
	c := testBatcher(b, func(c *Config) { c.MemoryBytes = 256 << 20 }, sink(func(cloudevents.Event) error { return nil }))
	value := bytes.Repeat([]byte("v"), 220)
	messages := make(chan *sarama.ConsumerMessage, 5000)
	all := make([]*sarama.ConsumerMessage, 5000)
	for i := range all {
		all[i] = &sarama.ConsumerMessage{Key: []byte("0123456789"), Value: value, Timestamp: time.UnixMilli(1764000000000)}
	}
	var offset int64
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for _, m := range all {
			m.Offset = offset
			offset++
			messages <- m
		}
		b.StartTimer()
		c.add(<-messages)
		c.addWaiting(messages)
		_ = c.publishing.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/record")
}
