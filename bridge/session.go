package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
)

// A session is one generation of the group: the partitions that this member
// holds from Setup to Cleanup. It implements sarama.ConsumerGroupHandler.
type session struct {
	bridge     *Bridge
	client     sarama.Client                  // for fetching
	control    sarama.Client                  // for all else, so that nothing waits behind a fetch
	topics     []string                       // those of the configuration that can be read
	identity   kafka.Identity                 // of these topics
	shared     map[string]int                 // how many partitions of each the group has shared out
	partitions map[kafka.Partition]*partition // written by Setup only
	gatherers  []*gatherer                    // likewise
	memory     *memory                        // of all batches

	memberID   string
	generation int32

	// work is the context of all publishing. It outlives the session's own
	// by the time there is to drain, or not at all where the group has
	// already given the partitions to others.
	work    context.Context
	abandon context.CancelFunc

	end       context.CancelCauseFunc // ends the session's own context
	finishing sync.Once

	askers sync.Map       // of *asker, by the broker's id
	claims sync.WaitGroup // and what else has to end before the last commit

	background     sync.WaitGroup // questions, which a broker may leave unanswered
	stopBackground context.CancelFunc
	mu             sync.Mutex
	ended          bool // nothing more begins in the background
}

func newSession(b *Bridge, client, control sarama.Client, end context.CancelCauseFunc) *session {
	return &session{bridge: b, client: client, control: control, end: end}
}

// Setup finds out what the partitions are called and where each begins, and
// begins to read them.
func (s *session) Setup(group sarama.ConsumerGroupSession) error {
	b := s.bridge
	s.memberID, s.generation = group.MemberID(), group.GenerationID()
	var err error
	if s.identity, err = s.identifyTopics(); err != nil {
		return err
	}
	s.shared = s.sharedOut()
	positions, err := s.starts(group.Context(), group.Claims())
	if err != nil {
		return err
	}
	s.work, s.abandon = context.WithCancel(context.WithoutCancel(group.Context()))
	s.divide(positions)
	context.AfterFunc(group.Context(), func() {
		if lost(context.Cause(group.Context())) {
			s.revoke()
			return
		}
		// A quarter remains to commit and to leave.
		time.AfterFunc(b.config.DrainTimeout*3/4, s.abandon)
	})
	var ctx context.Context
	ctx, s.stopBackground = context.WithCancel(group.Context())
	s.claims.Go(func() { s.commitLoop(ctx) })
	s.inBackground(func() { s.watch(ctx) })
	if s.partitions[kafka.Partition{Topic: event.CanaryTopic}] != nil {
		s.claims.Go(func() { s.sendCanaries(ctx) })
	}
	b.attach(s)
	r := newReading(group.Context(), b, s.client, len(s.partitions))
	for at, p := range s.partitions {
		if p.stopped.Load() == nil {
			s.claims.Go(func() { s.carry(p, r.source(at, positions[at].offset)) })
		}
	}
	b.log.Info("reading", "partitions", len(s.partitions), "group", b.config.GroupID, "generation", s.generation,
		"batch_bytes", b.config.BatchBytes, "partition_bytes", s.memory.share)
	return nil
}

// mostTogether is the partitions that share batches: so many ranges of
// offsets fit the attribute that holds them (batch.MaxRangesBytes), and a batch
// is not cut earlier for that.
const mostTogether = 32

