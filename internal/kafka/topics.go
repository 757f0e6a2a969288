package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/pause"
)

// Partitions is the number of partitions of a topic of this project
// (contract).
const Partitions = 6

// CreateTopics creates those of the topics that do not exist, with the given
// number of partitions each and the broker's replication, and returns when the
// leaders of those know them. It is safe to call at the same time from several
// processes. Where a person can help the error is a *Fault; a broker that
// accepts connections and never answers is one after seconds. Once ctx is done
// it returns ctx's error soon; some of the topics may have been created.
func CreateTopics(ctx context.Context, c Config, topics []string, partitions int32) (err error) {
	if err := Reach(ctx, c); err != nil {
		return err
	}
	settings := c.Sarama("stationflow-topics")
	settings.Metadata.Full = true // the library's admin asks for no topic by name
	settings.Metadata.Retry.Max = 1
	client, err := c.Connect(ctx, settings, 0)
	if err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return errors.Join(fmt.Errorf("creating topics at %v: %w", c.Brokers, err), client.Close())
	}
	defer func() {
		if err = errors.Join(err, admin.Close()); err != nil && ctx.Err() != nil {
			err = ctx.Err() // however what was under way words it
		}
	}()
	made, err := createMissing(admin, topics, partitions)
	if err != nil {
		return err
	}
	return settle(ctx, client, made)
}

// createMissing returns the topics that did not exist.
func createMissing(admin sarama.ClusterAdmin, topics []string, partitions int32) (made []string, err error) {
	existing, err := admin.ListTopics()
	if err != nil {
		return nil, Explain(fmt.Errorf("listing topics: %w", err), "list topics")
	}
	for _, topic := range topics {
		if _, ok := existing[topic]; ok {
			continue
		}
		made = append(made, topic)
		detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1}
		if err := admin.CreateTopic(topic, detail, false); err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return nil, Explain(fmt.Errorf("creating topic %s: %w", topic, err), "create topic "+topic)
		}
	}
	return made, nil
}

// settling is how long the partitions of a topic that has just been made may
// have no leader, or one that does not know yet that it is.
const settling = 20 * time.Second

// settle waits until the leaders of new topics answer for them.
func settle(ctx context.Context, client sarama.Client, topics []string) error {
	if len(topics) == 0 {
		return nil
	}
	for began := time.Now(); ; {
		err := answered(client, topics)
		switch {
		case errors.Is(err, sarama.ErrTopicAuthorizationFailed):
			return nil // who may create a topic need not be allowed to read it
		case !unsettled(err) || time.Since(began) > settling:
			return err
		}
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// unsettled reports whether an error says that a topic is not yet known
// everywhere.
func unsettled(err error) bool {
	return errors.Is(err, sarama.ErrUnknownTopicOrPartition) || errors.Is(err, sarama.ErrLeaderNotAvailable) ||
		errors.Is(err, sarama.ErrNotLeaderForPartition) || errors.Is(err, sarama.ErrReplicaNotAvailable)
}

// answered asks the leader of each partition for its end.
func answered(client sarama.Client, topics []string) error {
	if err := client.RefreshMetadata(topics...); err != nil {
		return fmt.Errorf("reading the metadata of new topics: %w", err)
	}
	ends := make(map[Partition]int64)
	for _, topic := range topics {
		numbers, err := client.Partitions(topic)
		if err != nil {
			return fmt.Errorf("listing the partitions of %s: %w", topic, err)
		}
		for _, number := range numbers {
			ends[Partition{topic, number}] = sarama.OffsetNewest
		}
	}
	_, err := Offsets(client, ends, sarama.ReadUncommitted)
	return err
}

// Identity is what a broker calls the cluster and its topics.
type Identity struct {
	ClusterID string
	Topics    map[string]Topic // by name; every topic that was asked for
}

// A Topic is what a broker knows of one topic.
type Topic struct {
	ID      string          // as 8-4-4-4-12 lower-case hex digits; "" where Err says why
	Leaders map[int32]int32 // the broker of each partition, -1 for none at the moment
	Err     error           // why it cannot be read; a *Fault for what a person can mend
}

// ErrNoTopic is the cause of a Topic's error where there is none of that name.
var ErrNoTopic = errors.New("the topic does not exist")

// Err returns the first topic's error, in the order of their names, or nil.
func (i Identity) Err() error {
	for _, name := range slices.Sorted(maps.Keys(i.Topics)) {
		if err := i.Topics[name].Err; err != nil {
			return err
		}
	}
	return nil
}

// Identify asks the broker, at the time of the call. The error is that of
// asking; what is wrong with a topic is in the Identity. The id of a topic
// changes when it is deleted and created again: what the leader of a
// partition has given until some moment belongs to the id that the same
// broker answers to a question asked after it.
func Identify(broker *sarama.Broker, version sarama.KafkaVersion, topics []string) (Identity, error) {
	request := sarama.NewMetadataRequest(version, topics)
	request.IncludeTopicAuthorizedOperations = true
	response, err := broker.GetMetadata(request)
	if err != nil {
		return Identity{}, fmt.Errorf("reading topic ids: %w", err)
	}
	if response.ClusterID == nil || *response.ClusterID == "" {
		return Identity{}, errors.New("reading topic ids: the broker does not tell the cluster's id")
	}
	identity := Identity{ClusterID: *response.ClusterID, Topics: make(map[string]Topic, len(topics))}
	for _, metadata := range response.Topics {
		identity.Topics[metadata.Name] = describe(metadata)
	}
	for _, name := range topics {
		if _, ok := identity.Topics[name]; !ok {
			identity.Topics[name] = Topic{Err: fmt.Errorf("reading topic ids: the broker left out %s", name)}
		}
	}
	return identity, nil
}

func describe(metadata *sarama.TopicMetadata) Topic {
	switch err := metadata.Err; {
	case err == sarama.ErrUnknownTopicOrPartition:
		return Topic{Err: passing(ErrNoTopic, "topic %s does not exist: create it, or take it out of KAFKA_TOPICS",
			metadata.Name)}
	case err != sarama.ErrNoError && err != sarama.ErrLeaderNotAvailable:
		return Topic{Err: Explain(fmt.Errorf("reading the id of topic %s: %w", metadata.Name, err),
			"read topic "+metadata.Name)}
	case !mayRead(metadata):
		err := fmt.Errorf("reading the rights on topic %s: %w", metadata.Name, sarama.ErrTopicAuthorizationFailed)
		return Topic{Err: Explain(err, "read topic "+metadata.Name)}
	case metadata.Uuid == sarama.Uuid{}:
		return Topic{Err: passing(nil, "topic %s has no id: the brokers must run Kafka 2.8 or later", metadata.Name)}
	}
	t := Topic{ID: hexUUID(metadata.Uuid), Leaders: make(map[int32]int32, len(metadata.Partitions))}
	for _, p := range metadata.Partitions {
		t.Leaders[p.ID] = p.Leader
	}
	return t
}

// mayRead reports whether the user may read the topic, which is more than to
// see it: who may write may see. The operations are one bit each (KIP-430). A
// broker that does not tell them finds out when the topic is read.
func mayRead(metadata *sarama.TopicMetadata) bool {
	may := metadata.TopicAuthorizedOperations
	return may == math.MinInt32 || may&(1<<sarama.AclOperationRead) != 0
}

func hexUUID(u sarama.Uuid) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
