package system

import (
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/event"
)

// logSize is how many bytes the topics' logs hold, as the broker stores them.
// Not every broker tells: Confluent Cloud's do not.
func (b *broker) logSize() (bytes int64, err error) {
	for _, node := range b.client.Brokers() {
		if err := node.Open(b.client.Config()); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
			return 0, fmt.Errorf("connecting to broker %d: %w", node.ID(), err)
		}
		answer, err := node.DescribeLogDirs(&sarama.DescribeLogDirsRequest{Version: 1})
		if err != nil {
			return 0, fmt.Errorf("asking broker %d for the size of its logs: %w", node.ID(), err)
		}
		for _, folder := range answer.LogDirs {
			for _, topic := range folder.Topics {
				if !slices.Contains(event.Topics(), topic.Topic) {
					continue
				}
				for _, partition := range topic.Partitions {
					bytes += partition.Size
				}
			}
		}
	}
	return bytes, nil
}
