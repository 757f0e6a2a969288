package pubsub

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// maxTakenBytes bounds what one take returns, unless a single message is larger, so that a response stays below the
// 4 MiB that a gRPC client reads by default.
const maxTakenBytes = 3_500_000

// attempt is one delivery of a message: the first has number 1.
type attempt struct {
	msg    *message
	number int
}

// policy says what a failed attempt leads to.
type policy struct {
	minBackoff, maxBackoff time.Duration // delay before attempt 2, doubled each time up to the maximum
	maxAttempts            int           // 0: no dead letter policy
}

// backoff is the delay after the attempt with the given number has failed.
func (p policy) backoff(number int) time.Duration {
	delay := p.minBackoff
	for ; number > 1 && delay < p.maxBackoff; number-- {
		delay *= 2
	}
	return min(delay, p.maxBackoff)
}

type state uint8

const (
	ready   state = iota // in line
	leased               // with a puller until due
	delayed              // in line again when due
	held                 // with a push or the dead-letterer, which settles it
)

// entry is a message that the subscription has not acknowledged.
type entry struct {
	attempt
	state    state
	due      time.Time
	position int       // in queue.due while leased or delayed
	consumer *consumer // of the lease, if one
	failure  string    // why the last attempt failed; "" before one did
}

// consumer is a puller and its limits; 0 is no limit. The queue counts what it holds.
type consumer struct {
	maxMessages, maxBytes int64
	messages, bytes       int64
}

func (c *consumer) hasRoom() bool {
	return (c.maxMessages <= 0 || c.messages < c.maxMessages) && (c.maxBytes <= 0 || c.bytes < c.maxBytes)
}

// queue holds one subscription's unacknowledged messages and decides when each is delivered. It does nothing by
// itself: its owner calls expire when alarm or the clock says so. Safe for concurrent use.
type queue struct {
	alarm chan struct{} // something is due earlier than expire said

	mu      sync.Mutex
	changed *sync.Cond
	pullers int // consumers that wait
	entries map[uint64]*entry
	line    []*entry // ready ones; acknowledged ones are skipped when their turn comes
	due     dueHeap
	policy  policy
	counts  counts
}

// counts are the totals since the subscription was created.
type counts struct{ delivered, acked, failed, deadLettered int64 }

func newQueue(p policy) *queue {
	q := &queue{alarm: make(chan struct{}, 1), entries: map[uint64]*entry{}, policy: p}
	q.changed = sync.NewCond(&q.mu)
	return q
}

func (q *queue) setPolicy(p policy) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.policy = p
}

func (q *queue) add(msgs []*message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range msgs {
		e := &entry{attempt: attempt{msg: m}}
		q.entries[m.id] = e
		q.enqueue(e)
	}
}

// enqueue puts e at the end of the line. One waiting pusher is as good as another; pullers may have no room, so all
// must look.
func (q *queue) enqueue(e *entry) {
	e.state = ready
	q.line = append(q.line, e)
	if q.pullers > 0 {
		q.changed.Broadcast()
	} else {
		q.changed.Signal()
	}
}

// take waits for messages and starts an attempt at each, at most limit of them. With a consumer they are leased to it
// for the given time; without, they are held until the caller settles them. The error is ctx's.
func (q *queue) take(ctx context.Context, c *consumer, limit int, lease time.Duration) ([]attempt, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ctx.Err() == nil {
		if batch := q.start(c, limit, lease); len(batch) > 0 {
			return batch, nil
		}
	}
	defer context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})()
	if c != nil {
		q.pullers++
		defer func() { q.pullers-- }()
	}
	for ctx.Err() == nil {
		if batch := q.start(c, limit, lease); len(batch) > 0 {
			return batch, nil
		}
		q.changed.Wait()
	}
	q.changed.Signal() // a signal that woke a leaver is for another
	return nil, ctx.Err()
}

// poll is take without waiting.
func (q *queue) poll(c *consumer, limit int, lease time.Duration) []attempt {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.start(c, limit, lease)
}

