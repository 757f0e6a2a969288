package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/kafka"
)

type topicPartition struct {
	topic     string
	partition int32
}

// A session is one generation of the group: the partitions that this member
// holds from Setup to Cleanup. It implements sarama.ConsumerGroupHandler.
type session struct {
	bridge     *Bridge
	client     sarama.Client
	partitions map[topicPartition]*partition // written by Setup only

	memberID   string
	generation int32

	// work is the context of all publishing. It outlives the session's own
	// by the time there is to drain, or not at all where the group has
	// already given the partitions to others.
	work    context.Context
	abandon context.CancelFunc

	background     sync.WaitGroup
	stopBackground context.CancelFunc
}

func newSession(b *Bridge, client sarama.Client) *session {
	return &session{bridge: b, client: client}
}

// Setup finds out what the partitions are called and where each begins.
func (s *session) Setup(group sarama.ConsumerGroupSession) error {
	b := s.bridge
	s.memberID, s.generation = group.MemberID(), group.GenerationID()
	identity, err := kafka.Identify(s.client, b.config.Topics)
	if err != nil {
		return err
	}
	positions, err := s.starts(group.Claims())
	if err != nil {
		return err
	}
	s.partitions = make(map[topicPartition]*partition, len(positions))
	batchBytes := b.config.batchBytes(len(positions))
	for at, from := range positions {
		of := batch.Batch{ClusterID: identity.ClusterID, Topic: at.topic, TopicID: identity.TopicIDs[at.topic], Partition: at.partition}
		s.partitions[at] = newPartition(b, of, from, batchBytes)
		// Where the library begins. It is told in memory only: the library
		// never commits, see commit.
		group.MarkOffset(at.topic, at.partition, from.offset, "")
	}
	s.work, s.abandon = context.WithCancel(context.WithoutCancel(group.Context()))
	context.AfterFunc(group.Context(), func() {
		if lost(context.Cause(group.Context())) {
			s.close()
			return
		}
		// A quarter remains to commit and to leave.
		time.AfterFunc(b.config.DrainTimeout*3/4, s.abandon)
	})
	// A start that was just chosen becomes the group's before anything is
	// read: otherwise a crash now would choose another, and skip what came
	// in between.
	if err := s.commit(); err != nil {
		s.abandon()
		return err
	}
	var ctx context.Context
	ctx, s.stopBackground = context.WithCancel(group.Context())
	s.background.Go(func() { s.commitLoop(ctx) })
	s.background.Go(func() { s.watchEnds(ctx) })
	b.attach(s)
	b.log.Info("reading", "partitions", len(s.partitions), "group", b.config.GroupID, "generation", s.generation)
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
	p := s.partitions[topicPartition{claim.Topic(), claim.Partition()}]
	cutter := newCutter(p, s.work)
	done := group.Context().Done()
	cutter.run(done, claim.Messages())
	cutter.drain()
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
	s.background.Wait()
	if !lost(context.Cause(group.Context())) {
		s.lastCommit()
	}
	s.close()
	s.bridge.detach()
	return nil
}

// close ends all publishing and committing: the partitions are others' now.
func (s *session) close() {
	for _, p := range s.partitions {
		p.window.close()
	}
	s.abandon()
}

// outOfRange stops a partition whose next offset Kafka does not have.
func (s *session) outOfRange(topic string, partition int32) {
	p := s.partitions[topicPartition{topic, partition}]
	if p == nil {
		return
	}
	position, _ := p.window.committable()
	p.stop(s.describeRange(topic, partition, position))
}

// describeRange says what is wrong with an offset, and what a person can do.
func (s *session) describeRange(topic string, partition int32, offset int64) string {
	oldest, _ := s.client.GetOffset(topic, partition, sarama.OffsetOldest)
	newest, _ := s.client.GetOffset(topic, partition, sarama.OffsetNewest)
	return fmt.Sprintf("offset %d of %s/%d is out of range: Kafka holds %d to %d. Records may have expired before they were read, "+
		"or the topic was made again. Decide where to go on, stop the bridge, and move the group there, for example with "+
		"kafka-consumer-groups --group %s --topic %s:%d --reset-offsets --to-earliest --execute",
		offset, topic, partition, oldest, newest, s.bridge.config.GroupID, topic, partition)
}
