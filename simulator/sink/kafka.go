package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/internal/retry"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/simulator"
)

// Kafka is a sink that produces events to the topics they name. The key is the event's id
// and decides the partition as in Kafka's own clients, so that a key keeps its
// partition.
type Kafka struct {
	// Patience is how long Write waits for a topic that was deleted to be made
	// again. Set it before the first Write.
	Patience time.Duration

	// Tracer records a span for each record, which the record names in its
	// header traceparent; nil for no spans and no header. Set it before the first
	// Write; it stays the caller's to close.
	Tracer *tracing.Tracer

	ctx      context.Context // ends the wait; a Sink is given none
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
	sink.ctx = ctx
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
	return &Kafka{Patience: patience, ctx: context.Background(), client: client, producer: producer}, nil
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
	pauses := retry.Backoff{Min: 200 * time.Millisecond, Max: 4 * time.Second}
	config.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration { return pauses.After(retries) }
}

// tooLargeBytes is the max.message.bytes that a topic needs for records that
// are larger than a batch of the pipeline holds.
const tooLargeBytes = 16 << 20

// SendTooLarge makes a producer send records that are larger than a batch of the
// pipeline holds, which a topic takes when its max.message.bytes is 16 MiB.
func SendTooLarge(config *sarama.Config) { config.Producer.MaxMessageBytes = tooLargeBytes }

// patience is the Patience of a new sink.
const patience = 20 * time.Second

// Write produces the events and returns nil when Kafka has acknowledged every
// one of them. After an error some may be in Kafka. Where a topic was deleted
// and made again, or is within Patience, what the old one has not acknowledged
// goes to the new one.
func (k *Kafka) Write(events []simulator.Event) error {
	messages := make([]*sarama.ProducerMessage, len(events))
	for i := range events {
		messages[i] = message(events[i].Topic, sarama.StringEncoder(events[i].Key), sarama.ByteEncoder(events[i].Value))
	}
	defer k.traced(messages)()
	for began := time.Now(); ; {
		err := k.producer.SendMessages(messages)
		if err == nil {
			return nil
		}
		messages = lostTheirTopic(err)
		if messages == nil || time.Since(began) > k.Patience || pause.For(k.ctx, 250*time.Millisecond) != nil {
			return explain(err, len(events))
		}
		if err := k.renew(messages); err != nil {
			return err
		}
	}
}

func message(topic string, key, value sarama.Encoder) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Key: key, Value: value}
}

// traced begins a span for each of the messages, and names it in the message.
// The returned function ends them.
func (k *Kafka) traced(messages []*sarama.ProducerMessage) (end func()) {
	if k.Tracer == nil {
		return func() {}
	}
	spans := make([]*tracing.Span, len(messages))
	for i, m := range messages {
		spans[i] = k.Tracer.Start("send "+m.Topic, tracing.Producer, tracing.Origin{})
		m.Headers = []sarama.RecordHeader{{Key: []byte(tracing.Header), Value: []byte(spans[i].TraceParent())}}
	}
	return func() {
		for i, m := range messages {
			spans[i].SetInt("messaging.kafka.offset", m.Offset)
			spans[i].SetString("messaging.destination.partition.id", strconv.Itoa(int(m.Partition)))
			spans[i].End(nil)
		}
	}
}

// lostTheirTopic returns the messages that were not acknowledged, to be sent
// again, where the reason is nothing but that their topics are gone, or are
// others by now: these do not know how far the producer has counted. Otherwise
// it returns nil. The library stops to ask about a topic that it could not
// find three times, and then calls its circuit breaker open.
func lostTheirTopic(err error) (again []*sarama.ProducerMessage) {
	var failed sarama.ProducerErrors
	if !errors.As(err, &failed) {
		return nil
	}
	for _, one := range failed {
		if !errors.Is(one.Err, sarama.ErrUnknownTopicOrPartition) &&
			!errors.Is(one.Err, sarama.ErrOutOfOrderSequenceNumber) &&
			!errors.Is(one.Err, sarama.ErrUnknownProducerID) && !errors.Is(one.Err, breaker.ErrBreakerOpen) {
			return nil
		}
		next := message(one.Msg.Topic, one.Msg.Key, one.Msg.Value)
		next.Headers = one.Msg.Headers
		again = append(again, next)
	}
	return again
}

// renew makes a producer that counts from 0, and looks for the topics.
func (k *Kafka) renew(messages []*sarama.ProducerMessage) error {
	topics := map[string]bool{}
	for _, m := range messages {
		topics[m.Topic] = true
	}
	for topic := range topics {
		_ = k.client.RefreshMetadata(topic) // not there yet: writing says so
	}
	old := k.producer
	producer, err := sarama.NewSyncProducerFromClient(k.client)
	if err != nil {
		return fmt.Errorf("starting another Kafka producer: %w", err)
	}
	k.producer = producer
	if err := old.Close(); err != nil {
		return fmt.Errorf("ending a Kafka producer: %w", err)
	}
	return nil
}

// explain says why so many events were not all acknowledged.
func explain(err error, events int) error {
	var failed sarama.ProducerErrors
	if errors.As(err, &failed) && len(failed) > 0 {
		cause := failed[max(0, slices.IndexFunc(failed, isCause))]
		explained := kafka.Explain(cause.Err, "write to topic "+cause.Msg.Topic)
		if fault := new(kafka.Fault); errors.As(explained, &fault) {
			return fault
		}
		err = fmt.Errorf("the first, to topic %s: %w", cause.Msg.Topic, cause.Err)
		if errors.Is(err, sarama.ErrMessageSizeTooLarge) {
			err = fmt.Errorf("%w (set max.message.bytes of the topics to %d for records that are too large)",
				err, tooLargeBytes)
		}
		return fmt.Errorf("Kafka did not acknowledge %d of %d events; %w", len(failed), events, err)
	}
	return fmt.Errorf("producing to Kafka: %w", err)
}

// isCause reports whether a failure is not merely what follows from another:
// behind a record that is refused the numbers of all others are wrong.
func isCause(failed *sarama.ProducerError) bool {
	return !errors.Is(failed.Err, sarama.ErrInvalidProducerEpoch) && !errors.Is(failed.Err, sarama.ErrOutOfOrderSequenceNumber)
}

// Close closes the producer and the client.
func (k *Kafka) Close() error { return errors.Join(k.producer.Close(), k.client.Close()) }
