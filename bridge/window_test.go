package bridge

import (
	"math/rand/v2"
	"testing"

	"github.com/stationflow/stationflow/batch"
)

// Batches arrive in any order, and the process may die after any of them:
// what was committable by then never lies behind a batch that is not
// published, and is as far as it can be.
func TestWindow_PositionIsAContiguousPrefix(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		next := random.Int64N(100)
		w := newWindow(next, []batch.Lane{batch.RowsLane, batch.LakeLane})
		var batches []*run
		published := map[*run]bool{}
		first := next
		for steps := 0; steps < 60; steps++ {
			if waiting := unpublished(batches, published); len(waiting) == 0 || random.IntN(2) == 0 && len(waiting) < 8 {
				next += 1 + random.Int64N(50)
				f := &run{lane: batch.BothLanes, next: next}
				batches = append(batches, f)
				w.add(f)
			} else {
				f := waiting[random.IntN(len(waiting))]
				published[f] = true
				w.finish(f)
			}
			want := first
			for _, f := range batches {
				if !published[f] {
					break
				}
				want = f.next
			}
			if got, ok := w.committable(); !ok || got != want {
				t.Fatalf("committable is %d, want %d", got, want)
			}
		}
	}
}

func unpublished(batches []*run, published map[*run]bool) (waiting []*run) {
	for _, f := range batches {
		if !published[f] {
			waiting = append(waiting, f)
		}
	}
	return waiting
}

func TestWindow_RevokedMovesNoMore(t *testing.T) {
	w := newWindow(5, []batch.Lane{batch.RowsLane})
	f := &run{lane: batch.RowsLane, next: 9}
	w.add(f)
	w.revoke()
	if w.finish(f) {
		t.Error("the position moved")
	}
	if position, ok := w.committable(); ok || position != 5 {
		t.Errorf("committable is %d, %v", position, ok)
	}
}

// What is committable lies behind both lanes, however far one of them is.
func TestWindow_CommittableIsBehindBothLanes(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	for range 300 {
		lanes := []batch.Lane{batch.RowsLane, batch.LakeLane}
		w := newWindow(0, lanes)
		ends := map[batch.Lane]int64{}     // up to where runs were added
		through := map[batch.Lane][]bool{} // by offset, whether it is published
		var waiting []*run
		for range 80 {
			if lane := []batch.Lane{batch.RowsLane, batch.LakeLane, batch.BothLanes}[random.IntN(3)]; random.IntN(2) == 0 &&
				(lane != batch.BothLanes || ends[batch.RowsLane] == ends[batch.LakeLane]) {
				r := &run{lane: lane, next: 1 + random.Int64N(5)}
				for _, of := range lanes {
					if lane.Serves(of) {
						r.first = ends[of]
						through[of] = append(through[of], make([]bool, r.next)...)
						ends[of] += r.next
					}
				}
				r.next += r.first
				waiting = append(waiting, r)
				w.add(r)
			} else if len(waiting) > 0 {
				i := random.IntN(len(waiting))
				r := waiting[i]
				waiting = append(waiting[:i], waiting[i+1:]...)
				for offset := r.first; offset < r.next; offset++ {
					for _, of := range lanes {
						if r.lane.Serves(of) {
							through[of][offset] = true
						}
					}
				}
				w.finish(r)
			}
			got, _ := w.committable()
			for offset := range got {
				if !through[batch.RowsLane][offset] || !through[batch.LakeLane][offset] {
					t.Fatalf("%d is committable, and offset %d is not through", got, offset)
				}
			}
			if len(waiting) == 0 && got != min(ends[batch.RowsLane], ends[batch.LakeLane]) {
				t.Fatalf("%d is committable, and all is through", got)
			}
		}
	}
}

// Offsets that hold no record are passed in each lane once it gets there.
func TestWindow_PassesGapsInEveryLane(t *testing.T) {
	w := newWindow(0, []batch.Lane{batch.RowsLane, batch.LakeLane})
	rows, lake := &run{lane: batch.RowsLane, next: 5}, &run{lane: batch.LakeLane, next: 5}
	w.add(rows)
	w.finish(rows)
	w.pass(5, 7)
	w.pass(7, 9)
	if position, _ := w.committable(); w.published() != 9 || position != 0 {
		t.Errorf("published %d, committable %d", w.published(), position)
	}
	w.add(lake)
	w.finish(lake)
	if position, _ := w.committable(); position != 9 {
		t.Errorf("%d is committable, want what is behind the gap", position)
	}
}
