package sink

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"
)

// Of several failures the one is told that the others follow from.
func TestExplain_TellsTheCause(t *testing.T) {
	failed := func(topic string, err error) *sarama.ProducerError {
		return &sarama.ProducerError{Msg: &sarama.ProducerMessage{Topic: topic}, Err: err}
	}
	err := explain(sarama.ProducerErrors{
		failed("train_arrivals", sarama.ErrInvalidProducerEpoch),
		failed("incidents", sarama.ErrOutOfOrderSequenceNumber),
		failed("passenger_flow", sarama.ErrMessageSizeTooLarge),
	}, 23)
	for _, part := range []string{"3 of 23 events", "topic passenger_flow", "max.message.bytes"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	if err := explain(sarama.ProducerErrors{failed("incidents", sarama.ErrInvalidProducerEpoch)}, 1); !strings.Contains(err.Error(), "incidents") {
		t.Errorf("of one that only follows: %v", err)
	}
}
