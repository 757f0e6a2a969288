package spare_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stationflow/stationflow/internal/spare"
)

// What is put outlives collections of garbage, is taken once, and is bounded.
func TestList(t *testing.T) {
	made := 0
	list := spare.List[*int]{Most: 8, New: func() *int { made++; return new(made) }}
	first := list.Take()
	list.Put(first)
	for range 3 {
		runtime.GC()
	}
	if got := list.Take(); got != first {
		t.Error("what was put is not there")
	}
	if got := list.Take(); got == first || made != 2 {
		t.Errorf("what was put is taken twice; %d were made", made)
	}
	for range 2 * list.Most {
		list.Put(new(int))
	}
	made = 0
	for range 2 * list.Most {
		list.Take()
	}
	if kept := 2*list.Most - made; kept != list.Most {
		t.Errorf("%d are kept, want %d", kept, list.Most)
	}
}

// No two have a value at the same time.
func TestList_Concurrently(t *testing.T) {
	list := spare.List[*int]{Most: 2, New: func() *int { return new(int) }}
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for range 1000 {
				value := list.Take()
				*value++ // the race detector sees another one's
				list.Put(value)
			}
		})
	}
	working.Wait()
}
