package kafka

import (
	"errors"
	"runtime"

	"github.com/IBM/sarama"
)

// Open has the broker connected, and waits for that. The library's client opens
// the brokers that it names, but while one goroutine is about to, another one
// that uses the broker is told that it is not connected: the library notes that
// it opens before it takes the broker's lock (sarama 1.61.1, Broker.Open). Any
// number may call it at once.
func Open(broker *sarama.Broker, config *sarama.Config) error {
	for {
		err := broker.Open(config)
		connected, fault := broker.Connected()
		switch {
		case connected:
			return nil
		case err == nil:
			return fault // of our own attempt
		case !errors.Is(err, sarama.ErrAlreadyConnected):
			return err
		}
		runtime.Gosched() // another goroutine is about to, or has just failed
	}
}
