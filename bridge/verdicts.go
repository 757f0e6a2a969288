package bridge

import (
	"sync"
	"time"
)

// maxCases bounds the cases that are remembered: many times more than batches
// can be in flight. Beyond it the one longest untouched is forgotten.
const maxCases = 10_000

// Verdicts count how often each batch was refused. They outlive a session:
// where rebalances come more often than a batch is given up, it would be
// refused for ever. They do not outlive the process. The zero value is ready,
// and safe for concurrent use.
type verdicts struct {
	mu    sync.Mutex
	cases map[suspect]*tally
}

// A suspect is a batch by where it begins; where it ends may be another place
// when it is cut again.
type suspect struct {
	topicID   string
	partition int32
	offset    int64 // of the first record
}

// A tally is what is held against one batch.
type tally struct {
	refusals    int
	since, last time.Time // the begin of its first attempt; the last refusal
}

// add counts a refusal of a batch whose attempts began then, and returns all
// that is held against it.
func (v *verdicts) add(of suspect, began time.Time) tally {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.cases[of]
	if t == nil {
		v.makeRoom()
		t = &tally{since: began}
		v.cases[of] = t
	}
	t.refusals++
	t.last = time.Now()
	return *t
}

func (v *verdicts) makeRoom() {
	if v.cases == nil {
		v.cases = make(map[suspect]*tally)
	}
	if len(v.cases) < maxCases {
		return
	}
	var oldest suspect
	for of, t := range v.cases {
		if found := v.cases[oldest]; found == nil || t.last.Before(found.last) {
			oldest = of
		}
	}
	delete(v.cases, oldest)
}

// close forgets a batch that was taken over or given up.
func (v *verdicts) close(of suspect) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.cases, of)
}
