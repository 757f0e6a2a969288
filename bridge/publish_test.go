package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/deadletter"
)

// letters are DeadLetters that keep the causes.
type letters struct {
	mu     sync.Mutex
	causes []deadletter.Cause
	fail   int // so many attempts fail
}

func (l *letters) DeadLetter(_ context.Context, _ cloudevents.Event, why deadletter.Cause) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail > 0 {
		l.fail--
		return errors.New("no such topic")
	}
	l.causes = append(l.causes, why)
	return nil
}

func (l *letters) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.causes)
}

// publishOne has a partition publish one batch of three records, and returns the
// partition and whether that ended with the batch taken over or dead-lettered.
func publishOne(t *testing.T, work context.Context, transport Transport, dead DeadLetters) (*partition, bool) {
	t.Helper()
	c := testClaims(t, work, 1, nil, transport)[0]
	c.bridge.deadLetters = dead
	return c.partition, c.publishBatch(0)
}

func (c *claim) publishBatch(first int64) bool {
	var messages []*sarama.ConsumerMessage // of one fetch: a batch, even while another one is drained
	for offset := first; offset < first+3; offset++ {
		messages = append(messages, &sarama.ConsumerMessage{Offset: offset, Timestamp: time.Now()})
	}
	c.add(messages...)
	c.drain()
	return c.committable() >= first+3
}

func refusing(text string) error { return &PublishError{Err: errors.New(text), Refused: true} }

// A batch that is refused again and again is tried for minutes: time enough to
// take back a bad deployment.
func TestPublish_GivesUpSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, attempts := time.Now(), 0
		dead := &letters{}
		p, done := publishOne(t, t.Context(), sink(func(cloudevents.Event) error {
			attempts++
			return refusing("422: no batch")
		}), dead)
		if took := time.Since(began); !done || attempts != 20 || took < 6*time.Minute || took > 16*time.Minute {
			t.Errorf("%d attempts in %v", attempts, took)
		}
		want := deadletter.Cause{Attempts: 20, Since: began, Source: "bridge stationflow", Reason: "422: no batch"}
		if len(dead.causes) != 1 || dead.causes[0] != want {
			t.Errorf("dead-lettered %+v, want %+v", dead.causes, want)
		}
		if position, _ := p.window.committable(); position != 3 {
			t.Errorf("%d is committable", position)
		}
		if now := p.bridge.Snapshot(); now.Batches != 0 || now.DeadLetteredBatches != 1 || now.DeadLetteredRecords != 3 {
			t.Errorf("the snapshot is %+v", now)
		}
	})
}

// An outage is waited out, however long, and an attempt that says nothing of
// the batch does not count among its refusals.
func TestPublish_WaitsAnOutageOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, refusals := time.Now(), 0
		dead := &letters{}
		p, done := publishOne(t, t.Context(), sink(func(cloudevents.Event) error {
			switch {
			case time.Since(began) > 24*time.Hour:
				return nil
			case refusals < 19:
				refusals++
				return refusing("500")
			}
			return &PublishError{Err: errors.New("connection refused"), After: time.Minute}
		}), dead)
		if now := p.bridge.Snapshot(); !done || len(dead.causes) != 0 || now.Batches != 1 || now.Retries < 1000 {
			t.Errorf("dead-lettered %+v, the snapshot is %+v", dead.causes, now)
		}
	})
}

// The offset waits for the dead letter topic, and forever if need be.
func TestPublish_CommitsNothingBeforeTheDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := sink(func(cloudevents.Event) error { return refusing("no") })
		p, done := publishOne(t, t.Context(), refuse, &letters{fail: 50})
		if position, _ := p.window.committable(); !done || position != 3 {
			t.Errorf("%d is committable in the end", position)
		}
		work, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		p, done = publishOne(t, work, refuse, &letters{fail: 1 << 30})
		if position, _ := p.window.committable(); done || position != 0 {
			t.Errorf("%d is committable although no dead letter was kept", position)
		}
		if text := p.status(time.Now()).Problem; !strings.Contains(text, "refused 20 times (no)") || !strings.Contains(text, "no such topic") {
			t.Errorf("it says %q", text)
		}
	})
}

