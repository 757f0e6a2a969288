// Package spare keeps what is dear to make until it is needed again.
package spare

import "sync"

// A List holds values that wait to be used again. A sync.Pool would drop them
// when garbage is collected, and under the race detector a fourth of them at
// once. It is safe for concurrent use.
type List[T any] struct {
	New  func() T
	Most int // how many wait; what is put beyond is left to the collector of garbage

	mu  sync.Mutex
	all []T
}

// Take returns the value that was put last, or a new one.
func (l *List[T]) Take() T {
	if value, ok := l.last(); ok {
		return value
	}
	return l.New()
}

func (l *List[T]) last() (value T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.all) - 1
	if n < 0 {
		return value, false
	}
	var none T
	value, l.all[n] = l.all[n], none
	l.all = l.all[:n]
	return value, true
}

// Put keeps the value, unless there are enough. The caller has no more use of
// it.
func (l *List[T]) Put(value T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) < l.Most {
		l.all = append(l.all, value)
	}
}
