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
	flights  []*flight
	closed   bool
}

// A flight is one batch on its way.
type flight struct {
	first     int64 // the batch's first offset
	next      int64 // the offset after the batch's last
	bytes     int   // the memory it holds
	timestamp int64 // since when its first record waits, in milliseconds
	retried   bool  // an attempt failed; belongs to whoever publishes it

	// The window's.
	published bool
	failure   string // of the last attempt; "" while none has failed
	counting  bool   // failure counts towards giving the batch up
}

// depart adds a batch behind all others.
func (w *window) depart(f *flight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights = append(w.flights, f)
}

// fail records that an attempt at a batch failed, and returns whether all
// other batches are without failure.
func (w *window) fail(f *flight, why string, counting bool) (first bool) {
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
	return w.flights[i].failure, i == 0 && w.flights[i].counting
}

func (w *window) oldestFailing() int {
	return slices.IndexFunc(w.flights, func(f *flight) bool { return f.failure != "" })
}

// arrive records that a batch is published, and returns how many the position
// moved over. After close it changes nothing: a publish that ends once the
// partition was revoked must not move what is committed for it.
func (w *window) arrive(f *flight) (passed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.published, f.failure = true, ""
	if w.closed {
		return 0
	}
	done := 0
	for done < len(w.flights) && w.flights[done].published {
		w.position = w.flights[done].next
		done++
	}
	w.flights = append(w.flights[:0], w.flights[done:]...)
	return done
}

// pass moves the position to next, when no offset before holds a record.
func (w *window) pass(next int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.position = max(w.position, next)
	}
}

// close ends the window, as the partition was revoked. The position stays.
func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// committable returns the position, or false once the window is closed.
func (w *window) committable() (position int64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.position, !w.closed
}

// look returns the position, how many batches are in flight behind it with
// how many bytes, and the timestamp of the oldest.
func (w *window) look() (position int64, batches int, bytes int64, oldest int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest = -1
	for i, f := range w.flights {
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
