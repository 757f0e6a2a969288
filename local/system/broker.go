package system

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// A broker watches how far the six topics have grown.
type broker struct {
	client  sarama.Client
	records atomic.Int64
	failure atomic.Pointer[string] // of the last look; nil when it worked
	stop    context.CancelFunc
	done    chan struct{}
}

// watchBroker connects to Kafka, makes the topics that are missing, and looks
// at their ends every second until Close.
func watchBroker(getenv func(string) string) (*broker, error) {
	r := env.NewReader(getenv)
	config := kafka.FromEnv(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if err := kafka.CreateTopics(config, event.Topics(), kafka.Partitions); err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(config.Brokers, config.Sarama("stationflow-page"))
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka at %v: %w", config.Brokers, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &broker{client: client, stop: stop, done: make(chan struct{})}
	if err := b.look(); err != nil {
		stop()
		return nil, errors.Join(err, client.Close())
	}
	go func() {
		defer close(b.done)
		for pause.For(ctx, time.Second) == nil {
			if err := b.look(); err != nil {
				b.failure.Store(new(err.Error()))
			} else {
				b.failure.Store(nil)
			}
		}
	}()
	return b, nil
}

// produced is how many records the topics held when last looked at.
func (b *broker) produced() int64 { return b.records.Load() }

// fault says why the broker could not be asked the last time; "" when it
// answered.
func (b *broker) fault() string {
	if failure := b.failure.Load(); failure != nil {
		return *failure
	}
	return ""
}

// look counts the records of all partitions now.
func (b *broker) look() error {
	var records int64
	for _, topic := range event.Topics() {
		partitions, err := b.client.Partitions(topic)
		if err != nil {
			return fmt.Errorf("listing the partitions of %s: %w", topic, err)
		}
		for _, partition := range partitions {
			end, err := b.client.GetOffset(topic, partition, sarama.OffsetNewest)
			if err != nil {
				return fmt.Errorf("reading the end of %s/%d: %w", topic, partition, err)
			}
			begin, err := b.client.GetOffset(topic, partition, sarama.OffsetOldest)
			if err != nil {
				return fmt.Errorf("reading the beginning of %s/%d: %w", topic, partition, err)
			}
			records += end - begin
		}
	}
	b.records.Store(records)
	return nil
}

// Close ends the watch and the connection.
func (b *broker) Close() error {
	b.stop()
	<-b.done
	return b.client.Close()
}