// A batch of several partitions goes on in parts where the other side asks to be
// left alone, but not before it may.
func TestPublish_RetryAfterHoldsTheParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, first := time.Now(), true
		var mu sync.Mutex
		var at []time.Duration
		claims := testClaims(t, t.Context(), 2, nil, sink(func(cloudevents.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if first {
				first = false
				return &PublishError{Err: errors.New("429"), After: 40 * time.Second}
			}
			at = append(at, time.Since(began))
			return nil
		}))
		for _, c := range claims {
			c.add(&sarama.ConsumerMessage{Timestamp: time.Now()})
		}
		for _, c := range claims {
			c.drain()
		}
		if len(at) != 2 || at[0] < 40*time.Second || at[1] > 45*time.Second {
			t.Errorf("the parts came after %v", at)
		}
	})
}

// What the other side asks for holds the partition whose batch it is, all its
// batches, and no other partition.
func TestPublish_RetryAfterHoldsThePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, first := time.Now(), true
		var mu sync.Mutex
		var at []time.Duration
		claims := testClaims(t, t.Context(), 2, nil, sink(func(e cloudevents.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if first {
				first = false
				return &PublishError{Err: errors.New("429"), After: 40 * time.Second}
			}
			at = append(at, time.Since(began))
			return nil
		}))
		var held sync.WaitGroup
		held.Go(func() { claims[0].publishBatch(0) })
		synctest.Wait()
		held.Go(func() { claims[0].publishBatch(3) })
		synctest.Wait()
		claims[1].publishBatch(0)
		if time.Since(began) != 0 {
			t.Errorf("the other partition waited %v", time.Since(began))
		}
		held.Wait()
		if len(at) != 3 || at[1] < 40*time.Second || at[2] < 40*time.Second || at[2] > 45*time.Second {
			t.Errorf("the attempts came after %v", at)
		}
	})
}

// Told to stop, a partition that waits does so at once.
func TestPublish_EndsWithItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, err := range []error{refusing("no"), errors.New("away"), &PublishError{Err: errors.New("busy"), After: time.Minute}} {
			began := time.Now()
			work, stop := context.WithTimeout(t.Context(), 700*time.Millisecond)
			p, done := publishOne(t, work, sink(func(cloudevents.Event) error { return err }), &letters{})
			stop()
			if position, _ := p.window.committable(); done || position != 0 || time.Since(began) != 700*time.Millisecond {
				t.Errorf("%v: ended after %v, %d is committable", err, time.Since(began), position)
			}
		}
	})
}

// Refusals count on when the partition is given away and comes back, and
// until they are enough nobody needs to look.
func TestPublish_RefusalsOutliveSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		dead := &letters{}
		c := testClaim(t, nil, sink(func(cloudevents.Event) error {
			attempts.Add(1)
			return refusing("422: no batch")
		}))
		c.bridge.deadLetters = dead
		began := time.Now()
		for sessions := 0; dead.count() == 0; sessions++ {
			if sessions == 20 {
				t.Fatalf("no dead letter after %d attempts", attempts.Load())
			}
			work, stop := context.WithTimeout(t.Context(), 4*time.Minute)
			p := claimsOf(newGatherer(c.bridge, c.of, work, c.memory), 1)[0]
			p.end.Store(3)
			var publishing sync.WaitGroup
			publishing.Go(func() { p.publishBatch(0) })
			synctest.Wait()
			for work.Err() == nil && dead.count() == 0 {
				time.Sleep(time.Second)
				synctest.Wait()
				s := p.status(time.Now())
				if s.Stuck || s.Problem != "" && s.Problem != fmt.Sprintf("refused %d of 20 times before it becomes a dead letter: 422: no batch", attempts.Load()) {
					t.Fatalf("after %d attempts the status is %+v", attempts.Load(), s)
				}
			}
			stop()
			publishing.Wait()
		}
		if why := dead.causes[0]; attempts.Load() != 20 || why.Attempts != 20 || !why.Since.Equal(began) {
			t.Errorf("after %d attempts dead-lettered %+v", attempts.Load(), why)
		}
		if n := len(c.bridge.refusals.batches); n != 0 {
			t.Errorf("%d batches are remembered", n)
		}
	})
}

// What is remembered is bounded, and what was refused last is kept.
func TestRefusals_Bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v refusals
		first := batchKey{topicID, 0, 0, batch.RowsLane}
		v.add(first, time.Now())
		for offset := range int64(maxRefused + 10) {
			time.Sleep(time.Second)
			v.add(batchKey{topicID, 1, offset, batch.RowsLane}, time.Now())
			if offset%1000 == 0 {
				v.add(first, time.Now())
			}
		}
		if got := v.add(first, time.Now()); len(v.batches) != maxRefused || got.count != 2+maxRefused/1000+1 {
			t.Errorf("%d batches are remembered, one with %d refusals", len(v.batches), got.count)
		}
	})
}
