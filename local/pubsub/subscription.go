package pubsub

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
)

// The delays of a push subscription without a retry policy: the service redelivers at once there, but slows a failing
// endpoint down within these bounds (https://cloud.google.com/pubsub/docs/push). Here they apply to each
// message by itself. A pull subscription without a retry policy has no delay.
const (
	minPushBackoff = 100 * time.Millisecond
	maxPushBackoff = 60 * time.Second
)

// subscription delivers a queue as its configuration says.
type subscription struct {
	name   string
	broker *broker
	queue  *queue
	filter filter                                // nil for all messages
	config atomic.Pointer[pubsubpb.Subscription] // replaced under broker.mu, never changed in place

	running  context.Context
	stop     context.CancelFunc
	stopPush context.CancelFunc     // nil: not a push subscription; guarded by broker.mu
	failure  atomic.Pointer[string] // why the last push failed; nil when it did not
}

func newSubscription(b *broker, config *pubsubpb.Subscription) *subscription {
	s := &subscription{name: config.Name, broker: b, queue: newQueue(policy{})}
	s.filter, _ = parseFilter(config.Filter) // checked before it was accepted
	s.running, s.stop = context.WithCancel(b.taking)
	s.configure(config)
	b.goroutines.Go(s.watch)
	return s
}

// configure puts a configuration into effect. Pushes in flight end as they began.
func (s *subscription) configure(config *pubsubpb.Subscription) {
	s.config.Store(config)
	s.queue.setPolicy(policyOf(config))
	wasPush, isPush := s.stopPush != nil, config.GetPushConfig().GetPushEndpoint() != ""
	switch {
	case isPush && !wasPush:
		var pushing context.Context
		pushing, s.stopPush = context.WithCancel(s.running)
		for range s.broker.pushConcurrency {
			s.broker.goroutines.Go(func() { s.push(pushing) })
		}
	case wasPush && !isPush:
		s.stopPush()
		s.stopPush = nil
	}
}

// orphan records that the topic is gone.
func (s *subscription) orphan() {
	config := proto.Clone(s.config.Load()).(*pubsubpb.Subscription)
	config.Topic = deletedTopic
	s.config.Store(config)
}

func policyOf(config *pubsubpb.Subscription) policy {
	p := policy{maxAttempts: int(config.GetDeadLetterPolicy().GetMaxDeliveryAttempts())}
	if retry := config.GetRetryPolicy(); retry != nil {
		p.minBackoff, p.maxBackoff = retry.MinimumBackoff.AsDuration(), retry.MaximumBackoff.AsDuration()
	} else if config.GetPushConfig().GetPushEndpoint() != "" {
		p.minBackoff, p.maxBackoff = minPushBackoff, maxPushBackoff
	}
	return p
}

// watch ends leases and delays when they are due.
func (s *subscription) watch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.running.Done():
			return
		case <-timer.C:
		case <-s.queue.alarm:
		}
		last, wait := s.queue.expire()
		for _, a := range last {
			s.deadLetter(a, context.DeadlineExceeded)
		}
		timer.Reset(wait)
	}
}

// push delivers one message after the other until ctx ends.
func (s *subscription) push(ctx context.Context) {
	for {
		batch, err := s.queue.take(ctx, nil, 1, 0)
		if err != nil {
			return
		}
		a := batch[0]
		s.broker.bill(a.msg.pb)
		err = s.broker.pusher.deliver(s.broker.pushing, s.config.Load(), a)
		if err != nil && s.broker.pushing.Err() != nil {
			return // given up by Close, not by the endpoint: the message is kept as it is
		}
		s.report(err)
		if err == nil {
			s.ack(a.msg.id)
		} else {
			s.fail(a.msg.id, a.number, err)
		}
	}
}

// report logs the change between working and failing pushes.
func (s *subscription) report(err error) {
	if err != nil && s.failure.Swap(new(err.Error())) == nil {
		s.broker.log.Warn("push fails; it is tried again", "subscription", s.name, "error", err)
	}
	if err == nil && s.failure.Load() != nil && s.failure.Swap(nil) != nil {
		s.broker.log.Info("push works again", "subscription", s.name)
	}
}

// ack ends a message's delivery.
func (s *subscription) ack(id uint64) {
	if m := s.queue.ack(id); m != nil {
		s.broker.store.done(m, s.name)
	}
}

// fail ends an attempt that cause made fail.
func (s *subscription) fail(id uint64, number int, cause error) {
	if a, last := s.queue.fail(id, number, cause.Error()); last {
		s.deadLetter(a, cause)
	}
}

// deadLetter forwards a held message whose attempts are used up. Only when its copy is kept is the message given up;
// the end of the process in between leaves both. When it cannot be forwarded, it is delivered once more.
func (s *subscription) deadLetter(a attempt, cause error) {
	config := s.config.Load()
	target := config.GetDeadLetterPolicy().GetDeadLetterTopic()
	_, err := s.broker.fanOut(target, []*pubsubpb.PubsubMessage{deadLetterOf(config, a)}, true)
	if err != nil {
		s.broker.log.Error("message could not be dead-lettered; it is delivered again", "subscription", s.name,
			"message", a.msg.id, "error", err)
		s.queue.retry(a.msg.id)
		return
	}
	s.broker.log.Warn("message dead-lettered", "subscription", s.name, "message", a.msg.id, "attempts", a.number,
		"topic", target, "error", cause)
	if m := s.queue.buried(a.msg.id); m != nil {
		s.broker.store.done(m, s.name)
	}
}

// deadLetterOf copies a message with the attributes that the service adds to it
// (https://cloud.google.com/pubsub/docs/dead-letter-topics).
func deadLetterOf(config *pubsubpb.Subscription, a attempt) *pubsubpb.PubsubMessage {
	parts := strings.Split(config.Name, "/")
	attributes := map[string]string{}
	maps.Copy(attributes, a.msg.pb.Attributes)
	attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = strconv.Itoa(a.number)
	attributes["CloudPubSubDeadLetterSourceSubscription"] = parts[3]
	attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] = parts[1]
	attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] =
		a.msg.pb.PublishTime.AsTime().Format("2006-01-02T15:04:05.000-07:00")
	return &pubsubpb.PubsubMessage{Data: a.msg.pb.Data, Attributes: attributes, OrderingKey: a.msg.pb.OrderingKey}
}
