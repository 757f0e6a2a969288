package kafka

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"
)

// A Commit is what a group has committed for a partition.
type Commit struct {
	Offset  int64  // -1 for nothing
	TopicID string // of the topic that it was committed for; "" when a tool did it, or an older bridge
}

// Holds reports whether the group goes on there: the commit is of the topic
// that has the id now, or of someone who knew what they did.
func (c Commit) Holds(topicID string) bool {
	return c.Offset >= 0 && (c.TopicID == topicID || c.TopicID == "")
}

// Commits asks the group's coordinator what is committed for every partition of
// the topics. It takes no part in the group, which may have no member. The map
// has all of them, or there is an error.
func Commits(client sarama.Client, group string, topics map[string]Topic) (map[Partition]Commit, error) {
	asked := make(map[string][]int32)
	for name, topic := range topics {
		asked[name] = slices.Collect(maps.Keys(topic.Leaders))
	}
	var response *sarama.OffsetFetchResponse
	err := AtCoordinator(client, group, func(broker *sarama.Broker) (err error) {
		response, err = broker.FetchOffset(sarama.NewOffsetFetchRequest(client.Config().Version, group, asked))
		if err == nil && response.GroupError() != sarama.ErrNoError {
			err = response.GroupError()
		}
		return err
	})
	none := errors.Is(err, sarama.ErrGroupIDNotFound) // as some brokers say of a group that was never joined
	if err != nil && !none {
		return nil, explainGroup(fmt.Errorf("reading the committed offsets of group %s: %w", group, err), group)
	}
	committed := make(map[Partition]Commit)
	for topic, partitions := range asked {
		for _, partition := range partitions {
			if none {
				committed[Partition{topic, partition}] = Commit{Offset: -1}
				continue
			}
			block := response.GetBlock(topic, partition)
			switch {
			case block == nil:
				err = sarama.ErrIncompleteResponse
			case block.Err != sarama.ErrNoError:
				err = Explain(block.Err, "read topic "+topic)
			}
			if err != nil {
				return nil, fmt.Errorf("reading the committed offset of %s/%d in group %s: %w", topic, partition, group, err)
			}
			committed[Partition{topic, partition}] = Commit{block.Offset, block.Metadata}
		}
	}
	return committed, nil
}

// Members asks the group's coordinator how many members the group has. A group
// that was never joined has none.
func Members(client sarama.Client, group string) (members int, err error) {
	err = AtCoordinator(client, group, func(broker *sarama.Broker) error {
		response, err := broker.DescribeGroups(&sarama.DescribeGroupsRequest{Groups: []string{group}})
		if err != nil {
			return err
		}
		for _, g := range response.Groups {
			if g.Err != sarama.ErrNoError && g.Err != sarama.ErrGroupIDNotFound {
				return g.Err
			}
			members += len(g.Members)
		}
		return nil
	})
	if err != nil {
		return 0, explainGroup(fmt.Errorf("reading the members of group %s: %w", group, err), group)
	}
	return members, nil
}

func explainGroup(err error, group string) error {
	return Explain(err, "use group "+group+" (KAFKA_GROUP_ID)")
}

// AtCoordinator runs a request at the group's coordinator; after an error the
// next request looks the coordinator up again, on a new connection unless the
// error was the broker's answer.
func AtCoordinator(client sarama.Client, group string, request func(*sarama.Broker) error) error {
	broker, err := client.Coordinator(group)
	if err != nil {
		return err
	}
	if err := request(broker); err != nil {
		var answer sarama.KError
		if !errors.As(err, &answer) {
			_ = broker.Close()
		}
		_ = client.RefreshCoordinator(group)
		return err
	}
	return nil
}
