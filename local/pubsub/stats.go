package pubsub

import (
	"cmp"
	"slices"
	"time"
)

// Stats is a server's state at one moment.
type Stats struct {
	RetainedBytes int64 // unacknowledged messages, each counted once, with some overhead
	MaxBytes      int64
	BilledBytes   int64               // published and delivered, as the service bills them: 1,000 at least for each request
	Subscriptions []SubscriptionStats // by name
}

// SubscriptionStats counts since the subscription was created. A message may be delivered more than once.
type SubscriptionStats struct {
	Name          string // projects/P/subscriptions/ID
	Topic         string // projects/P/topics/ID
	Delivered     int64
	Acked         int64
	Failed        int64 // attempts refused, timed out or returned
	DeadLettered  int64
	Outstanding   int64         // messages not acknowledged, waiting or in flight
	OldestUnacked time.Duration // age of the oldest of them; 0 when there is none
	Failure       string        // why the last push failed; "" when it worked
	Failing       Failing
}

// Failing are the messages that are not acknowledged and of which an attempt has failed. Others may be delivered
// meanwhile.
type Failing struct {
	Messages int64
	Attempts int    // that failed for one of them, the most; the rest is of that one
	Of       int    // attempts after which it is dead-lettered; 0: it is tried for ever
	Cause    string // why the last of them failed
}

func (b *broker) stats() Stats {
	var out Stats
	out.RetainedBytes, out.MaxBytes = b.store.usage()
	out.BilledBytes = b.billed.Load()
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, s := range b.subscriptions {
		one := s.queue.stats(time.Now())
		one.Name, one.Topic = s.name, s.config.Load().Topic
		if failure := s.failure.Load(); failure != nil {
			one.Failure = *failure
		}
		out.Subscriptions = append(out.Subscriptions, one)
	}
	slices.SortFunc(out.Subscriptions, func(a, b SubscriptionStats) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Untyped returns the ids of the messages that wait in a subscription, which is
// named as Stats does, and are not CloudEvents: they say no type. In order.
func (s *Server) Untyped(subscription string) (ids []string) {
	b := s.broker
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, one := range b.subscriptions {
		if one.name == subscription {
			ids = append(ids, one.queue.untyped()...)
		}
	}
	slices.Sort(ids)
	return ids
}

func (q *queue) untyped() (ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.entries {
		if e.msg.pb.Attributes["ce-type"] == "" {
			ids = append(ids, e.msg.pb.MessageId)
		}
	}
	return ids
}

func (q *queue) stats(now time.Time) SubscriptionStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := SubscriptionStats{
		Delivered:    q.counts.delivered,
		Acked:        q.counts.acked,
		Failed:       q.counts.failed,
		DeadLettered: q.counts.deadLettered,
		Outstanding:  int64(len(q.entries)),
	}
	for _, e := range q.entries {
		out.OldestUnacked = max(out.OldestUnacked, now.Sub(e.msg.pb.PublishTime.AsTime()))
		out.Failing.note(e)
	}
	if out.Failing.Messages > 0 {
		out.Failing.Of = q.policy.maxAttempts
	}
	return out
}

func (f *Failing) note(e *entry) {
	if e.failure == "" {
		return
	}
	f.Messages++
	failed := e.number
	if e.state == leased || e.state == held { // the last one is under way
		failed--
	}
	if failed > f.Attempts {
		f.Attempts, f.Cause = failed, e.failure
	}
}
