package e2e

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// A valve is a TCP proxy that can be closed: what a client sends by then gets
// nowhere, nor does anything that it sends later over the same connection, and
// it gets no answer. It tells neither side.
type valve struct {
	target string
	net.Listener

	mu     sync.Mutex
	closed bool
	held   int // bytes that clients have sent since it was closed
}

// newValve proxies to the address until the test ends.
func newValve(t testing.TB, target string) *valve {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{target: target, Listener: listener}
	t.Cleanup(func() { listener.Close() })
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
		go v.pass(server, client)
		go func() {
			io.Copy(client, server)
			client.Close()
		}()
	}
}

// pass passes on what a client sends, until the first of it meets the valve
// closed.
func (v *valve) pass(server, client net.Conn) {
	defer server.Close()
	buffer := make([]byte, 64<<10)
	cut := false
	for {
		n, err := client.Read(buffer)
		if v.holds(n) {
			cut = true
		}
		if !cut {
			_, e := server.Write(buffer[:n])
			err = errors.Join(err, e)
		}
		if err != nil {
			return
		}
	}
}

func (v *valve) holds(n int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		v.held += n
	}
	return v.closed
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed, v.held = true, 0
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = false
}

// heldBytes is how much clients have sent in vain since the valve was closed.
func (v *valve) heldBytes() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held
}
