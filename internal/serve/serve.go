// Package serve runs the registered functions in this process, with the
// functions framework that also runs them in the cloud.
package serve

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

// A Server serves every registered function at /<its name>, or, where
// FUNCTION_TARGET names one, that one at every path. The framework has no
// way to stop it: it ends with the process, and a call that runs then is
// not answered, which is a failure like any other to the caller.
type Server struct {
	Addr   string // host:port it listens on
	failed chan error
}

// Start returns once the functions accept connections at host and port; an
// empty host is every interface, port 0 a free port. Starting a second Server
// in a process is of no use: it serves the same functions.
func Start(ctx context.Context, host, port string) (*Server, error) {
	// The framework does not tell which port it got, nor that it listens.
	// Taking the port first settles both, and a port in use is an error here
	// rather than a connection to somebody else below.
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("serving functions: %w", err)
	}
	s := &Server{Addr: listener.Addr().String(), failed: make(chan error, 1)}
	if err := listener.Close(); err != nil {
		return nil, fmt.Errorf("serving functions: %w", err)
	}
	_, port, err = net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, fmt.Errorf("serving functions: %w", err)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // the framework puts a colon and the port behind it
	}
	go func() { s.failed <- funcframework.StartHostPort(host, port) }()
	return s, s.accepts(ctx)
}

// accepts waits until the server takes connections.
func (s *Server) accepts(ctx context.Context) error {
	var dialer net.Dialer
	for {
		connection, err := dialer.DialContext(ctx, "tcp", s.Addr)
		if err == nil {
			return connection.Close()
		}
		select {
		case err := <-s.failed:
			return fmt.Errorf("serving functions on %s: %w", s.Addr, err)
		case <-ctx.Done():
			return fmt.Errorf("serving functions on %s: %w", s.Addr, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Wait returns when the server failed, with why, or when ctx ends, with nil.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case err := <-s.failed:
		return fmt.Errorf("serving functions on %s: %w", s.Addr, err)
	case <-ctx.Done():
		return nil
	}
}
