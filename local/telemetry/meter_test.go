package telemetry_test

import (
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/telemetry"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_000, 0)
	after := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	for name, test := range map[string]struct {
		readings map[int]int64 // by second
		known    bool
		rate     float64
		still    time.Duration // at the last reading
	}{
		"nothing read":           {nil, false, 0, 0},
		"one reading":            {map[int]int64{0: 500}, false, 0, 0},
		"shorter than a window":  {map[int]int64{0: 500, 10: 600}, true, 10, 0},
		"a window":               {map[int]int64{0: 0, 30: 300}, true, 10, 0},
		"older is forgotten":     {map[int]int64{0: 0, 1: 9_000, 31: 9_300}, true, 10, 0},
		"a burst is spread":      {map[int]int64{0: 0, 10: 0, 29: 0, 30: 600}, true, 20, 0},
		"a burst leaves":         {map[int]int64{0: 0, 1: 600, 31: 600}, true, 0, 30 * time.Second},
		"between two readings":   {map[int]int64{0: 0, 20: 100, 40: 100, 55: 400}, true, 300.0 / 35, 0},
		"records expire":         {map[int]int64{0: 500, 10: 100}, true, 0, 0},
		"long after, still kept": {map[int]int64{0: 0, 900: 90, 930: 120}, true, 1, 0},
	} {
		var meter telemetry.Meter
		last := 0
		for second := range 1_000 {
			if count, read := test.readings[second]; read {
				meter.Note(after(second), count)
				last = second
			}
		}
		rate, known := meter.PerSecond()
		if rate != test.rate || known != test.known {
			t.Errorf("%s: %v a second (%v), want %v (%v)", name, rate, known, test.rate, test.known)
		}
		if still := meter.Still(after(last)); still != test.still {
			t.Errorf("%s: still for %v, want %v", name, still, test.still)
		}
	}
}

func TestMeter_At(t *testing.T) {
	t.Parallel()
	var meter telemetry.Meter
	began := time.Unix(1_000, 0)
	if got := meter.At(began); got != 0 {
		t.Errorf("before any reading: %d", got)
	}
	for second := range int64(1_000) { // more than is kept
		meter.Note(began.Add(time.Duration(second)*time.Second), 10*second)
	}
	if got := meter.Since(9_990); !got.IsZero() {
		t.Errorf("more than was ever read since %v", got)
	}
	for ago, want := range map[time.Duration]int64{
		-time.Second: 9_990, 0: 9_990, time.Second: 9_980, 1500 * time.Millisecond: 9_970, 5 * time.Minute: 6_990,
	} {
		if got := meter.Since(want - 1); !got.Equal(began.Add(time.Duration(want/10) * time.Second)) {
			t.Errorf("more than %d since %v", want-1, got.Sub(began))
		}
		if got := meter.At(began.Add(999*time.Second - ago)); got != want {
			t.Errorf("%v ago: %d, want %d", ago, got, want)
		}
	}
}
