package bridge

import (
	"context"
	"fmt"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/internal/deadletter"
)

// maxRefused bounds the refused batches that are remembered: many times more
// than can be in flight. Beyond it, the one whose last refusal is the oldest
// is forgotten.
const maxRefused = 10_000

// A refusals counts how often each batch was refused. It outlives a session:
// where rebalances come more often than a batch becomes a dead letter, the
// batch would otherwise be refused for ever. It does not outlive the process.
// The zero value is ready, and safe for concurrent use.
type refusals struct {
	mu      sync.Mutex
	batches map[batchKey]*refusal
}

// A batchKey names a batch by where it begins; it may end elsewhere when it is
// cut again.
type batchKey struct {
	topicID   string
	partition int32
	offset    int64 // of the first record
}

// key names the batch.
func (p *partition) key(f *inFlight) batchKey {
	return batchKey{topicID: p.of.TopicID, partition: p.number, offset: f.first}
}

// A refusal says how often one batch was refused.
type refusal struct {
	count       int
	since, last time.Time // the begin of its first attempt; the last refusal
}

// add counts a refusal of a batch whose attempts began then, and returns all
// that is known of its refusals.
func (r *refusals) add(key batchKey, began time.Time) refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.batches[key]
	if known == nil {
		r.makeRoom()
		known = &refusal{since: began}
		r.batches[key] = known
	}
	known.count++
	known.last = time.Now()
	return *known
}

func (r *refusals) makeRoom() {
	if r.batches == nil {
		r.batches = make(map[batchKey]*refusal)
	}
	if len(r.batches) < maxRefused {
		return
	}
	var oldest batchKey
	for key, known := range r.batches {
		if found := r.batches[oldest]; found == nil || known.last.Before(found.last) {
			oldest = key
		}
	}
	delete(r.batches, oldest)
}

// forget drops what is known of a batch that was published or dead-lettered.
func (r *refusals) forget(key batchKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.batches, key)
}

// deadLetter puts the event into the dead letter topic. It tries until the
// topic has taken it, because the offset must not be committed before, or until
// work is done.
func (p *partition) deadLetter(work context.Context, event cloudevents.Event, f *inFlight, records int,
	why deadletter.Cause) bool {
	for failed := 0; ; failed++ {
		ctx, cancel := context.WithTimeout(work, deadLetterTimeout)
		err := p.bridge.deadLetters.DeadLetter(ctx, event, why)
		cancel()
		if err == nil {
			break
		}
		if work.Err() != nil {
			return false
		}
		problem := fmt.Sprintf("the batch was refused %d times (%s), and the dead letter topic does not take it: %v",
			why.Attempts, why.Reason, err)
		p.failBatch(f, event.ID(), failed, problem, false)
		if p.bridge.config.retries().Wait(work, failed) != nil {
			return false
		}
	}
	p.bridge.metrics.deadLettered(p.of.Topic, records)
	p.bridge.log.Error("batch dead-lettered", "batch", event.ID(), "topic", p.of.Topic, "partition", p.number,
		"records", records, "attempts", why.Attempts, "reason", why.Reason)
	return true
}

// deadLetterTimeout bounds one attempt to publish a dead letter.
const deadLetterTimeout = 10 * time.Second
