package system

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/telemetry"
)

// How often the quarantine is read, at most, and how much longer it is left
// alone than reading it took.
const (
	readRefusedEvery = 3 * time.Second
	refusedLeisure   = 20
)

// refused watches which topics have more refused lately than the alert of the
// deployment allows.
type refused struct {
	window time.Duration
	share  float64 // 0..1

	mu       sync.Mutex
	began    time.Time                   // when acceptances were first counted: nothing is counted before
	accepted map[string]*telemetry.Meter // rows in staging, by topic
	counts   []refusedCount              // within the window, as last read
}

// A refusedCount is how many records of a topic were refused for one reason.
type refusedCount struct {
	Topic   string `bigquery:"kafka_topic"`
	Reason  string `bigquery:"reason"`
	Records int64  `bigquery:"records"`
}

// note records how many rows of each topic were accepted so far.
func (r *refused) note(now time.Time, accepted map[string]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accepted == nil {
		r.began = now
		r.accepted = map[string]*telemetry.Meter{}
	}
	for topic, rows := range accepted {
		if r.accepted[topic] == nil {
			r.accepted[topic] = &telemetry.Meter{}
		}
		r.accepted[topic].Note(now, rows)
	}
}

// since is from when on refusals count: those of the window, but none from before
// acceptances are counted.
func (r *refused) since(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from := now.Add(-r.window); from.After(r.began) {
		return from
	}
	return r.began
}

// set replaces the counts.
func (r *refused) set(counts []refusedCount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = counts
}

// any reports whether anything was refused within the window, when last read.
func (r *refused) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.counts) > 0
}

// now says which topics people must be told of.
func (r *refused) now() dashboard.Refused {
	told := dashboard.Refused{Window: r.window}
	r.mu.Lock()
	defer r.mu.Unlock()
	topics := map[string]*dashboard.Refusals{}
	most := map[string]int64{}
	for _, c := range r.counts {
		if c.Reason == string(event.Tombstone) {
			continue
		}
		if topics[c.Topic] == nil {
			topics[c.Topic] = &dashboard.Refusals{Topic: c.Topic}
		}
		one := topics[c.Topic]
		one.Refused += c.Records
		if c.Records > most[c.Topic] || c.Records == most[c.Topic] && c.Reason < one.Reason {
			most[c.Topic], one.Reason = c.Records, c.Reason
		}
	}
	for name, one := range topics {
		one.Records = one.Refused
		if meter := r.accepted[name]; meter != nil {
			one.Records += meter.Within(r.window)
		}
		if one.Share() > r.share {
			told.Topics = append(told.Topics, *one)
		}
	}
	slices.SortFunc(told.Topics, func(a, b dashboard.Refusals) int {
		return cmp.Or(cmp.Compare(b.Share(), a.Share()), cmp.Compare(b.Refused, a.Refused), cmp.Compare(a.Topic, b.Topic))
	})
	return told
}
