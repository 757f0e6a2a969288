package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/simulator"
)

// Kafka is a sink that produces events to the topics they name. The key is the event's id
// and decides the partition as in Kafka's own clients, so that a key keeps its
// partition.
type Kafka struct {
	client   sarama.Client
	producer sarama.SyncProducer
}

// OpenKafka connects to the brokers, creates the topics that are missing, and
// returns the sink. What a person can mend is a *kafka.Fault, within half a
// minute even when a broker accepts connections and never answers. Each of
// adjust may change the producer's settings.
//
// Once ctx is done, what is being written has some seconds to be acknowledged;
// from then on nothing is written any more.
func OpenKafka(ctx context.Context, config kafka.Config, adjust ...func(*sarama.Config)) (*Kafka, error) {
	if err := kafka.CreateTopics(ctx, config, event.Topics(), kafka.Partitions); err != nil {
		return nil, err
	}
	settings := config.Sarama("stationflow-simulator")
	ConfigureProducer(settings)
	for _, change := range adjust {
		change(settings)
	}
	client, err := config.Connect(ctx, settings, goodbye)
	if err != nil {
		return nil, err
	}
	sink, err := NewKafka(client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return sink, nil
}

// goodbye is how long a broker may take for what is under way when the
// simulation ends.
const goodbye = 5 * time.Second

// NewKafka returns a sink over the client, whose config ConfigureProducer has
// prepared. Close closes the client too.
func NewKafka(client sarama.Client) (*Kafka, error) {
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return nil, fmt.Errorf("starting the Kafka producer: %w", err)
	}
	return &Kafka{client: client, producer: producer}, nil
}

// ConfigureProducer sets what the sink relies on: a record counts as written
// when all in-sync replicas have it, a retry does not write it twice, and
// records of one key stay in order. A broker may be away for some seconds.
func ConfigureProducer(config *sarama.Config) {
	config.Net.MaxOpenRequests = 1 // idempotence asks for it
	config.Net.ReadTimeout = 10 * time.Second
	config.Metadata.Timeout = 30 * time.Second
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewMurmur2Partitioner
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	config.Producer.Retry.Max = 10
	config.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration {
		return min(100*time.Millisecond<<min(retries, 10), 2*time.Second)
	}
}

// tooLargeBytes is the max.message.bytes that a topic needs for records that
// are larger than a batch of the pipeline holds.
const tooLargeBytes = 16 << 20

// SendTooLarge has a producer send records that are larger than a batch of the
// pipeline holds, which a topic takes when its max.message.bytes is 16 MiB.
func SendTooLarge(config *sarama.Config) { config.Producer.MaxMessageBytes = tooLargeBytes }

// Write produces the events and returns nil when Kafka has acknowledged every
// one of them. After an error some may be in Kafka.
func (k *Kafka) Write(events []simulator.Event) error {
	messages := make([]*sarama.ProducerMessage, len(events))
	for i := range events {
		messages[i] = &sarama.ProducerMessage{
			Topic: events[i].Topic,
			Key:   sarama.StringEncoder(events[i].Key),
			Value: sarama.ByteEncoder(events[i].Value),
		}
	}
	err := k.producer.SendMessages(messages)
	if err == nil {
		return nil
	}
	var failed sarama.ProducerErrors
	if errors.As(err, &failed) && len(failed) > 0 {
		if fault := new(kafka.Fault); errors.As(kafka.Explain(failed[0].Err, "write to topic "+failed[0].Msg.Topic), &fault) {
			return fault
		}
		err = fmt.Errorf("the first, to topic %s: %w", failed[0].Msg.Topic, failed[0].Err)
		if errors.Is(err, sarama.ErrMessageSizeTooLarge) {
			err = fmt.Errorf("%w (set max.message.bytes of the topics to %d for records that are too large)", err, tooLargeBytes)
		}
		return fmt.Errorf("Kafka did not acknowledge %d of %d events; %w", len(failed), len(events), err)
	}
	return fmt.Errorf("producing to Kafka: %w", err)
}

// Close closes the producer and the client.
func (k *Kafka) Close() error { return errors.Join(k.producer.Close(), k.client.Close()) }
