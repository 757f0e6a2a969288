package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// canaryEvery is the pause between two canaries.
const canaryEvery = time.Minute

// A canary sender writes a record to Kafka now and then, which then comes back
// as any record does. Of all bridges the one that reads the canary's partition
// sends, so there is one record a minute while any runs, and none while none
// does.
type canarySender struct {
	bridge   *Bridge
	client   sarama.Client
	producer sarama.SyncProducer // nil until the first one is sent, and after a failure
}

// sendCanaries sends until ctx is done. What goes wrong is logged: no record of
// the stations waits for it.
func (s *session) sendCanaries(ctx context.Context) {
	sender := canarySender{bridge: s.bridge}
	defer sender.disconnect()
	for {
		due := time.UnixMilli(s.bridge.canaryAt.Load()).Add(canaryEvery) // sessions may follow one another quickly
		if pause.For(ctx, time.Until(due)) != nil {
			return
		}
		now := time.Now()
		before := s.bridge.canaryAt.Swap(now.UnixMilli())
		err := sender.send(ctx, now)
		if err != nil && ctx.Err() != nil { // the next session's is due as this one was
			s.bridge.canaryAt.Store(before)
			return
		}
		if err != nil {
			s.bridge.metrics.canaries.WithLabelValues("failed").Inc()
			s.bridge.log.Warn("canary not sent", "error", err.Error())
			sender.disconnect()
		} else {
			s.bridge.metrics.canaries.WithLabelValues("sent").Inc()
			s.bridge.log.Info("canary sent")
		}
	}
}

// send returns when Kafka has the record, or with why it may not have it.
func (c *canarySender) send(ctx context.Context, now time.Time) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	id := fmt.Sprintf("canary-%d", now.Unix())
	value, err := json.Marshal(event.Canary{ID: id, Timestamp: now.UTC()})
	if err != nil {
		return fmt.Errorf("writing a canary: %w", err)
	}
	_, _, err = c.producer.SendMessage(&sarama.ProducerMessage{
		Topic: event.CanaryTopic, Key: sarama.StringEncoder(id), Value: sarama.ByteEncoder(value), Timestamp: now,
	})
	if err != nil {
		return kafka.Explain(fmt.Errorf("sending a canary: %w", err), "write to topic "+event.CanaryTopic+" (BRIDGE_CANARY)")
	}
	return nil
}

func (c *canarySender) connect(ctx context.Context) (err error) {
	if c.producer != nil {
		return nil
	}
	settings := c.bridge.config.Kafka.Sarama("stationflow-canary")
	settings.Producer.RequiredAcks = sarama.WaitForAll
	settings.Producer.Return.Successes = true
	settings.Producer.Partitioner = sarama.NewManualPartitioner // the only one that is sure to be this bridge's
	settings.Producer.Retry.Max = 3
	if c.client, err = c.bridge.config.Kafka.Connect(ctx, settings, 0); err != nil {
		return err
	}
	if c.producer, err = sarama.NewSyncProducerFromClient(c.client); err != nil {
		err = errors.Join(fmt.Errorf("starting the producer of canaries: %w", err), c.client.Close())
	}
	return err
}

// disconnect ends the connection, if there is one.
func (c *canarySender) disconnect() {
	if c.producer == nil {
		return
	}
	_ = c.producer.Close() // which has sent all there was
	_ = c.client.Close()
	c.producer = nil
}
