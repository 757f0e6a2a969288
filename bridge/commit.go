package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// commitLoop commits what was published, again and again.
func (s *session) commitLoop(ctx context.Context) {
	for pause(ctx, s.bridge.config.CommitInterval) == nil {
		if err := s.commit(); err != nil {
			s.bridge.metrics.commitFailures.Inc()
			s.bridge.note(err)
		}
	}
}

// lastCommit tries for as long as publishing may go on.
func (s *session) lastCommit() {
	for failed := 0; ; failed++ {
		err := s.commit()
		if err == nil {
			return
		}
		s.bridge.metrics.commitFailures.Inc()
		s.bridge.note(err)
		if fenced(err) || failed == 3 || pause(s.work, backoff(failed, 500*time.Millisecond)) != nil {
			return
		}
	}
}

// fenced reports whether the group no longer takes commits of this session.
func fenced(err error) bool {
	return lost(err) || errors.Is(err, sarama.ErrRebalanceInProgress)
}

// commit commits the position of every partition that moved. It sends the
// request itself, for the library's Commit tells neither whether it succeeded
// nor what it has committed. Kafka refuses it once the group has a newer
// generation, so that a partition given to another member is never moved
// from here. It is called by one goroutine at a time.
func (s *session) commit() error {
	request := sarama.NewOffsetCommitRequest(s.client.Config(), s.bridge.config.GroupID)
	request.ConsumerID, request.ConsumerGroupGeneration = s.memberID, s.generation
	asked := make(map[*partition]int64)
	for at, p := range s.partitions {
		position, ok := p.window.committable()
		if !ok || position == p.committed.Load() {
			continue
		}
		asked[p] = position
		request.AddBlockWithLeaderEpoch(at.topic, at.partition, position, -1, 0, "")
	}
	if len(asked) == 0 {
		return nil
	}
	err := s.coordinator(func(broker *sarama.Broker) error {
		response, err := broker.CommitOffset(request)
		if err != nil {
			return err
		}
		return s.committed(asked, response)
	})
	if err != nil {
		return fmt.Errorf("committing offsets of group %s: %w", s.bridge.config.GroupID, err)
	}
	return nil
}

// committed takes over what the coordinator accepted, and returns what it
// refused.
func (s *session) committed(asked map[*partition]int64, response *sarama.OffsetCommitResponse) error {
	var faults []error
	for p, position := range asked {
		answer, ok := response.Errors[p.of.Topic][p.of.Partition]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("%s/%d: %w", p.of.Topic, p.of.Partition, sarama.ErrIncompleteResponse))
		case answer != sarama.ErrNoError:
			faults = append(faults, fmt.Errorf("%s/%d: %w", p.of.Topic, p.of.Partition, answer))
		default:
			p.committed.Store(position)
		}
	}
	return errors.Join(faults...)
}
