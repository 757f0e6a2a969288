package bridge

import (
	"context"
	"errors"
	"sync"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

// errEnded is the answer to a question once the session no longer waits for
// questions.
var errEnded = errors.New("the session has ended")

// An asker puts questions to one broker, one at a time. Those who ask while
// one is under way share the next.
type asker struct {
	asking sync.Mutex // held while a question is under way

	mu   sync.Mutex
	next *question // not put yet; nil for none
}

type question struct {
	answered chan struct{} // closed when the rest is set
	identity kafka.Identity
	err      error
}

func (a *asker) ask(ctx context.Context, s *session, broker *sarama.Broker) (kafka.Identity, error) {
	a.mu.Lock()
	q := a.next
	if q == nil {
		q = &question{answered: make(chan struct{})}
		begun := s.inBackground(func() {
			a.asking.Lock()
			defer a.asking.Unlock()
			a.mu.Lock()
			a.next = nil // those who ask from now on have read more
			a.mu.Unlock()
			q.identity, q.err = s.identify(broker)
			close(q.answered)
		})
		if !begun {
			a.mu.Unlock()
			return kafka.Identity{}, errEnded
		}
		a.next = q
	}
	a.mu.Unlock()
	select {
	case <-q.answered:
		return q.identity, q.err
	case <-ctx.Done():
		return kafka.Identity{}, ctx.Err()
	}
}
