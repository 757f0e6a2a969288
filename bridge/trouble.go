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

// membership is the group's view of the client: no partition can be read. The
// library then keeps the claims, and fetches nothing; the session does, see
// reading.
type membership struct{ sarama.Client }

// PartitionNotReadable says so.
func (membership) PartitionNotReadable(string, int32) bool { return true }

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
