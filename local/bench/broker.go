package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
)

// A broker is the Kafka that is read, and the consumer group of one run.
type broker struct {
	addresses []string
	cluster   *kfake.Cluster // nil for somebody else's
	group     string
	topicIDs  map[string]string
	first     map[place]int64 // the offsets from which on records are this run's
}

// startBroker connects to the broker at address, or starts one, and makes the
// topics that are missing. The run's group is set to begin where the topics
// end now: what they hold already is not this run's.
func startBroker(ctx context.Context, address string) (b *broker, err error) {
	b = &broker{addresses: []string{address}, group: newGroup()}
	if address == "" {
		b.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("stationflow-bench"),
			kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
		if err != nil {
			return nil, fmt.Errorf("starting a broker: %w", err)
		}
		b.addresses = b.cluster.ListenAddrs()
	}
	if err := b.prepare(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// newGroup names a consumer group that nobody used before.
func newGroup() string { return fmt.Sprintf("stationflow-bench-%08x", rand.Uint32()) }

// regroup has the run read all once more, as another group.
func (b *broker) regroup(ctx context.Context) (err error) {
	config := kafka.Config{Brokers: b.addresses}
	client, err := config.Connect(ctx, config.Sarama("stationflow-bench"), 0)
	if err != nil {
		return err
	}
	b.group = newGroup()
	return errors.Join(b.commit(client), client.Close())
}

func (b *broker) prepare(ctx context.Context) (err error) {
	config := kafka.Config{Brokers: b.addresses}
	if err := kafka.CreateTopics(ctx, config, event.Topics(), kafka.Partitions); err != nil {
		return err
	}
	client, err := config.Connect(ctx, config.Sarama("stationflow-bench"), 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := b.locate(client); err != nil {
		return err
	}
	return b.commit(client)
}

// locate finds out what the topics are called and where they end.
func (b *broker) locate(client sarama.Client) error {
	asked := client.LeastLoadedBroker()
	if asked == nil {
		return fmt.Errorf("reading topic ids: %w", sarama.ErrOutOfBrokers)
	}
	identity, err := kafka.Identify(asked, client.Config().Version, event.Topics())
	if err := errors.Join(err, identity.Err()); err != nil {
		return err
	}
	if err := client.RefreshMetadata(event.Topics()...); err != nil {
		return fmt.Errorf("reading the topics' metadata: %w", err)
	}
	b.topicIDs, b.first = map[string]string{}, map[place]int64{}
	for _, topic := range event.Topics() {
		b.topicIDs[topic] = identity.Topics[topic].ID
		partitions, err := client.Partitions(topic)
		if err != nil {
			return fmt.Errorf("listing the partitions of %s: %w", topic, err)
		}
		for _, partition := range partitions {
			if b.first[place{topic, partition}], err = client.GetOffset(topic, partition, sarama.OffsetNewest); err != nil {
				return fmt.Errorf("reading the end of %s/%d: %w", topic, partition, err)
			}
		}
	}
	return nil
}

// commit has the group begin at first. Of an empty group anybody may commit.
func (b *broker) commit(client sarama.Client) error {
	request := sarama.NewOffsetCommitRequest(client.Config(), b.group)
	request.ConsumerGroupGeneration = sarama.GroupGenerationUndefined
	for at, offset := range b.first {
		request.AddBlockWithLeaderEpoch(at.topic, at.partition, offset, -1, 0, "")
	}
	coordinator, err := client.Coordinator(b.group)
	if err != nil {
		return fmt.Errorf("looking for the coordinator of group %s: %w", b.group, err)
	}
	response, err := coordinator.CommitOffset(request)
	if err != nil {
		return fmt.Errorf("setting where group %s begins: %w", b.group, err)
	}
	for topic, partitions := range response.Errors {
		for partition, fault := range partitions {
			if fault != sarama.ErrNoError {
				return fmt.Errorf("setting where group %s begins in %s/%d: %w", b.group, topic, partition, fault)
			}
		}
	}
	return nil
}

// Close ends the broker, or removes the run's group from somebody else's.
func (b *broker) Close() {
	if b.cluster != nil {
		b.cluster.Close()
		return
	}
	admin, err := sarama.NewClusterAdmin(b.addresses, kafka.Config{Brokers: b.addresses}.Sarama("stationflow-bench"))
	if err != nil {
		return // a group that is left over expires
	}
	_ = admin.DeleteConsumerGroup(b.group)
	_ = admin.Close()
}
