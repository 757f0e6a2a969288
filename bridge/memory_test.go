package bridge

import (
	"runtime"
	"testing"

	"github.com/stationflow/stationflow/batch"
)

// The memory of batches outlives collections of garbage, and is bounded.
func TestSpares_AreKept(t *testing.T) {
	var s spares
	first := new(batch.Encoder)
	s.put(first)
	for range 3 {
		runtime.GC()
	}
	if s.take() != first || s.take() != nil {
		t.Error("an encoder that was put is not there, or more than once")
	}
	for range 2 * maxSpares {
		s.put(new(batch.Encoder))
	}
	kept := 0
	for s.take() != nil {
		kept++
	}
	if kept != maxSpares {
		t.Errorf("%d are kept, want %d", kept, maxSpares)
	}
}
