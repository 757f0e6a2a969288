// Package mailbox shows the batches that were given up and wait in the dead letter
// subscription.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/deadletter"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/terraform"
)

// callTimeout bounds the calls that should be answered at once.
const callTimeout = 15 * time.Second

// A Mailbox is the subscription in which dead letters wait.
type Mailbox struct {
	Client       *pubsub.Client
	project      string
	subscription string // its full name
	wait         time.Duration
	clock        Clock
}

// A Clock is what a mailbox waits by.
type Clock interface {
	Now() time.Time
	// Wait returns after d, or early with the context's error.
	Wait(ctx context.Context, d time.Duration) error
}

// WallClock is the clock outside of tests.
type WallClock struct{}

// Now returns the time.
func (WallClock) Now() time.Time { return time.Now() }

// Wait returns after d, or early with the context's error.
func (WallClock) Wait(ctx context.Context, d time.Duration) error { return pause.For(ctx, d) }

// Open connects to the subscription, named in short or in full. There are no more
// dead letters once none has come for as long as to wait.
func Open(ctx context.Context, project, subscription string, wait time.Duration, clock Clock) (*Mailbox, error) {
	client, err := pubsub.NewClient(ctx, project)
	if err != nil {
		return nil, fmt.Errorf("connecting to Pub/Sub in project %s: %w", project, err)
	}
	m := &Mailbox{Client: client, project: project, subscription: terraform.FullName(project, "subscriptions", subscription), wait: wait, clock: clock}
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = client.SubscriptionAdminClient.GetSubscription(calling, &pubsubpb.GetSubscriptionRequest{Subscription: m.subscription})
	if status.Code(err) == codes.NotFound {
		err = fmt.Errorf("there is no %s: check GOOGLE_CLOUD_PROJECT and --subscription, and PUBSUB_EMULATOR_HOST for the local system", m.subscription)
	} else if err != nil {
		err = fmt.Errorf("reaching %s: %w", m.subscription, err)
	}
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return m, nil
}

// Close ends the connection.
func (m *Mailbox) Close() error { return m.Client.Close() }

// Each shows every dead letter to take once, so many pulled at a time. Those
// for which take returns true are acknowledged at once; all others are held
// meanwhile and given back at the end, after an error and after an interrupt
// too. It ends when for as long as to wait none came that was not shown: an
// answer without messages means nothing, since Pub/Sub may give one while some
// wait, and those that were shown may come again.
func (m *Mailbox) Each(ctx context.Context, atOnce int32, take func(*Letter) (done bool, err error)) (err error) {
	var kept []string // acknowledgement ids
	defer func() { err = errors.Join(err, m.giveBack(context.WithoutCancel(ctx), kept)) }()
	shown := map[string]bool{} // and whether it is done, by message id
	until := m.clock.Now().Add(m.wait)
	for {
		received, err := m.pull(ctx, atOnce, until)
		if err != nil {
			return err
		}
		before, held := len(shown), len(kept)
		for i, r := range received {
			l := letterOf(r.Message)
			done, again := shown[l.ID]
			if !again {
				done, err = take(l)
				shown[l.ID] = done
			}
			if err == nil && done {
				err = m.acknowledge(ctx, r.AckId, l.ID)
			} else {
				kept = append(kept, r.AckId)
			}
			if err != nil {
				for _, rest := range received[i+1:] {
					kept = append(kept, rest.AckId)
				}
				return err
			}
		}
		if err := m.setDeadline(ctx, kept[held:], longestLease); err != nil {
			return fmt.Errorf("holding dead letters of %s: %w", m.subscription, err)
		}
		switch {
		case len(shown) > before:
			until = m.clock.Now().Add(m.wait)
		case !m.clock.Now().Before(until):
			return nil
		default:
			if err := m.clock.Wait(ctx, pullPause); err != nil {
				return err
			}
		}
	}
}

// pullPause is between two answers that brought nothing new: some come at once.
const pullPause = 100 * time.Millisecond

// longestLease is the longest that Pub/Sub grants.
const longestLease = 10 * time.Minute

