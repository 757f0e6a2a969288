package bridge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/deadletter"
)

// A ledger is a Transport, and DeadLetters, that keeps which records it took,
// by lane.
type ledger struct {
	t      testing.TB
	before func(*batch.Batch) error

	mu      sync.Mutex
	taken   map[batch.Lane]map[at]int // how often
	batches map[batch.Lane]int
}

// An at is where a record is.
type at struct {
	partition int32
	offset    int64
}

func newLedger(t testing.TB, before func(*batch.Batch) error) *ledger {
	return &ledger{t: t, before: before, batches: map[batch.Lane]int{},
		taken: map[batch.Lane]map[at]int{batch.RowsLane: {}, batch.LakeLane: {}}}
}

func (l *ledger) Publish(_ context.Context, e cloudevents.Event) error {
	b, err := batch.FromEvent(e)
	if err != nil {
		l.t.Error(err)
		return nil
	}
	if l.before != nil {
		if err := l.before(b); err != nil {
			return err
		}
	}
	l.take(b)
	return nil
}

func (l *ledger) DeadLetter(_ context.Context, e cloudevents.Event, _ deadletter.Cause) error {
	b, err := batch.FromEvent(e)
	if err != nil {
		l.t.Error(err)
		return nil
	}
	l.take(b)
	return nil
}

func (l *ledger) take(b *batch.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches[b.Lane]++
	for lane, taken := range l.taken {
		if b.Lane.Serves(lane) {
			for i := range b.Records {
				taken[at{b.Records[i].Partition, b.Records[i].Offset}]++
			}
		}
	}
}

// check fails when a record before next was not taken once in each lane.
func (l *ledger) check(partition int32, next int64, lanes ...batch.Lane) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lane := range lanes {
		for offset := range next {
			if n := l.taken[lane][at{partition, offset}]; n != 1 {
				l.t.Fatalf("record %d of partition %d was taken %d times in lane %s", offset, partition, n, lane)
			}
		}
	}
}

// Whatever the arrivals, sizes, ages, limits and failures: each record leaves
// in one batch of each lane, and when the work ends early, what is committable
// was taken in every lane.
func TestGatherer_EachRecordOnceInEachLane(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			var mu sync.Mutex
			chance := func(n int) bool {
				mu.Lock()
				defer mu.Unlock()
				return random.IntN(n) == 0
			}
			failing := random.IntN(3) == 0
			l := newLedger(t, func(b *batch.Batch) error {
				for i := range b.Records {
					if r := &b.Records[i]; r.Partition == 1 && r.Offset%97 == 50 && seed%2 == 0 {
						return refusing("poison")
					}
				}
				switch {
				case failing && chance(3):
					return errors.New("away")
				case failing && chance(10):
					return &PublishError{Err: errors.New("busy"), After: 3 * time.Second}
				}
				if chance(2) {
					time.Sleep(200 * time.Millisecond)
				}
				return nil
			})
			work, stop := context.WithCancel(t.Context())
			defer stop()
			lanes := []batch.Lane{batch.RowsLane, batch.LakeLane}
			claims := testClaims(t, work, 1+random.IntN(5), func(c *Config) {
				c.BatchRecords, c.BatchBytes = 1+random.IntN(40), 4<<10+random.IntN(32<<10)
				c.BatchAge = time.Duration(1+random.IntN(1000)) * time.Millisecond
				c.LakeAge = time.Duration(1+random.IntN(60)) * time.Second
				c.InFlight = 1 + random.IntN(4)
				c.HTTP.MaxAttempts = 2
				if random.IntN(2) == 0 {
					c.Transport = "" // does not compress
				}
				if n := random.IntN(6); n < 2 {
					lanes = lanes[n : n+1]
				}
				c.Lanes = lanes
			}, l)
			g := claims[0].gatherer
			g.relieve, g.bridge.deadLetters = g.giveUp, l
			common := int64(1) << (14 + random.IntN(8))
			g.memory = newMemory(common, common/int64(len(claims)))
			next := make([]int64, len(claims))
			var adding sync.WaitGroup
			for i, c := range claims {
				own := rand.New(rand.NewPCG(seed, uint64(i)))
				adding.Go(func() {
					var messages []*sarama.ConsumerMessage
					for next[i] < int64(own.IntN(600)) {
						m := &sarama.ConsumerMessage{Offset: next[i], Timestamp: time.Now(), Value: make([]byte, own.IntN(300))}
						if own.IntN(100) == 0 {
							m.Value = make([]byte, own.IntN(64<<10))
						}
						next[i]++
						if messages = append(messages, m); own.IntN(3) > 0 && len(messages) < 300 {
							continue
						}
						if !c.add(messages...) {
							return
						}
						messages = nil
						time.Sleep(time.Duration(own.IntN(300)) * time.Millisecond)
					}
					if len(messages) > 0 {
						c.add(messages...)
					}
				})
			}
			if seed%5 == 0 {
				time.AfterFunc(10*time.Second, stop)
			}
			adding.Wait()
			for i, c := range claims {
				c.drain()
				if c.committable() < next[i] && work.Err() == nil {
					t.Errorf("%d of %d are committable", c.committable(), next[i])
				}
				l.check(c.number, c.committable(), lanes...)
			}
			synctest.Wait()
			g.mu.Lock()
			defer g.mu.Unlock()
			if work.Err() == nil && (g.memory.taken != 0 || g.places[batch.RowsLane]+g.places[batch.LakeLane] != 0 || len(g.bridge.large) != 0) {
				t.Errorf("in the end %d bytes and the places %v are taken", g.memory.taken, g.places)
			}
			for _, c := range claims {
				if work.Err() == nil && (c.held != 0 || c.flying != 0 || c.parts != 0 || c.lakeParts != 0) {
					t.Errorf("in the end partition %d holds %d bytes in %d batches, %d and %d its own", c.number, c.held, c.flying, c.parts, c.lakeParts)
				}
			}
		})
	}
}

