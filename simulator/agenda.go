package simulator

import (
	"container/heap"
	"time"
)

// An agenda holds what is going to happen. Of two things due at the same
// moment the one added first happens first. The zero agenda is empty.
type agenda struct {
	items entries
	added uint64
}

type entry struct {
	at     time.Time
	order  uint64
	happen func()
}

// add has happen called at its time.
func (a *agenda) add(at time.Time, happen func()) {
	a.added++
	heap.Push(&a.items, entry{at: at, order: a.added, happen: happen})
}

// pending tells whether something is due before end.
func (a *agenda) pending(end time.Time) bool {
	return len(a.items) > 0 && a.items[0].at.Before(end)
}

// take removes what is due next and returns it.
func (a *agenda) take() func() { return heap.Pop(&a.items).(entry).happen }

// entries is a heap by time, then by order.
type entries []entry

func (e entries) Len() int      { return len(e) }
func (e entries) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)   { *e = append(*e, x.(entry)) }

func (e entries) Less(i, j int) bool {
	if !e[i].at.Equal(e[j].at) {
		return e[i].at.Before(e[j].at)
	}
	return e[i].order < e[j].order
}

func (e *entries) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = entry{}
	*e = (*e)[:last]
	return x
}
