package bench

import (
	"sync"
	"time"

	"github.com/stationflow/stationflow/event"
)

// A place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// An entry is what is known of one record.
type entry struct {
	sent    bool
	reason  event.Reason // why it must be quarantined; "" for a good event
	digest  uint64       // of its row in the sinks
	kafka   int64        // Kafka's timestamp, Unix milliseconds
	durable int64        // when a function reported its batch durable, Unix milliseconds; 0 before
}

// A ledger holds every record of a run by its coordinates. It is safe for
// concurrent use.
type ledger struct {
	mu         sync.Mutex
	topicIDs   map[string]string
	partitions map[place]*span
	left       int // records that are not known to be durable
	last       time.Time
	done       chan struct{} // closed when left is 0
}

// A span is a partition's records from an offset on.
type span struct {
	first   int64
	entries []entry
}

// newLedger returns a ledger for records at and after the offsets in first.
func newLedger(topicIDs map[string]string, first map[place]int64, records int) *ledger {
	l := &ledger{topicIDs: topicIDs, partitions: map[place]*span{}, left: records, done: make(chan struct{})}
	for at, offset := range first {
		l.partitions[at] = &span{first: offset}
	}
	return l
}

// at returns the entry of an offset, or nil when it is not a record of this run.
// Where grow is set the offset may be the partition's newest.
func (s *span) at(offset int64, grow bool) *entry {
	if s == nil || offset < s.first {
		return nil
	}
	i := offset - s.first
	for grow && i >= int64(len(s.entries)) {
		s.entries = append(s.entries, entry{})
	}
	if i >= int64(len(s.entries)) {
		return nil
	}
	return &s.entries[i]
}

// sent notes a record that Kafka took.
func (l *ledger) sent(at place, offset int64, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.partitions[at].at(offset, true)
	e.sent, e.durable = true, known.durable
	*known = e
}

// durable notes that a function reported the offsets durable. It may hear of
// a record before Kafka's answer to its producer arrives.
func (l *ledger) durable(at place, first, last, millis int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.partitions[at]
	if s == nil {
		return
	}
	for offset := max(first, s.first); offset <= last; offset++ {
		if e := s.at(offset, true); e.durable == 0 {
			e.durable = millis
			l.left--
		}
	}
	if l.last = time.UnixMilli(millis); l.left == 0 {
		close(l.done)
		l.left = -1 // closes once
	}
}

// again has nothing durable yet, of all that was sent.
func (l *ledger) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.done = 0, make(chan struct{})
	l.each(func(_ place, _ int64, e *entry) {
		e.durable = 0
		l.left++
	})
}

// progress returns how many records are not durable yet.
func (l *ledger) progress() (left int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.left, 0)
}

// each calls do with every record that was sent.
func (l *ledger) each(do func(at place, offset int64, e *entry)) {
	for at, s := range l.partitions {
		for i := range s.entries {
			if e := &s.entries[i]; e.sent {
				do(at, s.first+int64(i), e)
			}
		}
	}
}
