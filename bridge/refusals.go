package bridge

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/deadletter"
	"github.com/stationflow/stationflow/internal/retry"
)

// maxRefused bounds the refused batches that are remembered: many times more
// than can be in flight. Beyond it, the one whose last refusal is the oldest
// is forgotten.
const maxRefused = 10_000

// A batch is given up that has failed so often and for so long, without a word
// of the function, while others of its topic and lane got through. Both are
// more than an outage lasts that nobody is to notice.
const (
	maxSuspicions = 100
	suspectedFor  = 90 * time.Minute
)

var suspectedRetries = retry.Backoff{Min: time.Second, Max: time.Minute}

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
	lane      batch.Lane
}

// key names the batch that holds nothing but the run.
func (r *run) key() batchKey {
	return batchKey{topicID: r.of.of.TopicID, partition: r.of.number, offset: r.first, lane: r.lane}
}

// A refusal says how often one batch was refused, and how often it failed
// without that while others got through.
type refusal struct {
	count       int
	since, last time.Time // the begin of its first attempt; the last failure that counted
	suspicions  int
	suspected   time.Time // the first of these
}

// add counts a refusal of a batch whose attempts began then, and returns all
// that is known of its refusals.
func (r *refusals) add(key batchKey, began time.Time) refusal {
	return r.note(key, began, func(known *refusal) { known.count++ })
}

// suspect counts a failure of a batch while others got through.
func (r *refusals) suspect(key batchKey, began time.Time) refusal {
	return r.note(key, began, func(known *refusal) {
		if known.suspicions++; known.suspicions == 1 {
			known.suspected = time.Now()
		}
	})
}

func (r *refusals) note(key batchKey, began time.Time, count func(*refusal)) refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.batches[key]
	if known == nil {
		r.makeRoom()
		known = &refusal{since: began}
		r.batches[key] = known
	}
	count(known)
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
func (f *flight) deadLetter(why deadletter.Cause) bool {
	for failed := 0; ; failed++ {
		ctx, cancel := context.WithTimeout(f.work, deadLetterTimeout)
		err := f.bridge.deadLetters.DeadLetter(ctx, f.event, why)
		cancel()
		if err == nil {
			break
		}
		if f.work.Err() != nil {
			return false
		}
		problem := fmt.Sprintf("the batch was refused %d times (%s), and the dead letter topic does not take it: %v",
			why.Attempts, why.Reason, err)
		f.fail(failed, problem, false)
		if f.bridge.config.retries().Wait(f.work, failed) != nil {
			return false
		}
	}
	records := f.encoder.Records()
	f.bridge.metrics.deadLettered(f.of.Topic, f.counted(records))
	f.bridge.log.Error("batch dead-lettered", "batch", f.event.ID(), "topic", f.of.Topic, "partition", f.runs[0].of.number,
		"lane", string(f.lane), "records", records, "attempts", why.Attempts, "reason", why.Reason)
	return true
}

// deadLetterTimeout bounds one attempt to publish a dead letter.
const deadLetterTimeout = 10 * time.Second
