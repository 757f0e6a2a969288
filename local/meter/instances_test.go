package meter

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

func TestInstances_Busy(t *testing.T) {
	type call struct{ begin, end int } // in ms, in order of their ends
	for _, c := range []struct {
		name  string
		calls []call
		want  time.Duration
	}{
		{"nothing", nil, 0},
		{"a call is billed in started 100 ms", []call{{0, 101}}, 200 * time.Millisecond},
		{"calls at once share an instance", []call{{0, 300}, {100, 400}}, 400 * time.Millisecond},
		{"calls apart start again", []call{{0, 50}, {500, 550}}, 200 * time.Millisecond},
		{"a long call covers those that ended in it", []call{{100, 150}, {300, 350}, {0, 400}}, 400 * time.Millisecond},
		{"calls that touch", []call{{0, 100}, {100, 200}}, 200 * time.Millisecond},
		{"more calls than one instance serves", slices.Repeat([]call{{0, 100}}, 16), 200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			var i instances
			for _, one := range c.calls {
				i.ended(at(one.end), at(one.end).Sub(at(one.begin)))
			}
			if calls, busy := i.read(); busy != c.want || calls != int64(len(c.calls)) {
				t.Errorf("%d calls, busy for %v, want %v", calls, busy, c.want)
			}
		})
	}
}

// Whatever calls there are, an instance is busy exactly in the milliseconds in
// which a call is served, each period rounded up.
func TestInstances_AgreeWithCountingMilliseconds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		const span = 3000
		type call struct{ begin, end int }
		calls := make([]call, random.IntN(12))
		served := make([]bool, span+1)
		for k := range calls {
			begin := random.IntN(span - 200)
			calls[k] = call{begin, begin + 1 + random.IntN(200)}
			for ms := begin; ms < calls[k].end; ms++ {
				served[ms] = true
			}
		}
		slices.SortFunc(calls, func(a, b call) int { return a.end - b.end })
		var i instances
		var sum time.Duration
		for _, c := range calls {
			i.ended(at(c.end), at(c.end).Sub(at(c.begin)))
			sum += at(c.end).Sub(at(c.begin))
		}
		var want time.Duration
		run := 0
		for _, is := range served {
			if is {
				run++
			} else if run > 0 {
				want += time.Duration((run+99)/100) * granule
				run = 0
			}
		}
		if _, busy := i.read(); busy != max(want, sum/callsAtOnce) {
			t.Fatalf("%v: busy for %v, want %v", calls, busy, want)
		}
	}
}

// What is old is added up and forgotten; the sum stays.
func TestInstances_MemoryIsBounded(t *testing.T) {
	var i instances
	for n := range 10_000 {
		i.ended(noon.Add(time.Duration(n)*time.Second), 100*time.Millisecond)
	}
	if kept := len(i.periods); kept > 700 {
		t.Errorf("%d periods are kept", kept)
	}
	if _, busy := i.read(); busy != 10_000*granule {
		t.Errorf("busy for %v", busy)
	}
}
