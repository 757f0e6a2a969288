package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// A topic that is deleted and created again keeps its name, begins at offset
// 0, and gets another id. Fetches and commits know topics by name only, so
// that a session which reads on would take records of the new topic for those
// of the old one. Therefore nothing is published before the partition's own
// leader has told, after the records were read, that the topic is still the
// one; and a commit carries the topic's id.

// errReplaced is why a session ends when a topic is not the same any more, or
// cannot be read any more.
var errReplaced = errors.New("a topic is lost")

// confirm waits until the leaders of a topic's partitions have said, to
// questions asked after the call, that the topic still has the id under which
// its records are published. It returns false when the topic has another one
// or may not be read any more, which ends the session, or when the session or
// ctx ends first.
func (s *session) confirm(ctx context.Context, partitions ...*partition) bool {
	g := partitions[0].gatherer
	for failed := 0; ctx.Err() == nil && !g.replaced.Load(); failed++ {
		err := s.askLeaders(ctx, partitions)
		switch {
		case err == nil:
			return true
		case errors.Is(err, errReplaced):
			s.replaced(g.of.Topic, err)
			return false
		case ctx.Err() != nil || errors.Is(err, errEnded):
			return false
		}
		s.bridge.note(err)
		_ = s.control.RefreshMetadata(g.of.Topic)
		_ = s.bridge.config.retries().Wait(ctx, failed)
	}
	return false
}

// askLeaders returns nil when the leaders of all partitions, which are of one
// topic, confirm its id, errReplaced when there is another topic of that name,
// or none that may be read, and any other error when that is not known.
func (s *session) askLeaders(ctx context.Context, partitions []*partition) error {
	led := make(map[*sarama.Broker][]*partition)
	for _, p := range partitions {
		leader, err := s.control.Leader(p.of.Topic, p.number)
		if err != nil {
			return fmt.Errorf("finding the leader of %s/%d: %w", p.of.Topic, p.number, err)
		}
		led[leader] = append(led[leader], p)
	}
	var asking errgroup.Group
	for leader, of := range led {
		asking.Go(func() error { return s.askLeader(ctx, leader, of) })
	}
	return asking.Wait()
}

// askLeader asks one that leads all of the partitions.
func (s *session) askLeader(ctx context.Context, leader *sarama.Broker, partitions []*partition) error {
	one, _ := s.askers.LoadOrStore(leader.ID(), &asker{})
	identity, err := one.(*asker).ask(ctx, s, func() (kafka.Identity, error) {
		if err := kafka.Open(leader, s.control.Config()); err != nil {
			return kafka.Identity{}, fmt.Errorf("connecting to %s: %w", leader.Addr(), err)
		}
		return s.identify(leader)
	})
	if err != nil {
		return err
	}
	of := partitions[0].of
	topic := identity.Topics[of.Topic]
	if err := sameTopic(of.Topic, of.TopicID, topic); err != nil {
		return err
	}
	for _, p := range partitions {
		if topic.Leaders[p.number] != leader.ID() {
			return fmt.Errorf("finding the leader of %s/%d: it moved", of.Topic, p.number)
		}
	}
	return topic.Err
}

// sameTopic returns errReplaced when the topic is certainly not the one with
// the id, or the right to read it was taken away.
func sameTopic(name, id string, now kafka.Topic) error {
	switch {
	case errors.Is(now.Err, kafka.ErrNoTopic):
		return fmt.Errorf("%w: %s does not exist any more", errReplaced, name)
	case refused(now):
		return fmt.Errorf("%w: %w", errReplaced, now.Err)
	case now.ID != "" && now.ID != id:
		return fmt.Errorf("%w: %s was deleted and created again; it was %s and is %s", errReplaced, name, id, now.ID)
	}
	return nil
}

// replaced stops the partitions of a topic that is not the one it was: what
// is left of them is neither published nor committed. The session ends; the
// next one reads the new topic from its first record, or leaves the topic out.
func (s *session) replaced(topic string, why error) {
	for at, p := range s.partitions {
		if at.Topic == topic {
			p.replaced.Store(true)
			p.window.revoke()
		}
	}
	s.finish(why)
}

// finish ends the session, so that the next one begins at once; the others'
// partitions drain and are committed as at any rebalance.
func (s *session) finish(why error) {
	s.finishing.Do(func() {
		s.bridge.log.Warn("reading begins again", "group", s.bridge.config.GroupID, "reason", why.Error())
		s.end(why)
	})
}

// watchInterval is how often Kafka is asked for the topics' ids and how far
// the partitions reach. What a fetch tells of that is not enough: a partition
// that nobody reads would show no lag.
const watchInterval = 2 * time.Second

// watch notices topics that are not what they were, and keeps up to date how
// far the partitions reach.
func (s *session) watch(ctx context.Context) {
	every := min(watchInterval, s.bridge.config.StuckAfter/4)
	for pause.For(ctx, every) == nil {
		s.watchTopics(ctx)
		s.watchEnds()
		for at, p := range s.partitions {
			if ctx.Err() != nil {
				return
			}
			if p.idleWithLag(every) {
				s.lookForRecords(ctx, at, p)
			}
			if p.lag() == 0 {
				p.progress()
			}
		}
	}
}

