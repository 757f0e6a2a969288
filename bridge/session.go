package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/kafka"
)

// A session is one generation of the group: the partitions that this member
// holds from Setup to Cleanup. It implements sarama.ConsumerGroupHandler.
type session struct {
	bridge     *Bridge
	control    sarama.Client                  // for all but fetching, so that nothing waits behind a fetch
	topics     []string                       // those of the configuration that can be read
	identity   kafka.Identity                 // of these topics
	partitions map[kafka.Partition]*partition // written by Setup only

	memberID   string
	generation int32

	// work is the context of all publishing. It outlives the session's own
	// by the time there is to drain, or not at all where the group has
	// already given the partitions to others.
	work    context.Context
	abandon context.CancelFunc

	end       context.CancelCauseFunc // ends the session's own context
	finishing sync.Once

	askers sync.Map // of *asker, by the broker's id

	background     sync.WaitGroup
	stopBackground context.CancelFunc
	mu             sync.Mutex
	ended          bool // nothing more begins in the background
}

func newSession(b *Bridge, control sarama.Client, end context.CancelCauseFunc) *session {
	return &session{bridge: b, control: control, end: end}
}

// Setup finds out what the partitions are called and where each begins.
func (s *session) Setup(group sarama.ConsumerGroupSession) error {
	b := s.bridge
	s.memberID, s.generation = group.MemberID(), group.GenerationID()
	var err error
	if s.identity, err = s.identifyTopics(); err != nil {
		return err
	}
	positions, err := s.starts(group.Context(), group.Claims())
	if err != nil {
		return err
	}
	s.work, s.abandon = context.WithCancel(context.WithoutCancel(group.Context()))
	s.partitions = make(map[kafka.Partition]*partition, len(positions))
	batchBytes := b.config.batchBytes(len(positions))
	for at, from := range positions {
		of := batch.Batch{ClusterID: s.identity.ClusterID, Topic: at.Topic, TopicID: s.identity.Topics[at.Topic].ID,
			Lane: batch.BothLanes}
		p := newPartition(b, of, at.Number, from, batchBytes)
		p.confirm = func(ctx context.Context) bool { return s.confirm(ctx, p) }
		s.partitions[at] = p
		// Where the library begins, forward or back of what it believes. It
		// is told in memory only: the library never commits, see commit.
		group.MarkOffset(at.Topic, at.Number, from.offset, "")
		group.ResetOffset(at.Topic, at.Number, from.offset, "")
	}
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
	s.inBackground(func() { s.commitLoop(ctx) })
	s.inBackground(func() { s.watch(ctx) })
	b.attach(s)
	b.log.Info("reading", "partitions", len(s.partitions), "group", b.config.GroupID, "generation", s.generation,
		"batch_bytes", batchBytes)
	return nil
}

// lost reports whether the session ended because the group has already gone
// on without this member: then the partitions are others', and publishing or
// committing more of them would only repeat their work.
func lost(cause error) bool {
	return errors.Is(cause, sarama.ErrUnknownMemberId) || errors.Is(cause, sarama.ErrIllegalGeneration) ||
		errors.Is(cause, sarama.ErrFencedInstancedId)
}

// ConsumeClaim carries one partition until the session ends.
func (s *session) ConsumeClaim(group sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	p := s.partitions[kafka.Partition{Topic: claim.Topic(), Number: claim.Partition()}]
	batcher := newBatcher(p, s.work)
	done := group.Context().Done()
	batcher.run(done, claim.Messages())
	batcher.drain()
	if group.Context().Err() == nil {
		// The library stops reading a partition for good in one case only.
		s.outOfRange(claim.Topic(), claim.Partition())
	}
	// Returning ends the session of every other partition too.
	<-done
	return nil
}

// Cleanup commits for the last time, when every claim has drained and before
// the partitions are given away.
func (s *session) Cleanup(group sarama.ConsumerGroupSession) error {
	if s.stopBackground == nil {
		return nil // Setup failed
	}
	s.stopBackground()
	s.endBackground()
	if !lost(context.Cause(group.Context())) {
		s.lastCommit()
	}
	s.revoke()
	s.bridge.detach()
	return nil
}

// inBackground runs f in a goroutine of its own, for which the session waits
// before it ends. It returns false when the session does not wait any more:
// what the library reports can come later than that.
func (s *session) inBackground(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.background.Go(f)
	}
	return !s.ended
}

// endBackground waits for what is under way.
func (s *session) endBackground() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.background.Wait()
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
func (s *session) outOfRange(topic string, partition int32) {
	p := s.partitions[kafka.Partition{Topic: topic, Number: partition}]
	if p == nil || s.work.Err() != nil || !s.confirm(s.work, p) {
		return
	}
	position, _ := p.window.committable()
	p.stop(s.describeRange(topic, partition, position))
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