func (q *queue) start(c *consumer, limit int, lease time.Duration) []attempt {
	var batch []attempt
	var bytes int64
	for len(q.line) > 0 && len(batch) < limit && (c == nil || c.hasRoom()) {
		e := q.line[0]
		if q.entries[e.msg.id] == e {
			if bytes += e.msg.size; bytes > maxTakenBytes && len(batch) > 0 {
				break
			}
			e.number++
			q.counts.delivered++
			q.hand(e, c, lease)
			batch = append(batch, e.attempt)
		}
		q.line[0] = nil
		q.line = q.line[1:]
	}
	return batch
}

func (q *queue) hand(e *entry, c *consumer, lease time.Duration) {
	if c == nil {
		e.state = held
		return
	}
	c.messages++
	c.bytes += e.msg.size
	e.consumer = c
	q.schedule(e, leased, lease)
}

// schedule gives e a state that ends after d.
func (q *queue) schedule(e *entry, s state, d time.Duration) {
	e.state, e.due = s, time.Now().Add(d)
	heap.Push(&q.due, e)
	if e.position == 0 {
		select {
		case q.alarm <- struct{}{}:
		default:
		}
	}
}

// leave takes e out of its state.
func (q *queue) leave(e *entry) {
	if e.state == leased || e.state == delayed {
		heap.Remove(&q.due, e.position)
	}
	if c := e.consumer; c != nil {
		c.messages--
		c.bytes -= e.msg.size
		e.consumer = nil
		if q.pullers > 0 {
			q.changed.Broadcast()
		}
	}
}

// ack removes a message and returns it, or nil when it is not there. An acknowledgement that comes after its lease
// expired counts: it spares a duplicate.
func (q *queue) ack(id uint64) *message { return q.remove(id, &q.counts.acked) }

// buried removes a message whose copy is in the dead letter topic.
func (q *queue) buried(id uint64) *message { return q.remove(id, &q.counts.deadLettered) }

func (q *queue) remove(id uint64, count *int64) *message {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.entries[id]
	if e == nil {
		return nil
	}
	q.leave(e)
	delete(q.entries, id)
	*count++
	return e.msg
}

// extend moves the end of a lease to d from now; a lease that has ended stays ended.
func (q *queue) extend(id uint64, number int, d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.entries[id]
	if e == nil || e.number != number || e.state != leased {
		return
	}
	heap.Remove(&q.due, e.position)
	q.schedule(e, leased, d)
}

// fail ends an attempt that is under way, and why says what for, and returns it when it was the last that the policy
// allows. The message is then held: the caller forwards it and calls buried, or calls retry.
func (q *queue) fail(id uint64, number int, why string) (attempt, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.entries[id]
	if e == nil || e.number != number || (e.state != leased && e.state != held) {
		return attempt{}, false
	}
	return q.failed(e, why)
}

func (q *queue) failed(e *entry, why string) (attempt, bool) {
	e.failure = why
	q.leave(e)
	q.counts.failed++
	if q.policy.maxAttempts > 0 && e.number >= q.policy.maxAttempts {
		e.state = held
		return e.attempt, true
	}
	q.delay(e)
	return attempt{}, false
}

// retry lets a held message be delivered again.
func (q *queue) retry(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.entries[id]; e != nil && e.state == held {
		q.delay(e)
	}
}

func (q *queue) delay(e *entry) {
	if d := q.policy.backoff(e.number); d > 0 {
		q.schedule(e, delayed, d)
	} else {
		q.enqueue(e)
	}
}

// expire ends the leases and delays that are due, and returns the attempts that were the last their message may have
// (see fail) and how long until something else is due.
func (q *queue) expire() (last []attempt, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.due) > 0 {
		e := q.due[0]
		if e.due.After(now) {
			return last, e.due.Sub(now)
		}
		if e.state == delayed {
			q.leave(e)
			q.enqueue(e)
		} else if a, exhausted := q.failed(e, context.DeadlineExceeded.Error()); exhausted {
			last = append(last, a)
		}
	}
	return last, time.Hour
}

// clear removes and returns everything.
func (q *queue) clear() []*message {
	q.mu.Lock()
	defer q.mu.Unlock()
	var msgs []*message
	for _, e := range q.entries {
		msgs = append(msgs, e.msg)
	}
	clear(q.entries)
	q.line, q.due = nil, nil
	return msgs
}

// dueHeap orders entries by the time they are due; see container/heap.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].position, h[j].position = i, j
}
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.position = len(*h)
	*h = append(*h, e)
}
func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
