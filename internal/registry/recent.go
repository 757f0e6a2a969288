package registry

import "container/list"

// A recent holds values by key, up to a total size; the one that was not used
// for the longest time goes first. It is not safe for concurrent use.
type recent[V any] struct {
	most, size int
	byKey      map[string]*list.Element
	order      *list.List // of *held[V], the last used first
}

type held[V any] struct {
	key   string
	value V
	size  int
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{most: most, byKey: map[string]*list.Element{}, order: list.New()}
}

func (r *recent[V]) get(key string) (value V, ok bool) {
	e, ok := r.byKey[key]
	if !ok {
		return value, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*held[V]).value, true
}

// put keeps the value, and of the others what still fits.
func (r *recent[V]) put(key string, value V, size int) {
	r.drop(key)
	r.byKey[key] = r.order.PushFront(&held[V]{key, value, size})
	r.size += size
	for r.size > r.most && r.order.Len() > 1 {
		r.drop(r.order.Back().Value.(*held[V]).key)
	}
}

func (r *recent[V]) drop(key string) {
	if e, ok := r.byKey[key]; ok {
		r.size -= r.order.Remove(e).(*held[V]).size
		delete(r.byKey, key)
	}
}