// watchTopics ends the session when a topic is not the one it was, has more
// partitions than at the beginning, can be read at last, or no more. An answer
// that comes once ctx is done says nothing of the next session's topics.
func (s *session) watchTopics(ctx context.Context) {
	broker := s.control.LeastLoadedBroker()
	if broker == nil {
		return
	}
	identity, err := s.identify(broker)
	if err != nil || ctx.Err() != nil {
		return // the library reconnects; complaints come from reading
	}
	for name, now := range identity.Topics {
		before, read := s.identity.Topics[name]
		if !read {
			if now.Err == nil {
				s.finish(fmt.Errorf("topic %s can be read now", name))
			} else {
				s.bridge.leaveOut(name, now)
			}
		} else if err := sameTopic(name, before.ID, now); err != nil {
			s.replaced(name, err)
		} else if len(now.Leaders) > s.shared[name] {
			s.finish(fmt.Errorf("topic %s has %d partitions, it had %d", name, len(now.Leaders), s.shared[name]))
		}
	}
}

// sharedOut is how many partitions of each topic the group has shared out among
// its members, as far as this one knows. What the library knew by then may be
// less than what there is now; the leader of the group has to join again then,
// for Kafka gives any other that does so what it had.
func (s *session) sharedOut() map[string]int {
	counts := make(map[string]int, len(s.identity.Topics))
	for name, topic := range s.identity.Topics {
		counts[name] = len(topic.Leaders)
		if known, err := s.client.Partitions(name); err == nil {
			counts[name] = min(counts[name], len(known))
		}
	}
	return counts
}

// watchEnds asks for the ends of all partitions. What cannot be told stays as
// it was: the library reconnects, and complaints come from reading.
func (s *session) watchEnds() {
	times := make(map[kafka.Partition]int64, len(s.partitions))
	for at := range s.partitions {
		times[at] = sarama.OffsetNewest
	}
	// In this order: what the first has beyond the second was there before.
	ends, _ := kafka.Offsets(s.control, times, sarama.ReadUncommitted)
	stable, _ := kafka.Offsets(s.control, times, sarama.ReadCommitted)
	for at, p := range s.partitions {
		upTo, known := stable[at]
		if end, both := ends[at]; known && both {
			p.heard(end, upTo, time.Now())
		}
	}
}

// lookForRecords asks whether the offsets that wait hold any record. The
// markers of transactions, aborted records and compacted ones take offsets
// that a claim never gets: a partition that ends with them would look
// stuck for ever, and once they expire its position would look out of range.
func (s *session) lookForRecords(ctx context.Context, at kafka.Partition, p *partition) {
	from := max(p.window.published(), p.nothingBefore.Load())
	block, err := kafka.Fetch(s.control, at, from, s.control.Config().Consumer.Fetch.Default)
	if err != nil {
		return
	}
	if records, next := kafka.Readable(block, from); s.confirm(ctx, p) {
		if len(records) > 0 {
			next = records[0]
		}
		p.nothingBefore.Store(next)
		p.window.pass(from, next)
	}
}

// readable returns the topics that the session can read. Those that do not
// exist, or that the user may not read, are left out until they can be read,
// which health shows: they must not keep the others waiting. Where none can be
// read that is an error.
func (s *session) readable() ([]string, error) {
	identity, err := s.identifyAll()
	if err != nil {
		return nil, err
	}
	s.topics = nil
	for _, name := range s.bridge.config.Topics {
		if topic := identity.Topics[name]; topic.Err != nil {
			s.bridge.leaveOut(name, topic)
		} else {
			s.bridge.takeUp(name)
			s.topics = append(s.topics, name)
		}
	}
	if len(s.topics) == 0 {
		s.bridge.excuse()
		return nil, identity.Err()
	}
	return s.topics, nil
}

// identifyTopics asks about the session's topics, and returns an error too
// when something is wrong with one.
func (s *session) identifyTopics() (kafka.Identity, error) {
	identity, err := s.identifyAll()
	if err != nil {
		return kafka.Identity{}, err
	}
	maps.DeleteFunc(identity.Topics, func(name string, _ kafka.Topic) bool { return !slices.Contains(s.topics, name) })
	return identity, identity.Err()
}

// identifyAll asks any broker that answers about all topics.
func (s *session) identifyAll() (kafka.Identity, error) {
	// With this the library finds a broker that is alive. What it says of
	// the topics is in the answer below, in words of ours.
	err := s.control.RefreshMetadata(s.bridge.config.Topics...)
	broker := s.control.LeastLoadedBroker()
	if broker == nil {
		return kafka.Identity{}, fmt.Errorf("reading topic ids: %w", errors.Join(err, sarama.ErrOutOfBrokers))
	}
	return s.identify(broker)
}

// identify asks one broker about all topics; a connection that fails is
// opened again by the next question.
func (s *session) identify(broker *sarama.Broker) (kafka.Identity, error) {
	identity, err := kafka.Identify(broker, s.control.Config().Version, s.bridge.config.Topics)
	if err != nil {
		_ = broker.Close()
	}
	return identity, err
}
