package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// Partitions is the number of partitions of a topic of this project
// (contract).
const Partitions = 6

// CreateTopics creates those of the topics that do not exist, with the given
// number of partitions each and the broker's replication. It is safe to call
// at the same time from several processes. Where a person can help the error
// is a *Fault; a broker that accepts connections and never answers is one
// after seconds.
func CreateTopics(c Config, topics []string, partitions int32) (err error) {
	if err := Reach(context.Background(), c); err != nil {
		return err
	}
	settings := c.Sarama("stationflow-topics")
	settings.Metadata.Full = true // the library's admin asks for no topic by name
	settings.Metadata.Retry.Max = 1
	admin, err := sarama.NewClusterAdmin(c.Brokers, settings)
	if err != nil {
		return fmt.Errorf("creating topics at %v: %w", c.Brokers, err)
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	existing, err := admin.ListTopics()
	if err != nil {
		return Explain(fmt.Errorf("listing topics at %v: %w", c.Brokers, err), "list topics")
	}
	for _, topic := range topics {
		if _, ok := existing[topic]; ok {
			continue
		}
		detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1}
		if err := admin.CreateTopic(topic, detail, false); err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return Explain(fmt.Errorf("creating topic %s: %w", topic, err), "create topic "+topic)
		}
	}
	return nil
}

// Identity is what the cluster calls itself and its topics.
type Identity struct {
	ClusterID string
	TopicIDs  map[string]string // by topic name, as 8-4-4-4-12 lower-case hex digits
}

// Identify asks a broker, at the time of the call, for the ids of the cluster
// and of the topics. A topic that does not exist is an error that names it.
func Identify(client sarama.Client, topics []string) (Identity, error) {
	broker := client.LeastLoadedBroker()
	if broker == nil {
		return Identity{}, fmt.Errorf("reading topic ids: %w", sarama.ErrOutOfBrokers)
	}
	response, err := broker.GetMetadata(sarama.NewMetadataRequest(client.Config().Version, topics))
	if err != nil {
		return Identity{}, fmt.Errorf("reading topic ids: %w", err)
	}
	if response.ClusterID == nil || *response.ClusterID == "" {
		return Identity{}, errors.New("reading topic ids: the broker does not tell the cluster's id")
	}
	identity := Identity{ClusterID: *response.ClusterID, TopicIDs: make(map[string]string, len(topics))}
	var faults []error
	for _, topic := range response.Topics {
		switch {
		case errors.Is(topic.Err, sarama.ErrUnknownTopicOrPartition):
			faults = append(faults, fmt.Errorf("topic %s does not exist: create it, or take it out of KAFKA_TOPICS", topic.Name))
		case topic.Err != sarama.ErrNoError && topic.Err != sarama.ErrLeaderNotAvailable:
			faults = append(faults, fmt.Errorf("reading the id of topic %s: %w", topic.Name, topic.Err))
		case topic.Uuid == sarama.Uuid{}:
			faults = append(faults, fmt.Errorf("topic %s has no id: the brokers must run Kafka 2.8 or later", topic.Name))
		default:
			identity.TopicIDs[topic.Name] = hexUUID(topic.Uuid)
		}
	}
	for _, topic := range topics {
		if _, ok := identity.TopicIDs[topic]; !ok && len(faults) == 0 {
			faults = append(faults, fmt.Errorf("reading topic ids: the broker left out %s", topic))
		}
	}
	return identity, errors.Join(faults...)
}

func hexUUID(u sarama.Uuid) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
