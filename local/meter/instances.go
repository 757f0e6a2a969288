package meter

import (
	"slices"
	"sync"
	"time"
)

// instances measures the time that a function's instances are billed for: as
// long as a call is being served, in started 100 ms
// (https://cloud.google.com/run/pricing). An instance serves callsAtOnce calls.
//
// Calls are known when they end, so a long one may begin before calls that
// were counted already: periods are merged for as long as one may still change,
// and then added up.
type instances struct {
	mu      sync.Mutex
	calls   int64
	served  time.Duration // summed over calls
	settled time.Duration // of periods that no call can change any more
	periods []period      // apart from each other, in order of time
}

type period struct{ begin, end time.Time }

const (
	granule     = 100 * time.Millisecond
	callsAtOnce = 8 // what Terraform deploys ingest with
	longest     = 10 * time.Minute
)

// ended counts a call that ended now and took so long.
func (i *instances) ended(now time.Time, took time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	i.served += took
	added := period{now.Add(-took), now}
	kept := i.periods[:0]
	at := 0
	for _, p := range i.periods {
		switch {
		case p.end.Before(added.begin):
			kept = append(kept, p)
			at = len(kept)
		case p.begin.After(added.end):
			kept = append(kept, p)
		default: // they touch
			if p.begin.Before(added.begin) {
				added.begin = p.begin
			}
			if p.end.After(added.end) {
				added.end = p.end
			}
		}
	}
	i.periods = slices.Insert(kept, at, added)
	for len(i.periods) > 1 && i.periods[0].end.Before(now.Add(-longest)) {
		i.settled += i.periods[0].billed()
		i.periods = i.periods[1:]
	}
}

func (p period) billed() time.Duration {
	return (p.end.Sub(p.begin) + granule - 1).Truncate(granule)
}

// read returns how many calls ended, and for how long instances were busy with
// them: one instance while calls fit into one, more when they do not.
func (i *instances) read() (calls int64, busy time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	busy = i.settled
	for _, p := range i.periods {
		busy += p.billed()
	}
	return i.calls, max(busy, i.served/callsAtOnce)
}
