package bridge

import (
	"math/rand/v2"
	"testing"
)

// Batches arrive in any order, and the process may die after any of them:
// what was committable by then never lies behind a batch that is not
// published, and is as far as it can be.
func TestWindow_PositionIsAContiguousPrefix(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var w window
		w.position = random.Int64N(100)
		var flights []*flight
		published := map[*flight]bool{}
		next := w.position
		first := next
		for steps := 0; steps < 60; steps++ {
			if waiting := unpublished(flights, published); len(waiting) == 0 || random.IntN(2) == 0 && len(waiting) < 8 {
				next += 1 + random.Int64N(50)
				f := &flight{next: next}
				flights = append(flights, f)
				w.depart(f)
			} else {
				f := waiting[random.IntN(len(waiting))]
				published[f] = true
				w.arrive(f)
			}
			want := first
			for _, f := range flights {
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

func unpublished(flights []*flight, published map[*flight]bool) (waiting []*flight) {
	for _, f := range flights {
		if !published[f] {
			waiting = append(waiting, f)
		}
	}
	return waiting
}

func TestWindow_ClosedMovesNoMore(t *testing.T) {
	w := window{position: 5}
	f := &flight{next: 9}
	w.depart(f)
	w.close()
	if w.arrive(f) > 0 {
		t.Error("the position moved")
	}
	if position, ok := w.committable(); ok || position != 5 {
		t.Errorf("committable is %d, %v", position, ok)
	}
}
