package kafkatest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
)

// A freezer stands before a broker, at the address that the broker tells, and
// lets its clients through until it freezes: from then on it accepts
// connections, and nothing comes back.
type freezer struct {
	frozen atomic.Bool
	met    chan struct{} // closed when something came while it was frozen
}

func newFreezer(t *testing.T) (f *freezer, address string) {
	t.Helper()
	f = &freezer{met: make(chan struct{})}
	broker := newCluster(t)
	var once atomic.Bool
	address = serve(t, func(client net.Conn) {
		server, err := net.Dial("tcp", broker)
		if err != nil {
			t.Error(err)
			return
		}
		go f.pass(server, client, func() {
			if !once.Swap(true) {
				close(f.met)
			}
		})
		go f.pass(client, server, func() {})
	})
	return f, address
}

func (f *freezer) pass(to, from net.Conn, held func()) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if f.frozen.Load() {
			held()
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// soon is far less than the library waits for an answer, and far more than it
// takes to end.
const soon = 5 * time.Second

// Ctrl-C is heard while a broker that has answered so far does not.
func TestCreateTopics_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, address := newFreezer(t)
	f.frozen.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-f.met; cancel() }()
	ended := make(chan error, 1)
	go func() {
		ended <- kafka.CreateTopics(ctx, config(t, address), []string{"incidents"}, 6)
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v, want the context's end", err)
		}
	case <-time.After(6 * soon):
		t.Error("it did not end")
	}
}

// A client ends with its context whatever the library is waiting for.
func TestConnect_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	address := newCluster(t)
	c := config(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	client, err := c.Connect(ctx, c.Sarama("test"), 0)
	if err != nil {
		t.Fatal(err)
	}
	broker := client.LeastLoadedBroker()
	if _, err := kafka.Identify(broker, client.Config().Version, []string{"incidents"}); err != nil {
		t.Fatal(err)
	}
	cancel()
	for deadline := time.Now().Add(soon); err == nil && time.Now().Before(deadline); {
		_, err = kafka.Identify(broker, client.Config().Version, []string{"incidents"})
	}
	if err == nil {
		t.Error("it is connected although its context is done")
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Connect(ctx, c.Sarama("test"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("connecting afterwards: %v, want the context's end", err)
	}
}
