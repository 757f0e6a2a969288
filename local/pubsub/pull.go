package pubsub

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	maxPulledMessages = 1000
	pullWait          = 10 * time.Second // how long a pull waits for a first message before it answers with none
)

var errNacked = errors.New("the subscriber returned the message")

// Pull answers as soon as there is one message, and with none after pullWait.
func (s subscriber) Pull(ctx context.Context, request *pubsubpb.PullRequest) (*pubsubpb.PullResponse, error) {
	sub, err := s.pullSubscription(request.Subscription)
	if err != nil {
		return nil, err
	}
	if request.MaxMessages <= 0 {
		return nil, invalid("max_messages is %d; it must be positive", request.MaxMessages)
	}
	config, limit := sub.config.Load(), min(int(request.MaxMessages), maxPulledMessages)
	batch := sub.queue.poll(new(consumer), limit, seconds(config.AckDeadlineSeconds))
	if len(batch) == 0 && !request.GetReturnImmediately() { //nolint:staticcheck // deprecated, but sent by stock clients
		waiting, cancel := context.WithTimeout(ctx, pullWait)
		defer cancel()
		defer context.AfterFunc(sub.running, cancel)()
		batch, err = sub.queue.take(waiting, new(consumer), limit, seconds(config.AckDeadlineSeconds))
		if err != nil {
			return new(pubsubpb.PullResponse), ctx.Err() // nil unless the caller is gone
		}
	}
	s.bill(messagesOf(batch)...)
	return &pubsubpb.PullResponse{ReceivedMessages: received(config, batch)}, nil
}

// StreamingPull sends messages as they come, within the limits of the stream's first request. Unacknowledged ones
// stay leased when the stream ends, until their deadline.
func (s subscriber) StreamingPull(stream pubsubpb.Subscriber_StreamingPullServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	sub, err := s.pullSubscription(first.Subscription)
	if err != nil {
		return err
	}
	p := &puller{subscription: sub, stream: stream, answersPings: first.ProtocolVersion >= 1}
	if err := p.handle(first); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(sub.running, func() {
		cancel(status.Error(codes.Unavailable, "the subscription or the server is being closed"))
	})()
	s.goroutines.Go(func() { cancel(p.receive()) }) // ends with the stream, and so with this call
	return p.deliver(ctx, &consumer{maxMessages: first.MaxOutstandingMessages, maxBytes: first.MaxOutstandingBytes})
}

// puller is one stream of pulled messages.
type puller struct {
	*subscription
	stream       pubsubpb.Subscriber_StreamingPullServer
	answersPings bool         // the client checks that the server is alive by empty requests
	deadline     atomic.Int32 // of new leases, in seconds

	mu sync.Mutex // one send at a time
}

// deliver sends messages until ctx ends; its result is the stream's.
func (p *puller) deliver(ctx context.Context, limits *consumer) error {
	for {
		batch, err := p.queue.take(ctx, limits, maxPulledMessages, seconds(p.deadline.Load()))
		if err != nil {
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil // the client has ended it
		}
		p.broker.bill(messagesOf(batch)...)
		if err := p.send(received(p.config.Load(), batch)); err != nil {
			return err
		}
	}
}

func (p *puller) send(messages []*pubsubpb.ReceivedMessage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream.Send(&pubsubpb.StreamingPullResponse{
		ReceivedMessages:       messages,
		SubscriptionProperties: new(pubsubpb.StreamingPullResponse_SubscriptionProperties),
	})
}

// receive handles later requests until the stream ends; nil means that the client has no more to say.
func (p *puller) receive() error {
	for {
		request, err := p.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = p.handle(request)
		}
		if err == nil && p.answersPings && len(request.AckIds)+len(request.ModifyDeadlineAckIds) == 0 {
			err = p.send(nil)
		}
		if err != nil {
			return err
		}
	}
}

