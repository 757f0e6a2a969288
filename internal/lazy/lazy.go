// Package lazy makes what a process has one of when it is first needed.
package lazy

import "sync"

// A Value is made by the first call of Get that succeeds, and stays. The zero
// Value is not made yet. It is safe for concurrent use: while one call makes
// it, the others wait.
type Value[T any] struct {
	mu    sync.Mutex
	made  bool
	value T
}

// Get returns the value, which create makes where it is not made yet. After an
// error of create the next call tries again.
func (v *Value[T]) Get(create func() (T, error)) (T, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.made {
		return v.value, nil
	}
	value, err := create()
	if err != nil {
		var none T
		return none, err
	}
	v.value, v.made = value, true
	return value, nil
}
