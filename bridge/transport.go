package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/internal/deadletter"
)

// A Transport carries batches away from the bridge. It is safe for concurrent
// use.
type Transport interface {
	// Publish makes one attempt and returns nil only when the other side has
	// taken over: from then on the bridge commits the records' offsets. After
	// an error the event may have arrived all the same; it is published
	// again. An error that is a *PublishError says how. Publish returns soon
	// after ctx is done; it keeps the event's data no longer than it runs
	// when it returns nil, and may still be reading it after an error.
	Publish(ctx context.Context, event cloudevents.Event) error
}

// DeadLetters takes the batches that a Transport refused for good. It is safe
// for concurrent use.
type DeadLetters interface {
	// DeadLetter makes one attempt; its rules are those of Publish.
	DeadLetter(ctx context.Context, event cloudevents.Event, why deadletter.Cause) error
}

// A PublishError is a failed attempt of which more is known than that it
// failed. Any other error tells nothing of the batch: it is tried again for
// ever, unless others get through all the while.
type PublishError struct {
	Err error

	// Refused says that the other side works, and refuses this very batch.
	// After so many refusals (Config.HTTP.MaxAttempts) the batch is a dead
	// letter.
	Refused bool

	// Excused says that the other side itself has answered, and that the
	// batch is not to blame: it is tried again for ever.
	Excused bool

	// After is how long the other side asks to be left alone; 0 for no wish.
	After time.Duration
}

func (e *PublishError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *PublishError) Unwrap() error { return e.Err }

// understand returns what is known of a failed attempt.
func understand(err error) *PublishError {
	var known *PublishError
	if errors.As(err, &known) {
		return known
	}
	return &PublishError{Err: err}
}

// connectTransport makes the transport and the dead letters that the
// configuration names, where they were not given.
func (b *Bridge) connectTransport(ctx context.Context) (closers []func() error, err error) {
	if b.transport != nil {
		return nil, nil
	}
	c := b.config
	if c.Transport != "http" {
		transport, err := NewPubSub(ctx, c.Project, c.topicName(c.PubSubTopic))
		if err != nil {
			return nil, err
		}
		b.transport = transport
		return append(closers, transport.Close), nil
	}
	transport, err := NewHTTP(ctx, c.HTTP.URL, c.HTTP.Audience)
	if err != nil {
		return nil, err
	}
	b.transport = transport
	closers = append(closers, transport.Close)
	if c.AlertCopies != "" {
		copies, err := NewPubSub(ctx, c.Project, c.topicName(c.AlertCopies))
		if err != nil {
			return closers, fmt.Errorf("connecting to the topic of alerts (BRIDGE_ALERT_COPIES_TOPIC): %w", err)
		}
		b.transport = copying{transport, copies, c.AlertTopics}
		closers = append(closers, copies.Close)
	}
	if b.deadLetters == nil {
		letters, err := NewPubSub(ctx, c.Project, c.topicName(c.DeadLetterTopic))
		if err != nil {
			return closers, fmt.Errorf("connecting to the dead letters (BRIDGE_DEAD_LETTER_TOPIC): %w", err)
		}
		b.deadLetters = letters
		closers = append(closers, letters.Close)
	}
	return closers, nil
}
