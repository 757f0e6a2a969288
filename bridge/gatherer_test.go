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

// testClaims returns the claims of so many partitions of a topic.
func testClaims(t testing.TB, work context.Context, partitions int, change func(*Config), transport Transport) []*claim {
	t.Helper()
	c, err := FromEnv(environment(map[string]string{"BRIDGE_BATCH_AGE": "1m", "BRIDGE_LAKE_AGE": "1h"}))
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
	return claimsOf(newGatherer(b, batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID}, work, c.memory(partitions)), partitions)
}

func claimsOf(g *gatherer, partitions int) (claims []*claim) {
	for number := range int32(partitions) {
		claims = append(claims, &claim{partition: newPartition(g, number, position{}), longer: func() {}})
	}
	return claims
}

// testClaim is testClaims of one partition whose work ends with the test.
func testClaim(t testing.TB, change func(*Config), transport Transport) *claim {
	t.Helper()
	return testClaims(t, t.Context(), 1, change, transport)[0]
}

// addOne adds a record that makes a batch of its own.
func (c *claim) addOne(offset int64, size int) {
	c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now(), Value: bytes.Repeat([]byte{byte('a' + offset)}, size)})
	c.leave()
}

// add adds what a fetch has; false when work is done.
func (c *claim) add(messages ...*sarama.ConsumerMessage) bool {
	c.left, c.at = batchesOf(messages), 0
	return c.addAll(nil)
}

func batchesOf(messages []*sarama.ConsumerMessage) []*sarama.RecordBatch {
	b := &sarama.RecordBatch{FirstOffset: messages[0].Offset, FirstTimestamp: messages[0].Timestamp}
	for _, m := range messages {
		b.Records = append(b.Records, &sarama.Record{Key: m.Key, Value: m.Value, Headers: m.Headers,
			OffsetDelta: m.Offset - b.FirstOffset, TimestampDelta: m.Timestamp.Sub(b.FirstTimestamp)})
	}
	return []*sarama.RecordBatch{b}
}

// leave has everything leave.
func (c *claim) leave() {
	g := c.gatherer
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hurry()
}

// drain waits until all is published.
func (c *claim) drain() { c.gatherer.finish(c.partition) }

func (c *claim) committable() int64 {
	position, _ := c.window.committable()
	return position
}

// Whatever the sizes of the records, every one is in a batch, in order, and
// every batch is within its limits.
func TestGatherer_CutsWithinTheLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 30 {
		var mu sync.Mutex
		var batches []*batch.Batch
		c := testClaim(t, func(c *Config) {
			c.Transport = "" // sizes are before compression
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
		var messages []*sarama.ConsumerMessage
		for i := range 1000 {
			size := random.IntN(400)
			if random.IntN(100) == 0 {
				size = random.IntN(200 << 10) // alone in a batch
			}
			messages = append(messages, &sarama.ConsumerMessage{Offset: int64(i), Value: make([]byte, size), Timestamp: time.UnixMilli(1)})
		}
		c.add(messages...)
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
			if size > c.bridge.config.BatchBytes && len(b.Records) > 1 {
				t.Fatalf("round %d: a batch of %d bytes", round, size)
			}
		}
		if position := c.committable(); next != 1000 || position != 1000 {
			t.Fatalf("round %d: %d records were published, and %d are committable", round, next, position)
		}
		if len(c.bridge.large) != 0 {
			t.Fatal("the place for large batches is still taken")
		}
	}
}

// A batch is published when its first record has waited long enough, full or
// not.
func TestGatherer_CutsByAge(t *testing.T) {
	published := make(chan int64, 1)
	c := testClaim(t, func(c *Config) { c.BatchAge, c.Lanes = time.Millisecond, c.Lanes[:1] }, sink(func(e cloudevents.Event) error {
		b, err := batch.FromEvent(e.Clone())
		if err != nil {
			t.Error(err)
		}
		published <- b.Records[len(b.Records)-1].Offset
		return nil
	}))
	for offset := range int64(3) {
		c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.UnixMilli(1)})
		if last := <-published; last != offset {
			t.Errorf("published up to %d, want %d", last, offset)
		}
	}
	c.drain()
}

// Without a lake a record that fits no batch is not passed over: neither it
// nor anything behind it is published or committable.
func TestGatherer_StopsBeforeARecordItCannotCarry(t *testing.T) {
	var published []int64
	c := testClaim(t, nil, sink(func(e cloudevents.Event) error {
		b, err := batch.FromEvent(e.Clone())
		if err != nil {
			t.Error(err)
		}
		published = append(published, b.Records[len(b.Records)-1].Offset)
		return nil
	}))
	work, abandon := context.WithCancel(context.Background())
	c.gatherer.work = work
	var messages []*sarama.ConsumerMessage
	for offset, size := range []int{1, batch.MaxEncodedBytes, 1} {
		messages = append(messages, &sarama.ConsumerMessage{Offset: int64(offset), Value: make([]byte, size), Timestamp: time.UnixMilli(1)})
	}
	var running sync.WaitGroup
	running.Go(func() { c.add(messages...) })
	for c.failing.Load() == nil {
		time.Sleep(time.Millisecond) // until the second has failed
	}
	c.leave()
	for c.committable() == 0 {
		time.Sleep(time.Millisecond) // until the first is published
	}
	abandon()
	running.Wait()
	c.drain()
	if position := c.committable(); fmt.Sprint(published) != "[0]" || position != 1 {
		t.Errorf("published %v, committable %d", published, position)
	}
	if s := c.status(time.Now()); s.Problem != "a value is too large for a batch and there is no lake to put it: set LAKE_BUCKET to the bucket's name" {
		t.Errorf("the problem is %q", s.Problem)
	}
}

// A batch has room at once for as much as the one before held, unless that is
// others' memory; all of it is given back.
func TestGatherer_MakesRoomForWhatIsUsual(t *testing.T) {
	for _, short := range []bool{false, true} {
		arrive := make(chan struct{})
		c := testClaim(t, nil, sink(func(cloudevents.Event) error { <-arrive; return nil }))
		g := c.gatherer
		for offset := range int64(100) {
			c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now(), Value: bytes.Repeat([]byte("x"), 3000)})
		}
		usual := g.open.encoder.Size()
		c.leave()
		if short {
			g.memory.common = 0
		}
		c.add(&sarama.ConsumerMessage{Offset: 100, Timestamp: time.Now(), Value: []byte("x")})
		room := g.open.encoder.Room()
		if room >= usual == short || g.open.taken != int64(room) {
			t.Errorf("memory short %t: behind a batch of %d bytes the next has room for %d, and has taken %d", short, usual, room, g.open.taken)
		}
		close(arrive)
		c.leave()
		c.drain()
		if g.memory.taken != 0 {
			t.Errorf("memory short %t: %d bytes were never given back", short, g.memory.taken)
		}
	}
}

// What the bridge itself costs a record: from a fetch's batches to
// published batches of 5,000.
func BenchmarkGatherer(b *testing.B) {
	c := testClaim(b, func(c *Config) { c.MemoryBytes, c.Transport = 256<<20, "" }, sink(func(cloudevents.Event) error { return nil }))
	value := bytes.Repeat([]byte("v"), 220)
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
		}
		c.left, c.at = batchesOf(all), 0
		b.StartTimer()
		c.addAll(nil)
		c.drain()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/record")
}
