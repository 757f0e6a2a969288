package system

import (
	"net"
	"strings"
	"testing"
)

// Who named the broker by flag is told to correct the flag.
func TestStartKafka_AwayNamesTheFlag(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s := &System{options: Options{Kafka: address}, getenv: overlay(func(string) string { return "" }, []string{"KAFKA_BOOTSTRAP_SERVERS=" + address})}
	err = s.startKafka(t.Context())
	if err == nil || !strings.Contains(err.Error(), "or correct --kafka") || strings.Contains(err.Error(), "KAFKA_BOOTSTRAP_SERVERS") {
		t.Errorf("the error is %v", err)
	}
}
