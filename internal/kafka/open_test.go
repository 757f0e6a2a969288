package kafka_test

import (
	"net"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

// slowly is a logger that takes its time over the first line.
type slowly struct {
	begun chan struct{}   // closed when it has begun
	until <-chan struct{} // it waits for that, but not for long
}

func (l *slowly) Println(...any) {
	select {
	case <-l.begun:
		return
	default:
		close(l.begun)
	}
	select {
	case <-l.until:
	case <-time.After(100 * time.Millisecond):
	}
}
func (l *slowly) Printf(string, ...any) { l.Println() }
func (l *slowly) Print(...any)          { l.Println() }

// Whoever opens a broker that another goroutine is about to open can use it
// afterwards.
func TestOpen_WaitsForTheOther(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	opened := make(chan struct{})
	logger := &slowly{make(chan struct{}), opened}
	defer func(before sarama.StdLogger) { sarama.Logger = before }(sarama.Logger)
	sarama.Logger = logger
	settings := sarama.NewConfig()
	settings.ApiVersionsRequest = false
	settings.Producer.MaxMessageBytes = int(sarama.MaxRequestSize) // of which the library logs a line while it is about to open

	broker := sarama.NewBroker(listener.Addr().String())
	other := make(chan error)
	go func() { other <- broker.Open(settings) }()
	<-logger.begun
	err = kafka.Open(broker, settings)
	connected, _ := broker.Connected()
	close(opened)
	if err != nil || !connected {
		t.Errorf("it is open (%v), and connected is %v", err, connected)
	}
	if err := <-other; err != nil {
		t.Error(err)
	}
	if err := broker.Close(); err != nil {
		t.Error(err)
	}
}

// Where nobody answers all are told.
func TestOpen_NobodyAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	broker := sarama.NewBroker(listener.Addr().String())
	failed := make(chan error)
	for range 8 {
		go func() { failed <- kafka.Open(broker, sarama.NewConfig()) }()
	}
	for range 8 {
		if err := <-failed; err == nil {
			t.Error("a broker that is not there is open")
		}
	}
}