// At a station's pace the lake gets a batch a topic and minute, and the
// warehouse waits for a second at most.
func TestGatherer_FewLakeBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const topics, partitions, perSecond = 6, 6, 20
		l := newLedger(t, nil)
		var all []*claim
		for range topics {
			all = append(all, testClaims(t, t.Context(), partitions, func(c *Config) {
				c.BatchAge, c.LakeAge = 800*time.Millisecond, time.Minute
			}, l)...)
		}
		next := make([]int64, len(all))
		for n := range 10 * 60 * perSecond {
			i := n % len(all)
			all[i].add(&sarama.ConsumerMessage{Offset: next[i], Timestamp: time.Now(), Value: make([]byte, 250)})
			next[i]++
			time.Sleep(time.Second / perSecond)
			if s := all[i].status(time.Now()); s.Lag > time.Second {
				t.Fatalf("the lag is %v", s.Lag)
			}
		}
		for _, c := range all {
			c.drain()
		}
		if n := l.batches[batch.LakeLane] + l.batches[batch.BothLanes]; n > 90 || l.batches[batch.RowsLane] < 1500 {
			t.Errorf("%d batches for the lake, and %d rows batches", n, l.batches[batch.RowsLane])
		}
	})
}

// While the lake takes nothing the rows go on, until as many batches of a
// partition wait for it as may be on their way; and nothing is committed.
func TestGatherer_RowsGoOnWithoutTheLake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t, func(b *batch.Batch) error {
			if b.Lane != batch.RowsLane {
				return outage()
			}
			return nil
		})
		work, stop := context.WithCancel(t.Context())
		claims := testClaims(t, work, 2, func(c *Config) { c.BatchAge, c.LakeAge, c.InFlight = 800*time.Millisecond, time.Minute, 2 }, l)
		var adding sync.WaitGroup
		for _, c := range claims {
			adding.Go(func() {
				for offset := int64(0); work.Err() == nil && c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now()}); offset++ {
					time.Sleep(time.Second)
				}
			})
		}
		time.Sleep(100 * time.Second)
		for _, c := range claims {
			if s := c.status(time.Now()); s.Published < 95 || s.Lag > 2*time.Second || c.committable() != 0 || s.Problem == "" {
				t.Errorf("the status is %+v, %d is committable", s, c.committable())
			}
		}
		time.Sleep(5 * time.Minute)
		for _, c := range claims {
			if s := c.status(time.Now()); s.Published > 130 || !s.Stuck {
				t.Errorf("later the status is %+v", s)
			}
		}
		stop()
		adding.Wait()
	})
}

// One partition's trouble never takes the memory of another.
func TestGatherer_StuckPartitionsLeaveTheOthersTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t, func(b *batch.Batch) error {
			for _, r := range b.Ranges() {
				if r.Partition > 0 {
					return outage()
				}
			}
			return nil
		})
		work, stop := context.WithCancel(t.Context())
		claims := testClaims(t, work, 6, func(c *Config) {
			c.BatchAge, c.Transport = time.Second, ""
		}, l)
		g := claims[0].gatherer
		g.relieve, g.memory = g.giveUp, newMemory(1<<20, 1<<20/6)
		var adding sync.WaitGroup
		for _, c := range claims {
			adding.Go(func() {
				for offset := int64(0); work.Err() == nil && c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now(), Value: make([]byte, 20<<10)}); offset++ {
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		most := int64(0)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			g.memory.mu.Lock()
			most = max(most, g.memory.taken)
			g.memory.mu.Unlock()
		}
		if position := claims[0].committable(); position < 300 {
			t.Errorf("%d records of the partition that is well were published within a minute: %s", position, fmt.Sprint(claims[0].status(time.Now())))
		}
		if most > 2<<20 {
			t.Errorf("batches took %d bytes", most)
		}
		stop()
		adding.Wait()
	})
}

// A batch of the lake that is full before its minute is up makes room for
// another one; rows go on by themselves.
func TestGatherer_FullLakeBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t, nil)
		c := testClaims(t, t.Context(), 1, func(c *Config) { c.BatchAge, c.LakeAge = time.Second/2, time.Minute }, l)[0]
		const seconds, perSecond = 60, 2250 // eight batches of rows fit one of the lake
		for offset := range int64(seconds * perSecond) {
			if offset > 0 && offset%perSecond == 0 {
				time.Sleep(time.Second)
			}
			c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now(), Value: []byte("{}")})
		}
		c.drain()
		l.check(0, seconds*perSecond, batch.RowsLane, batch.LakeLane)
		if n := l.batches[batch.LakeLane]; n < 7 || n > 8 || l.batches[batch.BothLanes] > 1 {
			t.Errorf("%d batches for the lake alone, %d for both, of %d records", n, l.batches[batch.BothLanes], seconds*perSecond)
		}
	})
}
