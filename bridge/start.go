package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// startPatience is how long a member waits for the one that chooses the
// starts; then it joins again.
const startPatience = 10 * time.Second

// A position is where a partition begins in this session.
type position struct {
	offset   int64
	end      int64  // the end of the partition
	labelled bool   // the commit names the topic's id
	broken   string // why it cannot begin there; "" if it can
}

// A commitment is what the group has committed for a partition.
type commitment struct {
	offset  int64  // -1 for nothing
	topicID string // of the topic that it was committed for; "" when a tool did it, or an older bridge
}

// holds reports whether the group goes on there: the commit is of the topic
// that has the id now, or of someone who knew what they did.
func (c commitment) holds(topicID string) bool {
	return c.offset >= 0 && (c.topicID == topicID || c.topicID == "")
}

// starts returns where each claimed partition begins: at the group's
// committed offset, whatever has become of it. Where there is none for the
// topic as it is now, the member that holds the first partition of the first
// topic that can be read chooses one for every partition of every topic, and commits it; the
// others wait until they read it. So each start is chosen once, by one
// member, however many join and in whatever order, and none is used that a
// successor after a crash would not find.
func (s *session) starts(ctx context.Context, claims map[string][]int32) (map[topicPartition]position, error) {
	chooser := slices.Contains(claims[s.topics[0]], 0)
	deadline := time.Now().Add(startPatience)
	var chosen map[topicPartition]int64
	for {
		committed, err := s.commitments()
		if err != nil {
			return nil, err
		}
		if err := s.readBack(chosen, committed); err != nil {
			return nil, err
		}
		missing := s.missing(committed)
		switch {
		case chooser && len(missing) > 0 && chosen == nil:
			if chosen, err = s.choose(missing, committed); err != nil {
				return nil, err
			}
			continue
		case !slices.ContainsFunc(missing, func(at topicPartition) bool { return slices.Contains(claims[at.topic], at.partition) }):
			return s.positions(claims, committed)
		case time.Now().After(deadline):
			return nil, fmt.Errorf("waiting for the member that chooses where group %s begins: nothing is committed for %v after %v",
				s.bridge.config.GroupID, missing, startPatience)
		}
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// missing returns the partitions for which the group has nothing committed
// that holds.
func (s *session) missing(committed map[topicPartition]commitment) (missing []topicPartition) {
	for topic, known := range s.identity.Topics {
		for partition := range known.Leaders {
			at := topicPartition{topic, partition}
			if !committed[at].holds(known.ID) {
				missing = append(missing, at)
			}
		}
	}
	slices.SortFunc(missing, func(a, b topicPartition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	return missing
}

// readBack compares what was committed with what Kafka returns: the answer to
// a commit tells only that it was taken, not that it was not overwritten by a
// client outside the group, or taken by a broker that lost it.
func (s *session) readBack(chosen map[topicPartition]int64, committed map[topicPartition]commitment) error {
	for at, offset := range chosen {
		if now := committed[at]; now.offset != offset || now.topicID != s.identity.Topics[at.topic].ID {
			return fmt.Errorf("reading back the start of %s/%d in group %s: %d was committed, and %d is: another client commits in this group",
				at.topic, at.partition, s.bridge.config.GroupID, offset, now.offset)
		}
	}
	return nil
}

// choose commits where the missing partitions begin. KAFKA_START counts when
// the group begins, with nothing committed at all, and for a topic without any
// commit that the user was not allowed to read until now. Any other topic or
// partition without a commit is new, or was created again: nobody has seen its
// first record, and it begins there.
func (s *session) choose(missing []topicPartition, committed map[topicPartition]commitment) (map[topicPartition]int64, error) {
	b := s.bridge
	begun := b.begun.Load()
	seen := make(map[string]bool) // the topics with a commit
	for at, c := range committed {
		if c.offset >= 0 {
			begun, seen[at.topic] = true, true
		}
	}
	request := s.commitRequest()
	chosen := make(map[topicPartition]int64, len(missing))
	var fresh []topicPartition
	for _, at := range missing {
		start := b.config.Start
		if begun && (seen[at.topic] || !b.wasWithheld(at.topic)) {
			start = Start{}
			fresh = append(fresh, at)
		}
		offset, err := s.begin(at, start)
		if err != nil {
			return nil, fmt.Errorf("finding where %s/%d begins: %w", at.topic, at.partition, err)
		}
		chosen[at] = offset
		request.AddBlockWithLeaderEpoch(at.topic, at.partition, offset, -1, 0, s.identity.Topics[at.topic].ID)
	}
	err := s.sendCommit(request, func(response *sarama.OffsetCommitResponse) error {
		var faults []error
		for at := range chosen {
			faults = append(faults, commitError(response, at))
		}
		return errors.Join(faults...)
	})
	if err == nil && len(fresh) > 0 {
		b.log.Warn("these are new to the group, or their topic was created again: they are read from the first record", "partitions", fmt.Sprint(fresh))
	}
	return chosen, err
}

// begin is the offset at which a partition begins that nobody has read.
func (s *session) begin(at topicPartition, start Start) (int64, error) {
	switch {
	case start == Start{}:
		return s.control.GetOffset(at.topic, at.partition, sarama.OffsetOldest)
	case start.Latest:
		return s.control.GetOffset(at.topic, at.partition, sarama.OffsetNewest)
	}
	offset, err := s.control.GetOffset(at.topic, at.partition, start.At.UnixMilli())
	if err == nil && offset < 0 { // nothing is that new
		return s.control.GetOffset(at.topic, at.partition, sarama.OffsetNewest)
	}
	return offset, err
}

// positions takes over the commits of the claimed partitions.
func (s *session) positions(claims map[string][]int32, committed map[topicPartition]commitment) (map[topicPartition]position, error) {
	positions := make(map[topicPartition]position)
	for topic, partitions := range claims {
		for _, partition := range partitions {
			at := topicPartition{topic, partition}
			c, ok := committed[at]
			if !ok {
				return nil, fmt.Errorf("beginning to read %s/%d: brokers do not agree that it exists", topic, partition)
			}
			oldest, err := s.control.GetOffset(topic, partition, sarama.OffsetOldest)
			if err != nil {
				return nil, fmt.Errorf("finding the first offset of %s/%d: %w", topic, partition, err)
			}
			p := position{offset: c.offset, labelled: c.topicID != ""}
			if p.end, err = s.control.GetOffset(topic, partition, sarama.OffsetNewest); err != nil {
				return nil, fmt.Errorf("finding the end of %s/%d: %w", topic, partition, err)
			}
			if c.offset < oldest || c.offset > p.end {
				p.broken = s.describeRange(topic, partition, c.offset)
			}
			positions[at] = p
		}
	}
	return positions, nil
}

// commitments returns what the group has committed for every partition of the
// topics.
func (s *session) commitments() (map[topicPartition]commitment, error) {
	asked := make(map[string][]int32)
	for name, topic := range s.identity.Topics {
		asked[name] = slices.Collect(maps.Keys(topic.Leaders))
	}
	group := s.bridge.config.GroupID
	var response *sarama.OffsetFetchResponse
	err := s.coordinator(func(broker *sarama.Broker) (err error) {
		response, err = broker.FetchOffset(sarama.NewOffsetFetchRequest(s.control.Config().Version, group, asked))
		if err == nil && response.GroupError() != sarama.ErrNoError {
			err = response.GroupError()
		}
		return err
	})
	if err != nil {
		return nil, kafka.Explain(fmt.Errorf("reading the committed offsets of group %s: %w", group, err), "use group "+group+" (KAFKA_GROUP_ID)")
	}
	committed := make(map[topicPartition]commitment)
	for topic, partitions := range asked {
		for _, partition := range partitions {
			block := response.GetBlock(topic, partition)
			switch {
			case block == nil:
				err = sarama.ErrIncompleteResponse
			case block.Err != sarama.ErrNoError:
				err = kafka.Explain(block.Err, "read topic "+topic)
			}
			if err != nil {
				return nil, fmt.Errorf("reading the committed offset of %s/%d in group %s: %w", topic, partition, group, err)
			}
			committed[topicPartition{topic, partition}] = commitment{block.Offset, block.Metadata}
		}
	}
	return committed, nil
}

// coordinator runs a request at the group's coordinator; after an error the
// next request looks the coordinator up anew, on a new connection unless the
// error was the broker's answer.
func (s *session) coordinator(request func(*sarama.Broker) error) error {
	broker, err := s.control.Coordinator(s.bridge.config.GroupID)
	if err != nil {
		return err
	}
	if err := request(broker); err != nil {
		var answer sarama.KError
		if !errors.As(err, &answer) {
			_ = broker.Close()
		}
		_ = s.control.RefreshCoordinator(s.bridge.config.GroupID)
		return err
	}
	return nil
}
