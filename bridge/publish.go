package bridge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/deadletter"
	"github.com/stationflow/stationflow/internal/pause"
)

// publish hands the batch to the transport, again and again until it is
// taken over, has become a dead letter, or work is done; in the last case it
// returns false, and the position stays before the batch.
func (p *partition) publish(work context.Context, e *batch.Encoder, f *inFlight) bool {
	if work.Err() != nil {
		return false
	}
	begin := time.Now()
	event := e.Event(&p.of, begin, traceParent())
	refused, ok := p.deliver(work, event, f, begin)
	if !ok {
		return false
	}
	if refused == nil {
		p.bridge.metrics.published(p.of.Topic, e.Records(), len(event.Data()), time.Since(begin))
	} else {
		refused.Source = "bridge " + p.bridge.config.GroupID
		if !p.deadLetter(work, event, f, e.Records(), *refused) {
			return false
		}
	}
	p.bridge.refusals.forget(p.key(f))
	p.finish(f)
	return true
}

// finish takes note that the batch needs no more attempts. Only when the
// position moves that is progress: a batch that never gets through must not
// be hidden by those behind it.
func (p *partition) finish(f *inFlight) {
	passed := p.window.finish(f)
	if passed > 0 {
		p.progress()
	}
	for range passed {
		<-p.slots
	}
	if why, _ := p.window.failing(); why == "" && f.retried {
		p.bridge.log.Info("publishing succeeds again", "topic", p.of.Topic, "partition", p.number)
	}
}

// deliver tries until the event is taken over (nil, true), was refused too
// often (why, true), or work is done (nil, false).
func (p *partition) deliver(work context.Context, event cloudevents.Event, f *inFlight,
	begin time.Time) (refused *deadletter.Cause, ok bool) {
	config := &p.bridge.config
	for failed := 0; ; failed++ {
		if p.awaitTurn(work) != nil {
			return nil, false
		}
		err := p.attempt(work, event)
		if err == nil {
			return nil, true
		}
		if work.Err() != nil {
			return nil, false
		}
		f.retried = true
		known, why := understand(err), err.Error()
		counting := known.Refused && p.bridge.deadLetters != nil
		wait := config.retries().After(failed)
		if counting {
			held, most := p.bridge.refusals.add(p.key(f), begin), config.HTTP.MaxAttempts
			if held.count >= most {
				refused = &deadletter.Cause{Attempts: held.count, Since: held.since, Reason: why}
			}
			wait = config.HTTP.refusedRetries().After(held.count - 1)
			why = fmt.Sprintf("refused %d of %d times before it becomes a dead letter: %s", held.count, most, why)
		}
		p.failBatch(f, event.ID(), failed, why, counting)
		if refused != nil {
			return refused, true
		}
		p.hold(known.After)
		if pause.For(work, wait) != nil {
			return nil, false
		}
	}
}

// attempt is one try to publish.
func (p *partition) attempt(work context.Context, event cloudevents.Event) error {
	ctx, cancel := context.WithTimeout(work, p.bridge.config.PublishTimeout)
	defer cancel()
	return p.bridge.transport.Publish(ctx, event)
}

// hold keeps the whole partition from publishing for so long, and a little
// longer, so that partitions which were held together do not come back
// together.
func (p *partition) hold(d time.Duration) {
	if d <= 0 {
		return
	}
	until := time.Now().Add(d + rand.N(d/10+1)).UnixNano()
	for {
		before := p.heldUntil.Load()
		if until <= before || p.heldUntil.CompareAndSwap(before, until) {
			return
		}
	}
}

// awaitTurn returns when nothing holds the partition, or with the context's
// error.
func (p *partition) awaitTurn(work context.Context) error {
	for {
		left := time.Until(time.Unix(0, p.heldUntil.Load()))
		if left <= 0 {
			return nil
		}
		if err := pause.For(work, left); err != nil {
			return err
		}
	}
}

// failBatch takes note of a failed try at a batch.
func (p *partition) failBatch(f *inFlight, id string, failed int, why string, counting bool) {
	p.noteFailure(id, failed, why, p.window.fail(f, why, counting))
}

// failAside takes note of a failed try to put a large value aside.
func (p *partition) failAside(object string, failed int, err error) {
	why := err.Error()
	p.noteFailure(object, failed, why, p.failing.Swap(&why) == nil)
}

// noteFailure counts a failed try, and logs one that begins a failure or
// continues a long one.
func (p *partition) noteFailure(what string, failed int, why string, first bool) {
	p.bridge.metrics.failed(p.of.Topic)
	if first || failed%10 == 9 {
		p.bridge.log.Warn("publishing failed, trying again", "topic", p.of.Topic, "partition", p.number,
			"batch", what, "attempts", failed+1, "error", why)
	}
}

// traceParent begins a trace (https://www.w3.org/TR/trace-context/#traceparent-header).
func traceParent() string {
	return fmt.Sprintf("00-%016x%016x-%016x-01", rand.Uint64(), rand.Uint64()|1, rand.Uint64()|1)
}
