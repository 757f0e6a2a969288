package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// outage is a failure that says nothing of the batch.
func outage() error { return &PublishError{Err: errors.New("503: not this one")} }

// firstOffset is that of the batch in the event.
func firstOffset(t *testing.T, e cloudevents.Event) int64 {
	t.Helper()
	b, err := batch.FromEvent(e.Clone())
	if err != nil {
		t.Error(err)
		return -1
	}
	return b.Records[0].Offset
}

// A batch that never gets through is seen, and stays seen, and its partition
// waits for it. The others go on.
func TestPublish_StuckHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, stop := context.WithCancel(t.Context())
		claims := testClaims(t, work, 2, func(c *Config) { c.BatchAge = time.Second }, sink(func(e cloudevents.Event) error {
			b, err := batch.FromEvent(e.Clone())
			if err != nil {
				t.Error(err)
			}
			for _, r := range b.Ranges() {
				if r.Partition == 0 && r.First == 0 {
					return outage()
				}
			}
			return nil
		}))
		var log bytes.Buffer
		stuck, other := claims[0], claims[1]
		stuck.bridge.log = slog.New(slog.NewTextHandler(&log, nil))
		stuck.end.Store(100)
		var adding sync.WaitGroup
		for _, c := range claims {
			adding.Go(func() {
				for offset := range int64(1000) {
					if !c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now()}) {
						return
					}
					time.Sleep(time.Second / 2)
				}
			})
		}
		time.Sleep(stuck.bridge.config.StuckAfter + 10*time.Second)
		for range 60 { // at whatever moment one looks
			s := stuck.status(time.Now())
			if !s.Stuck || s.Problem != "503: not this one" || s.Published != 0 || s.InFlight > 3 {
				t.Fatalf("the status is %+v", s)
			}
			if s := other.status(time.Now()); s.Problem != "" || s.Lag > 3*time.Second || s.Published < 200 {
				t.Fatalf("the status of the other is %+v", s)
			}
			time.Sleep(time.Second)
		}
		stop()
		adding.Wait()
		for _, c := range claims {
			c.drain()
		}
		if position := stuck.committable(); position != 0 {
			t.Errorf("%d is committable", position)
		}
		if text := log.String(); strings.Contains(text, "succeeds again") {
			t.Errorf("the log says\n%s", text)
		}
	})
}

// Once the batch in front gets through the partition goes on, and says so.
func TestPublish_HeadRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := testClaim(t, nil, sink(func(e cloudevents.Event) error {
			if firstOffset(t, e) == 0 && time.Since(began) < time.Hour {
				return outage()
			}
			return nil
		}))
		var log bytes.Buffer
		c.bridge.log = slog.New(slog.NewTextHandler(&log, nil))
		for offset := range int64(10) {
			c.addOne(offset, 10)
		}
		c.drain()
		s := c.status(time.Now())
		if position := c.committable(); position != 10 || s.Problem != "" || s.Stuck || s.InFlight != 0 || s.MemoryBytes != 0 {
			t.Errorf("%d is committable, the status is %+v", position, s)
		}
		for lane, taken := range c.places {
			if taken != 0 {
				t.Errorf("%d places of %s are taken", taken, lane)
			}
		}
		if n := strings.Count(log.String(), "succeeds again"); n != 1 {
			t.Errorf("the log says %d times that publishing succeeds again:\n%s", n, log.String())
		}
	})
}

// A keeper is a Transport that still reads what it failed to send.
type keeper struct {
	calls     int
	kept, was []byte
}

func (k *keeper) Publish(_ context.Context, e cloudevents.Event) error {
	if k.calls++; k.calls > 1 {
		return nil
	}
	k.kept, k.was = e.Data(), bytes.Clone(e.Data())
	return errors.New("no answer in time")
}

// The memory of a batch that needed a second attempt is not used again: the
// first may be reading it still.
func TestGatherer_LeavesFailedAttemptsTheirMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		c := testClaim(t, func(c *Config) { c.InFlight = 1 }, k)
		for offset := range int64(20) {
			c.addOne(offset, 1000)
			c.drain()
		}
		if k.calls != 21 || !bytes.Equal(k.kept, k.was) {
			t.Errorf("after %d attempts the memory of the first holds another batch", k.calls)
		}
	})
}

// A partition that waits for the place for large batches says so, and holds
// it only when it can use it.
func TestGatherer_LargeBatchesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = 3 << 20
		work, stop := context.WithTimeout(t.Context(), 24*time.Hour)
		claims := testClaims(t, work, 3, func(c *Config) { c.InFlight, c.Transport = 1, "" }, sink(func(e cloudevents.Event) error {
			if b, err := batch.FromEvent(e.Clone()); err != nil || b.Records[0].Partition == 0 {
				return outage()
			}
			return nil
		}))
		stuck, well, waits := claims[0], claims[1], claims[2]
		waits.end.Store(1)
		var adding sync.WaitGroup
		stuck.addOne(0, 10)
		time.Sleep(time.Minute)
		adding.Go(func() { stuck.addOne(1, large) }) // waits for its first batch, without the place
		synctest.Wait()
		well.addOne(0, large)
		well.drain()
		if position := well.committable(); position != 1 {
			t.Error("a large batch did not get through while another partition waits")
		}
		stuck.bridge.large <- struct{}{} // as a third partition does
		adding.Go(func() { waits.addOne(0, large) })
		time.Sleep(time.Hour)
		if s := waits.status(time.Now()); !s.Stuck || !strings.Contains(s.Problem, "a large record waits until another partition's has been published") {
			t.Errorf("the status is %+v", s)
		}
		<-stuck.bridge.large
		synctest.Wait()
		if s := waits.status(time.Now()); s.Stuck || s.Problem != "" {
			t.Errorf("after it went on the status is %+v", s)
		}
		stop()
		adding.Wait()
		for _, c := range claims {
			c.drain()
		}
	})
}

// Where work is done when the place for large batches is free, nobody keeps it: it
// is the bridge's, and the next session's large records would wait for ever.
func TestClaim_LeavesThePlaceForLargeBatches(t *testing.T) {
	work, stop := context.WithCancel(t.Context())
	stop()
	c := testClaims(t, work, 1, nil, nil)[0]
	for range 100 { // which of the two is noticed is chance
		c.addOne(0, 3<<20)
		if len(c.bridge.large) != 0 {
			t.Fatal("the place for large batches is still taken")
		}
	}
}

// Where a batch is compressed its parts take no memory for what they would be
// without that, but for the last block of each.
func TestFlight_PartsTakeWhatTheWholeTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, stop := context.WithCancel(t.Context())
		claims := testClaims(t, work, 6, nil, sink(func(cloudevents.Event) error { return outage() }))
		g := claims[0].gatherer
		for offset := range int64(600) {
			for _, c := range claims {
				c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now(), Value: bytes.Repeat(fmt.Appendf(nil, "%d", offset*offset), 200)})
			}
		}
		synctest.Wait()
		whole := g.memory.taken
		claims[0].leave()
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, c := range claims {
			if c.parts != 1 {
				t.Fatalf("partition %d waits for %d parts", c.number, c.parts)
			}
		}
		const beside = 6 * (128 + 8) << 10 // that block; headers, and what is rounded up
		if parts := g.memory.taken; parts > whole+beside {
			t.Errorf("a batch of %d bytes goes on in parts of %d", whole, parts)
		}
		stop()
		claims[0].drain()
	})
}
