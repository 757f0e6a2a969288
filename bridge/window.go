package bridge

import "sync"

// A window follows the batches of one partition that are in flight. Batches
// may be published in any order; the position moves only over a contiguous
// prefix of published ones. It is safe for concurrent use.
type window struct {
	mu       sync.Mutex
	position int64 // the first offset that is not known to be published
	flights  []*flight
	closed   bool
}

// A flight is one batch on its way, or several records that need none.
type flight struct {
	next      int64 // the offset after the batch's last
	bytes     int   // the memory it holds
	timestamp int64 // Kafka's, of its first record, in milliseconds
	published bool
}

// depart adds a batch behind all others.
func (w *window) depart(f *flight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights = append(w.flights, f)
}

// arrive records that a batch is published, and returns whether the position
// moved. After close it changes nothing: a publish that ends once the
// partition was revoked must not move what is committed for it.
func (w *window) arrive(f *flight) (moved bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.published = true
	if w.closed {
		return false
	}
	done := 0
	for done < len(w.flights) && w.flights[done].published {
		w.position = w.flights[done].next
		done++
	}
	w.flights = append(w.flights[:0], w.flights[done:]...)
	return done > 0
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
