package bridge

import (
	"bytes"
	"context"
	"errors"
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

// addOne adds a record that makes a batch of its own.
func addOne(c *batcher, offset int64, size int) {
	c.add(&sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now(), Value: bytes.Repeat([]byte{byte('a' + offset)}, size)})
	c.cut()
}

// A batch that never gets through is seen, and stays seen, however well those
// behind it do; and these are few.
func TestPublish_StuckHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		var through []int64
		c := testBatcher(t, func(c *Config) { c.InFlight = 3 }, sink(func(e cloudevents.Event) error {
			first := firstOffset(t, e)
			if first == 0 {
				return outage()
			}
			mu.Lock()
			defer mu.Unlock()
			if through = append(through, first); first == 1 && len(through) == 1 {
				return errors.New("once")
			}
			return nil
		}))
		var log bytes.Buffer
		c.bridge.log = slog.New(slog.NewTextHandler(&log, nil))
		c.work = work
		c.end.Store(100)
		var cutting sync.WaitGroup
		cutting.Go(func() {
			for offset := range int64(100) {
				addOne(c, offset, 10)
				time.Sleep(time.Second)
			}
		})
		time.Sleep(c.bridge.config.StuckAfter + time.Second)
		for range 60 { // at whatever moment one looks
			s := c.status(time.Now())
			if !s.Stuck || s.Problem != "503: not this one" || s.InFlight != 1 {
				t.Fatalf("the status is %+v", s)
			}
			time.Sleep(time.Second)
		}
		stop()
		cutting.Wait()
		c.drain()
		if position, _ := c.window.committable(); position != 0 || len(c.window.batches) != 3 || len(through) != 3 {
			t.Errorf("%d is committable, %d batches are in the window, %v were published", position, len(c.window.batches), through)
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
		c := testBatcher(t, nil, sink(func(e cloudevents.Event) error {
			if firstOffset(t, e) == 0 && time.Since(began) < time.Hour {
				return outage()
			}
			return nil
		}))
		var log bytes.Buffer
		c.bridge.log = slog.New(slog.NewTextHandler(&log, nil))
		for offset := range int64(10) {
			addOne(c, offset, 10)
		}
		c.drain()
		s := c.status(time.Now())
		if position, _ := c.window.committable(); position != 10 || s.Problem != "" || s.Stuck || len(c.slots) != 0 {
			t.Errorf("%d is committable, %d slots are taken, the status is %+v", position, len(c.slots), s)
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
func TestBatcher_LeavesFailedAttemptsTheirMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		c := testBatcher(t, func(c *Config) { c.InFlight = 1 }, k)
		for offset := range int64(20) {
			addOne(c, offset, 1000)
			_ = c.publishing.Wait()
		}
		if k.calls != 21 || !bytes.Equal(k.kept, k.was) {
			t.Errorf("after %d attempts the memory of the first holds another batch", k.calls)
		}
	})
}

// A partition that waits for the place for large batches says so, and holds
// it only when it can use it.
func TestBatcher_LargeBatchesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = 3 << 20
		work, stop := context.WithTimeout(t.Context(), 24*time.Hour)
		stuck := testBatcher(t, func(c *Config) { c.InFlight = 1 }, sink(func(e cloudevents.Event) error {
			if b, err := batch.FromEvent(e.Clone()); err != nil || b.Records[0].Partition == 0 {
				return outage()
			}
			return nil
		}))
		stuck.work = work
		var batchers []*batcher
		for partition := range int32(2) {
			p := newPartition(stuck.bridge, batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes}, partition+1, position{}, stuck.batchBytes)
			p.end.Store(1)
			batchers = append(batchers, newBatcher(p, work))
		}
		var cutting sync.WaitGroup
		addOne(stuck, 0, 10)
		cutting.Go(func() { addOne(stuck, 1, large) }) // waits for its slot, without the place
		synctest.Wait()
		addOne(batchers[0], 0, large)
		_ = batchers[0].publishing.Wait()
		if position, _ := batchers[0].window.committable(); position != 1 {
			t.Error("a large batch did not get through while another partition waits")
		}
		stuck.bridge.large <- struct{}{} // as a third partition does
		cutting.Go(func() { addOne(batchers[1], 0, large) })
		time.Sleep(time.Hour)
		if s := batchers[1].status(time.Now()); !s.Stuck || !strings.Contains(s.Problem, "a large record waits until another partition's has been published") {
			t.Errorf("the status is %+v", s)
		}
		<-stuck.bridge.large
		synctest.Wait()
		if s := batchers[1].status(time.Now()); s.Stuck || s.Problem != "" {
			t.Errorf("after it went on the status is %+v", s)
		}
		stop()
		cutting.Wait()
		for _, c := range append(batchers, stuck) {
			c.drain()
		}
	})
}