// divide makes the partitions, and a gatherer for those of each topic, or more
// of them where a topic has many.
func (s *session) divide(positions map[kafka.Partition]position) {
	b := s.bridge
	s.memory = b.config.memory(len(positions))
	s.partitions = make(map[kafka.Partition]*partition, len(positions))
	s.gatherers = nil
	numbers := make(map[string][]int32)
	for at := range positions {
		numbers[at.Topic] = append(numbers[at.Topic], at.Number)
	}
	for topic, all := range numbers {
		slices.Sort(all)
		for together := range slices.Chunk(all, mostTogether) {
			of := batch.Batch{ClusterID: s.identity.ClusterID, Topic: topic, TopicID: s.identity.Topics[topic].ID}
			g := newGatherer(b, of, s.work, s.memory)
			g.confirm, g.relieve = s.confirm, s.relieve
			s.gatherers = append(s.gatherers, g)
			for _, number := range together {
				at := kafka.Partition{Topic: topic, Number: number}
				s.partitions[at] = newPartition(g, number, positions[at])
			}
		}
	}
}

// relieve has all that is kept for the lake lane leave: the memory is short.
func (s *session) relieve() {
	for _, g := range s.gatherers {
		g.giveUp()
	}
}

// lost reports whether the session ended because the group has already gone
// on without this member: then the partitions are others', and publishing or
// committing more of them would only repeat their work.
func lost(cause error) bool {
	return errors.Is(cause, sarama.ErrUnknownMemberId) || errors.Is(cause, sarama.ErrIllegalGeneration) ||
		errors.Is(cause, sarama.ErrFencedInstancedId)
}

// carry carries one partition until the session ends, or it cannot go on.
func (s *session) carry(p *partition, from *source) {
	c := claim{partition: p}
	err := c.run(from)
	p.gatherer.finish(p)
	if errors.Is(err, sarama.ErrOffsetOutOfRange) {
		s.outOfRange(p)
	}
}

// ConsumeClaim is never called: the library takes every partition for one that
// cannot be read, see membership.
func (s *session) ConsumeClaim(group sarama.ConsumerGroupSession, _ sarama.ConsumerGroupClaim) error {
	<-group.Context().Done()
	return nil
}

// Cleanup waits until every claim has drained, and commits for the last time,
// before the partitions are given away. What it has asked a broker that does not
// answer it does not wait for: the group would go on without this member.
func (s *session) Cleanup(group sarama.ConsumerGroupSession) error {
	if s.stopBackground == nil {
		return nil // Setup failed
	}
	s.claims.Wait()
	s.stopBackground()
	s.endBackground()
	if !lost(context.Cause(group.Context())) {
		s.lastCommit()
	}
	s.revoke()
	s.bridge.detach()
	return nil
}

// inBackground runs f in a goroutine of its own, for which the member waits
// before it ends. It returns false when the session has ended.
func (s *session) inBackground(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.background.Go(f)
	}
	return !s.ended
}

// endBackground lets nothing more begin.
func (s *session) endBackground() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// revoke ends all publishing and committing: other members have the
// partitions now.
func (s *session) revoke() {
	for _, p := range s.partitions {
		p.window.revoke()
	}
	s.abandon()
}

// outOfRange stops a partition whose next offset Kafka does not have, unless
// the topic is another one by now: then the session ends, and the next begins.
func (s *session) outOfRange(p *partition) {
	if s.work.Err() == nil && s.confirm(s.work, p) {
		p.stop(s.describeRange(p.of.Topic, p.number, p.window.published()))
	}
}

// describeRange says what is wrong with an offset, and what a person can do.
func (s *session) describeRange(topic string, partition int32, offset int64) string {
	oldest, _ := s.control.GetOffset(topic, partition, sarama.OffsetOldest)
	newest, _ := s.control.GetOffset(topic, partition, sarama.OffsetNewest)
	return fmt.Sprintf("offset %d of %s/%d is out of range: Kafka holds %d to %d. Records may have expired or been "+
		"deleted before they were read, or the brokers lost some. Decide where to go on, stop the bridge, and move the "+
		"group there, for example with kafka-consumer-groups --group %s --topic %s:%d --reset-offsets --to-earliest --execute --bootstrap-server %s",
		offset, topic, partition, oldest, newest, s.bridge.config.GroupID, topic, partition,
		strings.Join(s.bridge.config.Kafka.Brokers, ","))
}
