package bridge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/internal/deadletter"
	"github.com/stationflow/stationflow/internal/pause"
)

// publish hands the batch to the transport, again and again until it is
// taken over, has become a dead letter, or goes on in parts, or work is done;
// in the last case the positions stay before the batch.
func (f *flight) publish() {
	givenUp, ok := f.deliver()
	if !ok {
		return
	}
	records := f.encoder.Records()
	if givenUp == nil {
		f.fault = nil
		f.tookOver(f.lane)
		f.bridge.metrics.published(f.of.Topic, f.counted(records), len(f.event.Data()), time.Since(f.began))
	} else {
		givenUp.Source = "bridge " + f.bridge.config.GroupID
		f.fault = errors.New("a dead letter: " + givenUp.Reason)
		if !f.deadLetter(*givenUp) {
			return
		}
	}
	f.finish()
	if !f.retried && !f.large && f.encoder.Room() <= f.bridge.config.BatchBytes { // otherwise the transport may be reading it still
		f.bridge.encoders.Put(f.encoder)
	}
}

// counted is the number of records that count with the batch: each counts
// once, in the lane that lag is measured at.
func (f *flight) counted(records int) int {
	if f.lane.Serves(f.leading()) {
		return records
	}
	return 0
}

// finish takes note that the batch needs no more attempts. Only when the
// position moves that is progress: a batch that never gets through must not
// be hidden by those behind it.
func (f *flight) finish() {
	again := f.retried
	for _, r := range f.runs {
		f.bridge.refusals.forget(r.key())
		if r.of.window.finish(r) {
			r.of.progress()
		}
		if why, _, _ := r.of.window.failing(); why != "" {
			again = false
		}
	}
	if again {
		f.bridge.log.Info("publishing succeeds again", "topic", f.of.Topic, "partition", f.runs[0].of.number,
			"partitions", len(f.runs))
	}
}

// deliver tries until the event is taken over (nil, true), is given up (why,
// true), or goes on in parts or work is done (nil, false).
func (f *flight) deliver() (givenUp *deadletter.Cause, ok bool) {
	others := f.throughput()
	for failed := 0; ; failed++ {
		if f.held() && !f.goesOnAlone() || f.part && f.runs[0].of.turn.await(f.work) != nil {
			return nil, false
		}
		err := f.attempt()
		if err == nil {
			return nil, true
		}
		if f.work.Err() != nil {
			return nil, false
		}
		f.retried = true
		known := understand(err)
		for _, r := range f.runs {
			r.of.turn.hold(known.After)
		}
		counting := known.Refused && f.bridge.deadLetters != nil
		apart := counting || known.After > 0 || time.Since(f.began) >= partsAfter
		if apart && len(f.runs) > 1 {
			f.fail(failed, err.Error(), false)
		}
		if apart && !f.goesOnAlone() {
			return nil, false
		}
		wait := f.bridge.config.retries().After(failed)
		now := f.throughput()
		switch alone := f.part && !known.Excused && known.After == 0 && now.since(others, f.lane); {
		case counting:
			givenUp, wait = f.refuse(failed, err.Error())
		case alone && f.bridge.deadLetters != nil:
			givenUp, wait = f.suspect(failed, err.Error())
		default:
			f.fail(failed, err.Error(), false)
			if f.suspicions > 0 { // what ends the function is not to end it each few seconds
				wait = max(wait, suspectedRetries.After(f.suspicions-1))
			}
		}
		others = now
		if givenUp != nil {
			return givenUp, true
		}
		if pause.For(f.work, wait) != nil {
			return nil, false
		}
	}
}

