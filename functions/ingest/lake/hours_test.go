package lake

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestByHour_KeepsEveryRowInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		times := make([]int64, random.IntN(60))
		var rows []int32 // some are of no interest
		for i := range times {
			times[i] = time.Date(1969, 12, 31, 22, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(5*3600)) * time.Second).UnixMicro()
			if random.IntN(4) > 0 {
				rows = append(rows, int32(i))
			}
		}
		seen := make(map[int32]bool)
		starts := make(map[time.Time]bool)
		for _, h := range ByHour(rows, times) {
			if starts[h.Start] || h.Start.Truncate(time.Hour) != h.Start {
				t.Fatalf("hour %v comes twice or is none", h.Start)
			}
			starts[h.Start] = true
			last := int32(-1)
			for _, row := range h.Rows {
				if at := time.UnixMicro(times[row]).UTC(); at.Truncate(time.Hour) != h.Start || row <= last || seen[row] || !slices.Contains(rows, row) {
					t.Fatalf("row %d of %v in hour %v", row, at, h.Start)
				}
				last = row
				seen[last] = true
			}
		}
		if len(seen) != len(rows) {
			t.Fatalf("%d of %d rows are left", len(seen), len(rows))
		}
	}
}

// A batch of sparse history, of as many hours as records, gets through within a
// call: more of its objects are written at a time than of one of live events.
func TestParallel(t *testing.T) {
	for objects, want := range map[int]int{0: 8, 1: 8, 2: 8, 640: 10, 4096: 64, 20_000: 64} {
		if got := parallel(objects); got != want {
			t.Errorf("of %d objects %d are written at a time, want %d", objects, got, want)
		}
	}
}
