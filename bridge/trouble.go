package bridge

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

// holding is the group's view of the client: a partition that was stopped
// counts as not readable, so that the library keeps its claim, and with it
// the session of all others, without reading it.
type holding struct {
	sarama.Client
	bridge *Bridge
}

func (h holding) PartitionNotReadable(topic string, partition int32) bool {
	if s := h.bridge.session.Load(); s != nil {
		if p := s.partitions[kafka.Partition{Topic: topic, Number: partition}]; p != nil && p.stopped.Load() != nil {
			return true
		}
	}
	return h.Client.PartitionNotReadable(topic, partition)
}

// complain takes note of an error that Kafka's library reports in passing.
func (b *Bridge) complain(err error) {
	var fault *sarama.ConsumerError
	if s := b.session.Load(); s != nil && errors.As(err, &fault) && errors.Is(fault.Err, sarama.ErrOffsetOutOfRange) {
		s.outOfRange(fault.Topic, fault.Partition)
	}
	if fault != nil {
		err = kafka.Explain(err, "read topic "+fault.Topic)
	}
	b.note(err)
}

// note keeps what is wrong for health, and logs it, though each thing only
// once a minute: while a broker is away every partition complains all the
// time, each in its own words.
func (b *Bridge) note(err error) {
	text := err.Error()
	if away(err) {
		text = fmt.Sprintf("Kafka at %s is away: start it, or correct KAFKA_BOOTSTRAP_SERVERS; the bridge keeps trying",
			strings.Join(b.config.Kafka.Brokers, ","))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = text
	if time.Since(b.noted[text]) < time.Minute {
		return
	}
	if len(b.noted) >= 100 { // texts that tell offsets are all different
		clear(b.noted)
	}
	b.noted[text] = time.Now()
	b.log.Warn("Kafka reports a problem", "error", text)
}

// away reports whether an error tells nothing but that a connection was lost
// or cannot be made.
func away(err error) bool {
	var fault *kafka.Fault
	var network net.Error
	return !errors.As(err, &fault) && (errors.As(err, &network) || errors.Is(err, io.EOF) ||
		errors.Is(err, sarama.ErrOutOfBrokers) || errors.Is(err, sarama.ErrNotConnected))
}