// refuse counts a refusal of the part. It returns why the part is given up,
// or how long it waits for the next attempt.
func (f *flight) refuse(failed int, why string) (givenUp *deadletter.Cause, wait time.Duration) {
	http := &f.bridge.config.HTTP
	known := f.bridge.refusals.add(f.runs[0].key(), f.began)
	if known.count >= http.MaxAttempts {
		givenUp = &deadletter.Cause{Attempts: known.count, Since: known.since, Reason: why}
	}
	f.fail(failed, fmt.Sprintf("refused %d of %d times before it becomes a dead letter: %s", known.count, http.MaxAttempts, why), true)
	return givenUp, http.refusedRetries().After(known.count - 1)
}

// suspect counts a failure of the part that nobody excuses, while others of its
// lane get through. What is wrong with the function or a sink fails all alike:
// it may be because of the part that the function ends without an answer. It
// returns what refuse does.
func (f *flight) suspect(failed int, why string) (givenUp *deadletter.Cause, wait time.Duration) {
	known := f.bridge.refusals.suspect(f.runs[0].key(), f.began)
	if known.suspicions >= maxSuspicions && time.Since(known.suspected) >= suspectedFor {
		givenUp = &deadletter.Cause{Attempts: known.suspicions, Since: known.since, Reason: why}
	}
	f.fail(failed, fmt.Sprintf("failed %d times while other batches got through, %d times and %v make it a dead letter: %s",
		known.suspicions, maxSuspicions, suspectedFor, why), false)
	f.suspicions = known.suspicions
	return givenUp, suspectedRetries.After(known.suspicions - 1)
}

// attempt is one try to publish.
func (f *flight) attempt() error {
	ctx, cancel := context.WithTimeout(f.work, f.bridge.config.PublishTimeout)
	defer cancel()
	f.attempts++
	err := f.bridge.transport.Publish(ctx, f.event)
	if err != nil {
		f.span.Event("attempt failed", err.Error())
	}
	return err
}

// A turn is when something may be published; the zero value is at once. It is
// safe for concurrent use.
type turn struct{ from atomic.Int64 } // in Unix nanoseconds

// hold lets nothing be published for so long, and a little longer, so that
// those who were held together do not come back together.
func (t *turn) hold(d time.Duration) {
	if d <= 0 {
		return
	}
	until := time.Now().Add(d + rand.N(d/10+1)).UnixNano()
	for {
		before := t.from.Load()
		if until <= before || t.from.CompareAndSwap(before, until) {
			return
		}
	}
}

// left is for how long it has not come yet.
func (t *turn) left() time.Duration { return time.Until(time.Unix(0, t.from.Load())) }

// await returns when it has come, or with the context's error.
func (t *turn) await(ctx context.Context) error {
	for left := t.left(); left > 0; left = t.left() {
		if err := pause.For(ctx, left); err != nil {
			return err
		}
	}
	return nil
}

// held reports whether the other side asked one of the partitions to wait.
func (f *flight) held() bool {
	return slices.ContainsFunc(f.runs, func(r *run) bool { return r.of.turn.left() > 0 })
}

// fail takes note of a failed try at the batch.
func (f *flight) fail(failed int, why string, counting bool) {
	first := false
	for _, r := range f.runs {
		first = r.of.window.fail(r, why, counting) || first
	}
	f.bridge.noteFailure(f.runs[0].of, f.event.ID(), failed, why, first)
}

// failAside takes note of a failed try to put a large value aside.
func (p *partition) failAside(object string, failed int, err error) {
	why := err.Error()
	p.bridge.noteFailure(p, object, failed, why, p.failing.Swap(&why) == nil)
}

// noteFailure counts a failed try, and logs one that begins a failure or
// continues a long one. Of a batch of several partitions it names the first.
func (b *Bridge) noteFailure(p *partition, what string, failed int, why string, first bool) {
	b.metrics.failed(p.of.Topic)
	b.failed.Store(time.Now().UnixNano())
	if first || failed%10 == 9 {
		b.log.Warn("publishing failed, trying again", "topic", p.of.Topic, "partition", p.number,
			"batch", what, "attempts", failed+1, "error", why)
	}
}
