package pubsub

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// deletedTopic is the topic of a subscription whose topic was deleted, as the service names it.
const deletedTopic = "_deleted-topic_"

// topic fans out to its subscriptions. Guarded by broker.mu.
type topic struct {
	config        *pubsubpb.Topic // replaced, never changed in place
	subscriptions map[string]*subscription
}

// broker holds topics and subscriptions and owns every goroutine behind them. Locks are taken in the order broker.mu,
// queue.mu or store.mu; the last two never together.
type broker struct {
	log             *slog.Logger
	store           *store
	pusher          *pusher
	pushConcurrency int

	taking       context.Context // ends when no more messages may be handed out
	stopTaking   context.CancelFunc
	pushing      context.Context // ends when pushes in flight are given up
	cancelPushes context.CancelFunc
	goroutines   sync.WaitGroup
	billed       atomic.Int64 // bytes; see bill

	mu            sync.RWMutex // held for reading through a whole publish
	topics        map[string]*topic
	subscriptions map[string]*subscription
}

func newBroker(cfg Config, messages *store, p *pusher) *broker {
	b := &broker{
		log:             cfg.Log,
		store:           messages,
		pusher:          p,
		pushConcurrency: cfg.PushConcurrency,
		topics:          map[string]*topic{},
		subscriptions:   map[string]*subscription{},
	}
	b.taking, b.stopTaking = context.WithCancel(context.Background())
	b.pushing, b.cancelPushes = context.WithCancel(context.Background())
	return b
}

// wait returns when every goroutine has ended; stopTaking comes before.
func (b *broker) wait() {
	b.goroutines.Wait()
	b.cancelPushes()
	b.pusher.client.CloseIdleConnections()
}

// publish keeps messages for the subscriptions that a topic has now and returns their ids. Once it returns nil they
// are in the journal. Without subscriptions they are dropped.
func (b *broker) publish(topicName string, pbs []*pubsubpb.PubsubMessage) ([]string, error) {
	return b.fanOut(topicName, pbs, false)
}

func (b *broker) fanOut(topicName string, pbs []*pubsubpb.PubsubMessage, overdraft bool) ([]string, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	t := b.topics[topicName]
	if t == nil {
		return nil, notFound(topicName)
	}
	ids, msgs := make([]string, len(pbs)), make([]*message, 0, len(pbs))
	takes := map[*subscription][]*message{}
	id, now := b.store.nextIDs(len(pbs)), timestamppb.New(time.Now().Truncate(time.Millisecond))
	b.bill(pbs...)
	for i, pb := range pbs {
		pb.MessageId, pb.PublishTime = strconv.FormatUint(id, 10), now
		ids[i] = pb.MessageId
		if takers := t.takers(pb); len(takers) > 0 {
			m := newMessage(id, pb, namesOf(takers))
			msgs = append(msgs, m)
			for _, s := range takers {
				takes[s] = append(takes[s], m)
			}
		}
		id++
	}
	if len(msgs) == 0 {
		return ids, nil
	}
	if err := b.store.add(msgs, overdraft); errors.Is(err, errFull) {
		return nil, status.Errorf(codes.ResourceExhausted, "publishing to %s: %v", topicName, err)
	} else if err != nil {
		return nil, status.Errorf(codes.Unavailable, "publishing to %s: %v", topicName, err)
	}
	for s, messages := range takes {
		s.queue.add(messages)
	}
	return ids, nil
}

// takers are the subscriptions whose filter lets the message through. What a
// filter keeps away is not metered, although the service bills its delivery: the
// meter is about a deployment with nothing set, which has no such subscription.
func (t *topic) takers(pb *pubsubpb.PubsubMessage) []*subscription {
	takers := make([]*subscription, 0, len(t.subscriptions))
	for _, s := range t.subscriptions {
		if s.filter == nil || s.filter(pb.Attributes) {
			takers = append(takers, s)
		}
	}
	return takers
}

func namesOf(subscriptions []*subscription) []string {
	names := make([]string, len(subscriptions))
	for i, s := range subscriptions {
		names[i] = s.name
	}
	return names
}

// subscription returns the one with that name, or NotFound.
func (b *broker) subscription(name string) (*subscription, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.subscriptions[name]
	if s == nil {
		return nil, notFound(name)
	}
	return s, nil
}

// create adds a subscription, with what an earlier run kept for it, and starts its goroutines.
func (b *broker) create(config *pubsubpb.Subscription) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subscriptions[config.Name] != nil {
		return alreadyExists(config.Name)
	}
	t := b.topics[config.Topic]
	if t == nil {
		return notFound(config.Topic)
	}
	if err := b.checkDeadLetterTopic(config); err != nil {
		return err
	}
	s := newSubscription(b, config)
	b.subscriptions[s.name], t.subscriptions[s.name] = s, s
	s.queue.add(b.store.adopt(s.name))
	return nil
}

// update replaces a subscription's configuration by what change makes of it.
func (b *broker) update(name string, change func(*pubsubpb.Subscription) (*pubsubpb.Subscription, error)) (*pubsubpb.Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.subscriptions[name]
	if s == nil {
		return nil, notFound(name)
	}
	config, err := change(s.config.Load())
	if err == nil {
		err = b.checkDeadLetterTopic(config)
	}
	if err != nil {
		return nil, err
	}
	s.configure(config)
	return config, nil
}

// checkDeadLetterTopic needs mu held.
func (b *broker) checkDeadLetterTopic(config *pubsubpb.Subscription) error {
	if name := config.GetDeadLetterPolicy().GetDeadLetterTopic(); name != "" && b.topics[name] == nil {
		return notFound(name)
	}
	return nil
}

// drop deletes a subscription and what it has not acknowledged.
func (b *broker) drop(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.subscriptions[name]
	if s == nil {
		return notFound(name)
	}
	delete(b.subscriptions, name)
	if t := b.topics[s.config.Load().Topic]; t != nil {
		delete(t.subscriptions, name)
	}
	s.stop()
	for _, m := range s.queue.clear() {
		b.store.done(m, name)
	}
	return nil
}

// dropTopic deletes a topic; its subscriptions keep what they have.
func (b *broker) dropTopic(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[name]
	if t == nil {
		return notFound(name)
	}
	delete(b.topics, name)
	for _, s := range t.subscriptions {
		s.orphan()
	}
	return nil
}

func notFound(name string) error {
	return status.Errorf(codes.NotFound, "Resource not found (resource=%s).", name)
}

func alreadyExists(name string) error {
	return status.Errorf(codes.AlreadyExists, "Resource already exists in the project (resource=%s).", name)
}
