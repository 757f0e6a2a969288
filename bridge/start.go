package bridge

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// A position is where a partition begins in this session.
type position struct {
	offset    int64
	committed int64  // what the group has committed, or -1
	end       int64  // the end of the partition
	broken    string // why it cannot begin there; "" if it can
}

// starts returns where each claimed partition begins: at its committed
// offset, whatever has become of it, or, when there is none, where the
// configuration says. A partition that was added to a topic which the group
// already reads begins at its first record: nobody has seen that one, even
// if the group once began at the latest.
func (s *session) starts(claims map[string][]int32) (map[topicPartition]position, error) {
	committed, err := s.committedOffsets(claims)
	if err != nil {
		return nil, err
	}
	positions := make(map[topicPartition]position)
	for topic, partitions := range claims {
		begun := false
		for _, offset := range committed[topic] {
			begun = begun || offset >= 0
		}
		for _, partition := range partitions {
			at := topicPartition{topic, partition}
			if positions[at], err = s.start(at, committed[topic][partition], begun); err != nil {
				return nil, fmt.Errorf("finding where %s/%d begins: %w", topic, partition, err)
			}
		}
	}
	return positions, nil
}

func (s *session) start(at topicPartition, committed int64, begun bool) (position, error) {
	oldest, err := s.client.GetOffset(at.topic, at.partition, sarama.OffsetOldest)
	if err != nil {
		return position{}, err
	}
	newest, err := s.client.GetOffset(at.topic, at.partition, sarama.OffsetNewest)
	if err != nil {
		return position{}, err
	}
	p := position{offset: committed, committed: committed, end: newest}
	switch start := s.bridge.config.Start; {
	case committed >= 0:
		if committed < oldest || committed > newest {
			p.broken = s.describeRange(at.topic, at.partition, committed)
		}
	case begun || start == Start{}:
		p.offset = oldest
	case start.Latest:
		p.offset = newest
	default:
		p.offset, err = s.client.GetOffset(at.topic, at.partition, start.At.UnixMilli())
		if p.offset < 0 { // nothing is that new
			p.offset = newest
		}
	}
	return p, err
}

// committedOffsets returns what the group has committed, -1 for nothing, for
// every partition of the claimed topics.
func (s *session) committedOffsets(claims map[string][]int32) (map[string]map[int32]int64, error) {
	all := make(map[string][]int32, len(claims))
	for topic := range claims {
		partitions, err := s.client.Partitions(topic)
		if err != nil {
			return nil, fmt.Errorf("listing the partitions of %s: %w", topic, err)
		}
		all[topic] = partitions
	}
	group := s.bridge.config.GroupID
	var response *sarama.OffsetFetchResponse
	err := s.coordinator(func(broker *sarama.Broker) (err error) {
		response, err = broker.FetchOffset(sarama.NewOffsetFetchRequest(s.client.Config().Version, group, all))
		if err == nil && response.GroupError() != sarama.ErrNoError {
			err = response.GroupError()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the committed offsets of group %s: %w", group, err)
	}
	offsets := make(map[string]map[int32]int64, len(all))
	for topic, partitions := range all {
		offsets[topic] = make(map[int32]int64, len(partitions))
		for _, partition := range partitions {
			block := response.GetBlock(topic, partition)
			if block == nil {
				return nil, fmt.Errorf("reading the committed offset of %s/%d in group %s: %w", topic, partition, group, sarama.ErrIncompleteResponse)
			}
			if block.Err != sarama.ErrNoError {
				return nil, fmt.Errorf("reading the committed offset of %s/%d in group %s: %w", topic, partition, group, block.Err)
			}
			offsets[topic][partition] = block.Offset
		}
	}
	return offsets, nil
}

// coordinator runs a request at the group's coordinator; after an error the
// next request looks the coordinator up anew, on a new connection unless the
// error was the broker's answer.
func (s *session) coordinator(request func(*sarama.Broker) error) error {
	broker, err := s.client.Coordinator(s.bridge.config.GroupID)
	if err != nil {
		return err
	}
	if err := request(broker); err != nil {
		var answer sarama.KError
		if !errors.As(err, &answer) {
			_ = broker.Close()
		}
		_ = s.client.RefreshCoordinator(s.bridge.config.GroupID)
		return err
	}
	return nil
}
