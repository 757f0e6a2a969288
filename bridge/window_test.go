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
