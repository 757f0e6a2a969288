package bridge

import (
	"context"
	"net"
	"testing"

	"github.com/stationflow/stationflow/internal/kafka"
)

// A session that ends while its canary is on the way leaves it to the next one,
// which does not wait a minute for it.
func TestSession_LeavesItsCanaryToTheNext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, end := context.WithCancel(t.Context())
	go func() {
		connection, err := silent.Accept()
		if err == nil {
			defer connection.Close()
		}
		end()
		<-t.Context().Done()
	}()
	s := &session{bridge: &Bridge{config: Config{Kafka: kafka.Config{Brokers: []string{silent.Addr().String()}}}}}
	s.sendCanaries(ctx)
	if at := s.bridge.canaryAt.Load(); at != 0 {
		t.Errorf("the next canary is due a minute after %d", at)
	}
}
