package e2e

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// A valve is a TCP proxy that can be closed: then what one side sends waits,
// and the other side does not answer.
type valve struct {
	target string
	net.Listener

	mu     sync.Mutex
	change *sync.Cond
	closed bool
	held   int // bytes from clients that wait since it was closed
}

// newValve proxies to the address until the test ends.
func newValve(t testing.TB, target string) *valve {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{target: target, Listener: listener}
	v.change = sync.NewCond(&v.mu)
	t.Cleanup(func() { v.open(); listener.Close() })
	go v.serve()
	return v
}

func (v *valve) address() string { return v.Listener.Addr().String() }

func (v *valve) serve() {
	for {
		client, err := v.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", v.target)
		if err != nil {
			client.Close()
			continue
		}
		go v.copy(server, client)
		go func() {
			io.Copy(client, server)
			client.Close()
		}()
	}
}

// copy passes on what a client sends, while the valve is open.
func (v *valve) copy(server, client net.Conn) {
	defer server.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		v.wait(n)
		if _, e := server.Write(buffer[:n]); errors.Join(err, e) != nil {
			return
		}
	}
}

func (v *valve) wait(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		v.held += n
	}
	for v.closed {
		v.change.Wait()
	}
}

func (v *valve) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed, v.held = true, 0
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = false
	v.change.Broadcast()
}

// heldBytes is how much clients have sent in vain since the valve was closed.
func (v *valve) heldBytes() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held
}
