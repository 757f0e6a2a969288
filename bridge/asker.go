package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// errEnded is the answer to a question once the session no longer waits for
// questions.
var errEnded = errors.New("the session has ended")

// askInterval is the least time from one question to the next. With a backlog
// each batch would ask alone, which was 5 % of the bridge's processor time.
const askInterval = 20 * time.Millisecond

// An asker puts questions to one broker, one at a time. Those who ask while
// one is under way, or too soon after, share the next.
type asker struct {
	asked time.Time // when the last one was put

	mu       sync.Mutex
	underway chan struct{} // closed when the last one is answered; nil for none
	next     *question     // not put yet; nil for none
}

type question struct {
	answered chan struct{} // closed when the rest is set
	identity kafka.Identity
	err      error
}

// ask returns what an identify that begins after the call says.
func (a *asker) ask(ctx context.Context, s *session, identify func() (kafka.Identity, error)) (kafka.Identity, error) {
	a.mu.Lock()
	q := a.next
	if q == nil {
		q = &question{answered: make(chan struct{})}
		before := a.underway
		begun := s.inBackground(func() {
			defer close(q.answered)
			if before != nil {
				<-before
			}
			if soon := askInterval - time.Since(a.asked); soon > 0 {
				_ = pause.For(context.Background(), soon)
			}
			a.asked = time.Now()
			a.mu.Lock()
			a.next = nil // those who ask from now on have read more
			a.mu.Unlock()
			q.identity, q.err = identify()
		})
		if !begun {
			a.mu.Unlock()
			return kafka.Identity{}, errEnded
		}
		a.next, a.underway = q, q.answered
	}
	a.mu.Unlock()
	select {
	case <-q.answered:
		return q.identity, q.err
	case <-ctx.Done():
		return kafka.Identity{}, ctx.Err()
	}
}
