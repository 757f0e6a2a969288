package lazy_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stationflow/stationflow/internal/lazy"
)

// What cannot be made is tried again with the next call; what was made stays,
// however many ask at once.
func TestValue(t *testing.T) {
	var v lazy.Value[int]
	var calls atomic.Int64
	create := func() (int, error) {
		if n := calls.Add(1); n > 1 {
			return int(n), nil
		}
		return 7, errors.New("not yet")
	}
	if got, err := v.Get(create); got != 0 || err == nil {
		t.Errorf("after a failure it is %d, %v", got, err)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if got, err := v.Get(create); got != 2 || err != nil {
				t.Errorf("it is %d, %v, want 2", got, err)
			}
		})
	}
	asking.Wait()
	if calls.Load() != 2 {
		t.Errorf("it was made %d times, want 2: one failed", calls.Load())
	}
}
