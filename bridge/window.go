package bridge

import (
	"slices"
	"sync"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// A window follows the runs of one partition that are on their way, in each
// lane. Runs may be published in any order; a lane's position moves only over
// a contiguous prefix of published ones. It is safe for concurrent use.
type window struct {
	mu      sync.Mutex
	lanes   []laneWindow // those that are sent; lag is measured at the first
	gap     gap
	revoked bool
}

// A laneWindow is what the window knows of one lane.
type laneWindow struct {
	lane     batch.Lane
	position int64 // the first offset that is not known to be published in this lane
	runs     []*run
	moved    time.Time // when the position last moved, or the first of the runs was added
}

// A gap is offsets that hold no record: from on, and before to.
type gap struct{ from, to int64 }

// A run is what one batch holds of one partition.
type run struct {
	of        *partition
	lane      batch.Lane // that its batch is for, once it is cut
	first     int64      // its first offset
	next      int64      // the offset after its last
	bytes     int64      // of its records, encoded
	timestamp int64      // since when its first record waits, in milliseconds

	// The window's.
	published bool
	failure   string // of the last attempt; "" while none has failed
	counting  bool   // failure counts towards giving the batch up
}

func newWindow(position int64, lanes []batch.Lane) *window {
	w := &window{}
	for _, lane := range lanes {
		w.lanes = append(w.lanes, laneWindow{lane: lane, position: position})
	}
	return w
}

// add puts a run behind all others of its lanes.
func (w *window) add(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.lanes {
		l := &w.lanes[i]
		if !r.lane.Serves(l.lane) {
			continue
		}
		if len(l.runs) == 0 {
			l.moved = time.Now()
		}
		l.runs = append(l.runs, r)
	}
}

// fail records that an attempt at a run's batch failed, and returns whether
// all other runs are without failure.
func (w *window) fail(r *run, why string, counting bool) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = !slices.ContainsFunc(w.lanes, func(l laneWindow) bool { return l.oldestFailing() >= 0 })
	r.failure, r.counting = why, counting
	return first
}

func (l *laneWindow) oldestFailing() int {
	return slices.IndexFunc(l.runs, func(r *run) bool { return r.failure != "" })
}

// failing returns the last failure of the oldest run that has one, in the
// first lane that has such a run, "" for none; whether that run holds the
// position and its failures count towards giving it up; and since when the
// position stands still.
func (w *window) failing() (why string, counting bool, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lanes {
		if i := l.oldestFailing(); i >= 0 {
			return l.runs[i].failure, i == 0 && l.runs[i].counting, l.moved
		}
	}
	return "", false, time.Time{}
}

// finish records that a run is published, and returns whether the position
// moved that lag is measured at. After revoke it changes nothing: a publish
// that ends once the partition was revoked must not move what is committed
// for it.
func (w *window) finish(r *run) (moved bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.published, r.failure = true, ""
	if w.revoked {
		return false
	}
	for i := range w.lanes {
		if w.lanes[i].advance(w.gap) && i == 0 {
			moved = true
		}
	}
	return moved
}

// advance moves the position as far as it can.
func (l *laneWindow) advance(over gap) (moved bool) {
	done := 0
	for done < len(l.runs) && l.runs[done].published {
		l.position = l.runs[done].next
		done++
	}
	l.runs = append(l.runs[:0], l.runs[done:]...)
	if l.position >= over.from && l.position < over.to {
		l.position, moved = over.to, true
	}
	if moved = moved || done > 0; moved {
		l.moved = time.Now()
	}
	return moved
}

// pass says that the offsets from the one up to the other hold no record. A
// lane that lies behind moves over them once it gets there.
func (w *window) pass(from, to int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if from == w.gap.to {
		from = w.gap.from
	}
	w.gap = gap{from, to}
	if w.revoked {
		return
	}
	for i := range w.lanes {
		w.lanes[i].advance(w.gap)
	}
}

// revoke says that the partition was revoked: the positions stay.
func (w *window) revoke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked = true
}

// committable returns the offset before which every record is published in
// every lane, or false once the partition was revoked.
func (w *window) committable() (position int64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	position = w.lanes[0].position
	for _, l := range w.lanes {
		position = min(position, l.position)
	}
	return position, !w.revoked
}

// published returns the position that lag is measured at.
func (w *window) published() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lanes[0].position
}

// look returns the position that lag is measured at, since when the oldest
// record behind it waits (-1 for none on its way), and how many runs are on
// their way in all lanes.
func (w *window) look() (position, oldest int64, onTheirWay int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest = -1
	if runs := w.lanes[0].runs; len(runs) > 0 {
		oldest = runs[0].timestamp
	}
	for i, l := range w.lanes {
		for _, r := range l.runs {
			if !r.published && (i == 0 || r.lane == l.lane) { // one for both lanes counts once
				onTheirWay++
			}
		}
	}
	return w.lanes[0].position, oldest, onTheirWay
}