func (p *puller) handle(request *pubsubpb.StreamingPullRequest) error {
	if d := request.StreamAckDeadlineSeconds; d != 0 || p.deadline.Load() == 0 {
		if seconds(d) < minAckDeadline || seconds(d) > maxAckDeadline {
			return invalid("stream_ack_deadline_seconds is %d; it must be %v to %v", d, minAckDeadline, maxAckDeadline)
		}
		p.deadline.Store(d)
	}
	if err := p.acknowledge(request.AckIds); err != nil {
		return err
	}
	if len(request.ModifyDeadlineAckIds) != len(request.ModifyDeadlineSeconds) {
		return invalid("modify_deadline_ack_ids and modify_deadline_seconds differ in length")
	}
	for i, id := range request.ModifyDeadlineAckIds {
		if err := p.modify([]string{id}, request.ModifyDeadlineSeconds[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s subscriber) Acknowledge(_ context.Context, request *pubsubpb.AcknowledgeRequest) (*emptypb.Empty, error) {
	sub, err := s.subscription(request.Subscription)
	if err != nil {
		return nil, err
	}
	return new(emptypb.Empty), sub.acknowledge(request.AckIds)
}

// ModifyAckDeadline moves the deadline of leases; 0 returns their messages.
func (s subscriber) ModifyAckDeadline(_ context.Context, request *pubsubpb.ModifyAckDeadlineRequest) (*emptypb.Empty, error) {
	sub, err := s.subscription(request.Subscription)
	if err != nil {
		return nil, err
	}
	return new(emptypb.Empty), sub.modify(request.AckIds, request.AckDeadlineSeconds)
}

func (s subscriber) pullSubscription(name string) (*subscription, error) {
	sub, err := s.subscription(name)
	if err == nil && sub.config.Load().GetPushConfig().GetPushEndpoint() != "" {
		err = status.Errorf(codes.FailedPrecondition, "%s is a push subscription; nothing can be pulled from it", name)
	}
	return sub, err
}

func (s *subscription) acknowledge(ackIDs []string) error {
	for _, text := range ackIDs {
		id, _, err := parseAckID(text)
		if err != nil {
			return err
		}
		s.ack(id)
	}
	return nil
}

func (s *subscription) modify(ackIDs []string, deadlineSeconds int32) error {
	if d := seconds(deadlineSeconds); d < 0 || d > maxAckDeadline {
		return invalid("the acknowledgement deadline is %v; it must be 0 to %v", d, maxAckDeadline)
	}
	for _, text := range ackIDs {
		id, number, err := parseAckID(text)
		if err != nil {
			return err
		}
		if deadlineSeconds == 0 {
			s.fail(id, number, errNacked)
		} else {
			s.queue.extend(id, number, seconds(deadlineSeconds))
		}
	}
	return nil
}

// received writes attempts as pullers see them. The attempt's number shows only under a dead letter policy.
func received(config *pubsubpb.Subscription, batch []attempt) []*pubsubpb.ReceivedMessage {
	out := make([]*pubsubpb.ReceivedMessage, len(batch))
	for i, a := range batch {
		out[i] = &pubsubpb.ReceivedMessage{AckId: ackID(a), Message: a.msg.pb}
		if config.DeadLetterPolicy != nil {
			out[i].DeliveryAttempt = int32(a.number)
		}
	}
	return out
}

// An ack id is the message id and the number of the attempt, so that it names one lease, over restarts too.
func ackID(a attempt) string {
	return a.msg.pb.MessageId + "-" + strconv.Itoa(a.number)
}

func parseAckID(text string) (id uint64, number int, err error) {
	left, right, _ := strings.Cut(text, "-")
	id, err = strconv.ParseUint(left, 10, 64)
	if err == nil {
		number, err = strconv.Atoi(right)
	}
	if err != nil {
		return 0, 0, invalid("You have passed an invalid ack ID to the service (ack_id=%.60q).", text)
	}
	return id, number, nil
}