// pull asks once, and returns none when none has come until then.
func (m *Mailbox) pull(ctx context.Context, most int32, until time.Time) ([]*pubsubpb.ReceivedMessage, error) {
	waiting, cancel := context.WithTimeout(ctx, until.Sub(m.clock.Now()))
	defer cancel()
	response, err := m.Client.SubscriptionAdminClient.Pull(waiting, &pubsubpb.PullRequest{Subscription: m.subscription, MaxMessages: most})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && (waiting.Err() != nil || isOver(status.Code(err))):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("pulling from %s: %w", m.subscription, err)
	}
	return response.ReceivedMessages, nil
}

// isOver tells that the wait is over, which the other end can notice first.
func isOver(c codes.Code) bool { return c == codes.DeadlineExceeded || c == codes.Canceled }

func (m *Mailbox) acknowledge(ctx context.Context, ackID, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	request := &pubsubpb.AcknowledgeRequest{Subscription: m.subscription, AckIds: []string{ackID}}
	if err := m.Client.SubscriptionAdminClient.Acknowledge(ctx, request); err != nil {
		return fmt.Errorf("dead letter %s could not be taken away; to do the same once more does no harm: %w", id, err)
	}
	return nil
}

// giveBack returns messages to the subscription, for the next reader.
func (m *Mailbox) giveBack(ctx context.Context, ackIDs []string) error {
	if err := m.setDeadline(ctx, ackIDs, 0); err != nil {
		return fmt.Errorf("giving dead letters back to %s; they wait again within %v: %w", m.subscription, longestLease, err)
	}
	return nil
}

// setDeadline has the messages wait again after so long; 0 is at once.
func (m *Mailbox) setDeadline(ctx context.Context, ackIDs []string, after time.Duration) error {
	for some := range slices.Chunk(ackIDs, 1000) { // the most of one request
		calling, cancel := context.WithTimeout(ctx, callTimeout)
		request := &pubsubpb.ModifyAckDeadlineRequest{Subscription: m.subscription, AckIds: some, AckDeadlineSeconds: int32(after / time.Second)}
		err := m.Client.SubscriptionAdminClient.ModifyAckDeadline(calling, request)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// A Letter is one dead letter.
type Letter struct {
	ID         string // the message's
	Published  time.Time
	Attributes map[string]string // as they were before it became one
	Data       []byte
	Cause      deadletter.Cause
}

func letterOf(m *pubsubpb.PubsubMessage) *Letter {
	return &Letter{
		ID: m.MessageId, Published: m.PublishTime.AsTime(), Data: m.Data,
		Attributes: deadletter.Original(m.Attributes), Cause: deadletter.CauseOf(m.Attributes),
	}
}

// Event is the id of its CloudEvent; "" when it is none.
func (l *Letter) Event() string { return l.Attributes["ce-id"] }

// Records is how many it has, as far as it says.
func (l *Letter) Records() int {
	n, _ := strconv.Atoi(l.Attributes["ce-recordcount"])
	return n
}

// From is its topic, partition and offsets; "" when it names none.
func (l *Letter) From() string {
	of, partition, err := batch.Origin(l.Attributes["ce-source"])
	if err != nil {
		return ""
	}
	ranges := l.Attributes["ce-ranges"]
	if of.V1 {
		ranges = fmt.Sprintf("%d:%s-%s", partition, l.Attributes["ce-firstoffset"], l.Attributes["ce-lastoffset"])
	}
	return of.Topic + " " + ranges
}

// Why says what is known of the cause: the bridge tells the last answer, Pub/Sub
// nothing. What is no batch was refused for that.
func (l *Letter) Why() string {
	if l.Cause.Reason != "" {
		return l.Cause.Reason
	}
	_, err := l.Batch()
	switch {
	case err != nil:
		return "ingest takes no such event: " + err.Error()
	case l.Cause.Source != "":
		return "Pub/Sub gave up delivering to " + l.Cause.Source + "; the function's log says why, in its lines with batch " + l.Event()
	}
	return "unknown"
}

// Batch reads what the dead letter carries.
func (l *Letter) Batch() (*batch.Batch, error) {
	e, err := batch.FromMessage(l.Attributes, l.Data)
	if err != nil {
		return nil, err
	}
	return batch.FromEvent(e)
}
