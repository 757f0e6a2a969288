package bridge

import (
	"slices"
	"sync"
)

// A window follows the batches of one partition that are in flight. Batches
// may be published in any order; the position moves only over a contiguous
// prefix of published ones. It is safe for concurrent use.
type window struct {
	mu       sync.Mutex
	position int64 // the first offset that is not known to be published
	batches  []*inFlight
	revoked  bool
}

// An inFlight is one batch in flight.
type inFlight struct {
	first     int64 // the batch's first offset
	next      int64 // the offset after the batch's last
	bytes     int   // the memory it holds
	timestamp int64 // since when its first record waits, in milliseconds
	retried   bool  // an attempt failed; belongs to the goroutine that publishes it

	// The window's.
	published bool
	failure   string // of the last attempt; "" while none has failed
	counting  bool   // failure counts towards giving the batch up
}

// add puts a batch behind all others.
func (w *window) add(f *inFlight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, f)
}

// fail records that an attempt at a batch failed, and returns whether all
// other batches are without failure.
func (w *window) fail(f *inFlight, why string, counting bool) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = w.oldestFailing() < 0
	f.failure, f.counting = why, counting
	return first
}

// failing returns the last failure of the oldest batch that has one, "" for
// none, and whether that batch holds the position and its failures count
// towards giving it up.
func (w *window) failing() (why string, counting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.oldestFailing()
	if i < 0 {
		return "", false
	}
	return w.batches[i].failure, i == 0 && w.batches[i].counting
}

func (w *window) oldestFailing() int {
	return slices.IndexFunc(w.batches, func(f *inFlight) bool { return f.failure != "" })
}

// finish records that a batch is published, and returns how many the position
// moved over. After revoke it changes nothing: a publish that ends once the
// partition was revoked must not move what is committed for it.
func (w *window) finish(f *inFlight) (passed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.published, f.failure = true, ""
	if w.revoked {
		return 0
	}
	done := 0
	for done < len(w.batches) && w.batches[done].published {
		w.position = w.batches[done].next
		done++
	}
	w.batches = append(w.batches[:0], w.batches[done:]...)
	return done
}

// pass moves the position to next, when no offset before holds a record.
func (w *window) pass(next int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.revoked {
		w.position = max(w.position, next)
	}
}

// revoke says that the partition was revoked: the position stays.
func (w *window) revoke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked = true
}

// committable returns the position, or false once the partition was revoked.
func (w *window) committable() (position int64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.position, !w.revoked
}

// look returns the position, how many batches are in flight behind it with
// how many bytes, and the timestamp of the oldest.
func (w *window) look() (position int64, batches int, bytes int64, oldest int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest = -1
	for i, f := range w.batches {
		if i == 0 {
			oldest = f.timestamp
		}
		if !f.published {
			batches++
			bytes += int64(f.bytes)
		}
	}
	return w.position, batches, bytes, oldest
}
