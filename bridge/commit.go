package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/internal/retry"
)

// commitLoop commits what was published, again and again.
func (s *session) commitLoop(ctx context.Context) {
	for pause.For(ctx, s.bridge.config.CommitInterval) == nil {
		if err := s.commit(); err != nil {
			s.bridge.metrics.commitFailed()
			s.bridge.note(err)
		}
	}
}

// lastCommitRetries is the pauses of the last commit: there is little time.
var lastCommitRetries = retry.Backoff{Min: 100 * time.Millisecond, Max: 500 * time.Millisecond}

// lastCommit tries for as long as publishing may go on.
func (s *session) lastCommit() {
	for failed := 0; ; failed++ {
		err := s.commit()
		if err == nil {
			return
		}
		s.bridge.metrics.commitFailed()
		s.bridge.note(err)
		if fenced(err) || failed == 3 || lastCommitRetries.Wait(s.work, failed) != nil {
			return
		}
	}
}

// fenced reports whether the group no longer takes commits of this session.
func fenced(err error) bool {
	return lost(err) || errors.Is(err, sarama.ErrRebalanceInProgress)
}

// commit commits the position of every partition that moved. It sends the
// request itself, because the library's Commit tells neither whether it
// succeeded nor what it has committed. Kafka refuses it once the group has a
// newer generation, so that a partition given to another member is never
// moved from here. With each offset goes the topic's id, because Kafka keeps
// offsets by the topic's name. It is called by one goroutine at a time.
func (s *session) commit() error {
	request := s.commitRequest()
	asked := make(map[kafka.Partition]int64)
	for at, p := range s.partitions {
		position, ok := p.window.committable()
		moved := position != p.committed.Load()
		if !ok || !moved && (p.labelled || p.stopped.Load() != nil) {
			continue
		}
		asked[at] = position
		request.AddBlockWithLeaderEpoch(at.Topic, at.Number, position, -1, 0, p.of.TopicID)
	}
	if len(asked) == 0 {
		return nil
	}
	return s.sendCommit(request, func(response *sarama.OffsetCommitResponse) error {
		return s.committed(asked, response)
	})
}

func (s *session) commitRequest() *sarama.OffsetCommitRequest {
	request := sarama.NewOffsetCommitRequest(s.control.Config(), s.bridge.config.GroupID)
	request.ConsumerID, request.ConsumerGroupGeneration = s.memberID, s.generation
	return request
}

func (s *session) sendCommit(request *sarama.OffsetCommitRequest,
	check func(*sarama.OffsetCommitResponse) error) error {
	group := s.bridge.config.GroupID
	doing := "commit in group " + group + " (KAFKA_GROUP_ID)"
	err := kafka.AtCoordinator(s.control, group, func(broker *sarama.Broker) error {
		response, err := broker.CommitOffset(request)
		if err != nil {
			return err
		}
		if topics := unreadable(response); len(topics) > 0 {
			doing = "read topic " + strings.Join(topics, ", ")
		}
		return check(response)
	})
	if err != nil {
		return kafka.Explain(fmt.Errorf("committing offsets of group %s: %w", group, err), doing)
	}
	return nil
}

// unreadable returns the topics for which commits are refused because the
// user may not read them.
func unreadable(response *sarama.OffsetCommitResponse) (topics []string) {
	for _, topic := range slices.Sorted(maps.Keys(response.Errors)) {
		if slices.Contains(slices.Collect(maps.Values(response.Errors[topic])), sarama.ErrTopicAuthorizationFailed) {
			topics = append(topics, topic)
		}
	}
	return topics
}

// committed takes over what the coordinator accepted, and returns what it
// refused.
func (s *session) committed(asked map[kafka.Partition]int64, response *sarama.OffsetCommitResponse) error {
	var faults []error
	for at, position := range asked {
		if err := commitError(response, at); err != nil {
			faults = append(faults, err)
			continue
		}
		p := s.partitions[at]
		p.committed.Store(position)
		p.labelled = true
	}
	return errors.Join(faults...)
}

// commitError is what the coordinator says about one partition.
func commitError(response *sarama.OffsetCommitResponse, at kafka.Partition) error {
	answer, ok := response.Errors[at.Topic][at.Number]
	switch {
	case !ok:
		return fmt.Errorf("%s/%d: %w", at.Topic, at.Number, sarama.ErrIncompleteResponse)
	case answer != sarama.ErrNoError:
		return fmt.Errorf("%s/%d: %w", at.Topic, at.Number, answer)
	}
	return nil
}
