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

// A broker watches how far the topics have grown, and how far the bridge's
// group has committed them.
type broker struct {
	client  sarama.Client
	group   string
	latest  bool // whether the group begins at the ends
	last    atomic.Pointer[offsets]
	failure atomic.Pointer[string] // of the last look; nil when it worked
	stop    context.CancelFunc
	done    chan struct{}
}

// watchBroker connects to Kafka, makes the topics that are missing, and looks
// at their offsets every second until Close.
func watchBroker(getenv func(string) string) (*broker, error) {
	r := env.NewReader(getenv)
	config := kafka.FromEnv(r)
	group, start := r.String("KAFKA_GROUP_ID", "stationflow"), r.String("KAFKA_START", "earliest")
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
	b := &broker{client: client, group: group, latest: start == "latest", stop: stop, done: make(chan struct{})}
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

// offsets is where the topics and the group were when last looked at.
func (b *broker) offsets() offsets { return *b.last.Load() }

// produced is how many records the topics held when last looked at.
func (b *broker) produced() int64 { return b.offsets().progress(nil).produced }

// fault says why the broker could not be asked the last time; "" when it
// answered.
func (b *broker) fault() string {
	if failure := b.failure.Load(); failure != nil {
		return *failure
	}
	return ""
}

// look reads the offsets of all partitions now, the committed ones first: none
// is then beyond an end.
func (b *broker) look() error {
	asked := make(map[string][]int32)
	for _, topic := range event.Topics() {
		var err error
		if asked[topic], err = b.client.Partitions(topic); err != nil {
			return fmt.Errorf("listing the partitions of %s: %w", topic, err)
		}
	}
	committed := b.commitments(asked)
	now := offsets{}
	for topic, partitions := range asked {
		for _, number := range partitions {
			var one extent
			var err error
			if one.end, err = b.client.GetOffset(topic, number, sarama.OffsetNewest); err != nil {
				return fmt.Errorf("reading the end of %s/%d: %w", topic, number, err)
			}
			if one.begin, err = b.client.GetOffset(topic, number, sarama.OffsetOldest); err != nil {
				return fmt.Errorf("reading the beginning of %s/%d: %w", topic, number, err)
			}
			at := partition{topic, number}
			one.committed = b.committedOf(at, one, committed)
			now[at] = one
		}
	}
	b.last.Store(&now)
	return nil
}

// commitments are the group's; nil when they cannot be told, as for a while in
// a new cluster: those that were known last stand.
func (b *broker) commitments(asked map[string][]int32) *sarama.OffsetFetchResponse {
	coordinator, err := b.client.Coordinator(b.group)
	if err != nil {
		return nil
	}
	answer, err := coordinator.FetchOffset(sarama.NewOffsetFetchRequest(b.client.Config().Version, b.group, asked))
	if err != nil || answer.GroupError() != sarama.ErrNoError {
		_ = b.client.RefreshCoordinator(b.group) // another one may have become it
		return nil
	}
	return answer
}

// committedOf is from where on the group reads a partition.
func (b *broker) committedOf(at partition, now extent, answer *sarama.OffsetFetchResponse) int64 {
	if answer == nil {
		if before := b.last.Load(); before != nil {
			return (*before)[at].committed
		}
	} else if block := answer.GetBlock(at.topic, at.number); block != nil && block.Err == sarama.ErrNoError && block.Offset >= 0 {
		return block.Offset
	}
	if b.latest {
		return now.end
	}
	return now.begin
}

// Close ends the watch and the connection.
func (b *broker) Close() error {
	b.stop()
	<-b.done
	return b.client.Close()
}
