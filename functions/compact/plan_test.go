package compact

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomGroups makes up row groups of which each has a piece of some places, and
// returns the offsets of each.
func randomGroups(random *rand.Rand) (groups []*group, offsets []map[place][]int64) {
	for range 1 + random.IntN(30) {
		g := &group{spans: map[place]span{}}
		has := map[place][]int64{}
		for p := range 1 + random.Int64N(4) {
			at := place{"x", p}
			first, width := random.Int64N(5000), []int64{1, 40, 400, 100_000}[random.IntN(4)]
			for range 1 + random.IntN(60) {
				offset := first + random.Int64N(width)
				has[at] = append(has[at], offset)
				g.spans[at] = g.spans[at].with(offset)
				g.rows, g.bytes = g.rows+1, g.bytes+100
			}
		}
		groups, offsets = append(groups, g), append(offsets, has)
	}
	return groups, offsets
}

// Every record is in one window, which the row group with it is read for, and
// the offsets of a place ascend from window to window.
func TestPlan_EachRecordIsInOneWindow(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		groups, offsets := randomGroups(random)
		windows := plan(groups, 1+random.IntN(200), 1<<20)
		for i, has := range offsets {
			for at, some := range has {
				for _, offset := range some {
					var in []int
					for n, w := range windows {
						if w.has(at, offset) {
							in = append(in, n)
							if !w.meets(groups[i]) {
								t.Fatalf("seed %d: window %d does not meet the group with %v %d", seed, n, at, offset)
							}
						}
					}
					if len(in) != 1 {
						t.Fatalf("seed %d: %v %d is in windows %v of %d", seed, at, offset, in, len(windows))
					}
				}
			}
		}
		for n := 1; n < len(windows); n++ {
			for at, low := range windows[n].low {
				if low < windows[n-1].low[at] {
					t.Fatalf("seed %d: window %d of %v begins before the one before", seed, n, at)
				}
			}
		}
	}
}

// Halves have each record once, and both some, as long as there are two.
func TestHalve(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 2))
		has := map[place][]int64{}
		distinct := map[string]bool{}
		for range 1 + random.IntN(40) {
			at, offset := place{"x", random.Int64N(3)}, random.Int64N(6)
			has[at] = append(has[at], offset)
			distinct[fmt.Sprint(at, offset)] = true
		}
		first, second, ok := window{}.halve(has)
		if ok != (len(distinct) > 1) {
			t.Fatalf("seed %d: %d records can be halved: %v", seed, len(distinct), ok)
		}
		n := [2]int{}
		for at, offsets := range has {
			for _, offset := range offsets {
				if first.has(at, offset) == second.has(at, offset) {
					t.Fatalf("seed %d: %v %d is in both halves or in none", seed, at, offset)
				}
				n[map[bool]int{true: 0, false: 1}[first.has(at, offset)]]++
			}
		}
		if ok && slices.Contains(n[:], 0) {
			t.Fatalf("seed %d: the halves have %v", seed, n)
		}
	}
}
