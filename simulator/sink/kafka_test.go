package sink

import (
	"errors"
	"testing"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"
)

// What was not acknowledged because its topic is gone is sent again, in whatever
// words the library says so; nothing is where there was any other reason.
func TestKafka_SendsAgainWhatLostItsTopic(t *testing.T) {
	for name, test := range map[string]struct {
		errs  []error
		again int
	}{
		"the topic is gone":         {[]error{sarama.ErrUnknownTopicOrPartition, sarama.ErrUnknownTopicOrPartition}, 2},
		"and not asked about again": {[]error{sarama.ErrUnknownTopicOrPartition, breaker.ErrBreakerOpen}, 2},
		"it is another":             {[]error{sarama.ErrOutOfOrderSequenceNumber, sarama.ErrUnknownProducerID}, 2},
		"something else":            {[]error{sarama.ErrUnknownTopicOrPartition, sarama.ErrTopicAuthorizationFailed}, 0},
	} {
		var failed sarama.ProducerErrors
		for _, err := range test.errs {
			failed = append(failed, &sarama.ProducerError{Msg: &sarama.ProducerMessage{Topic: "incidents"}, Err: err})
		}
		if again := lostTheirTopic(failed); len(again) != test.again {
			t.Errorf("%s: %d messages are sent again, want %d", name, len(again), test.again)
		}
	}
	if again := lostTheirTopic(errors.New("no connection")); again != nil {
		t.Errorf("%d messages are sent again", len(again))
	}
}
