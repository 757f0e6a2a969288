// Command sarama only reads: a consumer group of the library and with the
// settings of the bridge, which counts the records and does nothing else.
// What the bridge takes more than this is the bridge's own.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/event"
)

func main() {
	if err := read(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read() error {
	events, err := strconv.ParseInt(os.Getenv("PEER_EVENTS"), 10, 64)
	if err != nil {
		return fmt.Errorf("reading PEER_EVENTS: %w", err)
	}
	settings, err := bridge.FromEnv(func(name string) string {
		return map[string]string{
			"KAFKA_BOOTSTRAP_SERVERS": os.Getenv("PEER_BROKER"), "GOOGLE_CLOUD_PROJECT": "none",
			"BRIDGE_TRANSPORT": "http", "BRIDGE_HTTP_URL": "http://127.0.0.1:1/ingest", // nobody calls it
		}[name]
	})
	if err != nil {
		return err
	}
	group, err := sarama.NewConsumerGroup(settings.Kafka.Brokers, os.Getenv("PEER_GROUP"), settings.Sarama())
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c := &counter{stop: stop}
	c.left.Store(events)
	for ctx.Err() == nil {
		if err := group.Consume(ctx, event.Topics(), c); err != nil {
			return fmt.Errorf("reading from Kafka: %w", err)
		}
	}
	if err := group.Close(); err != nil {
		return fmt.Errorf("leaving the group: %w", err)
	}
	read := strconv.FormatInt(events-c.left.Load(), 10)
	return os.WriteFile(filepath.Join(os.Getenv("PEER_OUT"), "read"), []byte(read), 0o644)
}

// A counter counts down to the last record.
type counter struct {
	left atomic.Int64
	stop func()
}

func (*counter) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*counter) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *counter) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for range claim.Messages() {
		if c.left.Add(-1) == 0 {
			c.stop()
		}
	}
	return nil
}
