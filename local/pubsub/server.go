// Package pubsub is a Pub/Sub server for one machine. It speaks google.pubsub.v1 over gRPC, so a stock client works
// against it once PUBSUB_EMULATOR_HOST names its address, and it delivers push subscriptions over HTTP.
//
// Delivery is at least once: a message stays with a subscription until that subscription acknowledges it, and what
// is not acknowledged in time, answered with a failure or cut off is delivered again by the subscription's retry
// policy, then dead-lettered by its dead letter policy. Duplicates are the subscriber's to drop, by message id.
//
// Limits and errors are those of the service (https://cloud.google.com/pubsub/quotas). What a request asks for and
// this server does not do (ordered or exactly-once delivery, exports, schemas, snapshots, retention of
// acknowledged messages) is refused with Unimplemented. Accepted and without effect are access control, push
// authentication, expiration and retention: a message is kept until it is acknowledged.
//
// Topics and subscriptions live in memory; the program that starts the server creates them. Messages survive a restart when
// Config.DataDir is set: a publish is answered after its write to the operating system, so the end of the process,
// kill -9 included, loses none; the end of the machine may. They wait until their subscription is created again, by
// name. Delivery attempts are counted again after a restart.
package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
)

// maxReceivedBytes is what gRPC reads of one request. It lies far over the service's limit of a publish request, so
// that a request over that limit is refused as invalid, not as ResourceExhausted, which clients retry.
const maxReceivedBytes = 64 << 20

// Config says how a server runs. The zero value is a server in memory on a free loopback port.
type Config struct {
	Addr            string        // host:port to listen on, port 0 takes a free one; default 127.0.0.1:0
	DataDir         string        // folder that keeps unacknowledged messages, of one server at a time; empty: memory only
	MaxBytes        int64         // unacknowledged bytes held before Publish is refused; default 256 MiB, at least 16 MiB
	PushConcurrency int           // requests under way at once per push subscription; default 32
	Grace           time.Duration // how long Close lets pushes in flight finish; default 5 s
	Log             *slog.Logger  // default slog.Default()
}

func (c Config) withDefaults() (Config, error) {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 256 << 20
	}
	if c.PushConcurrency == 0 {
		c.PushConcurrency = 32
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.MaxBytes < 16<<20 {
		return c, fmt.Errorf("MaxBytes is %d; it must be at least 16 MiB, because one message may have 10 MB", c.MaxBytes)
	}
	if c.PushConcurrency < 0 || c.Grace < 0 {
		return c, errors.New("PushConcurrency and Grace must not be negative")
	}
	return c, nil
}

// Server is a running Pub/Sub server. Its methods may be called from several goroutines.
type Server struct {
	grace    time.Duration
	listener net.Listener
	grpc     *grpc.Server
	broker   *broker
	served   chan error
}

// Start listens on cfg.Addr, reads the messages kept in cfg.DataDir and serves until Close. ctx bounds the start only.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("starting Pub/Sub: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("starting Pub/Sub: %w", err)
	}
	server, err := serve(cfg, listener, new(net.Dialer).DialContext)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting Pub/Sub: %w", err), listener.Close())
	}
	return server, nil
}

// dialFunc opens the connections of pushes.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// serve runs a server on a listener; it takes its connections as arguments so that tests can keep them in memory.
func serve(cfg Config, listener net.Listener, dial dialFunc) (*Server, error) {
	messages, err := openStore(cfg)
	if err != nil {
		return nil, err
	}
	for name, orphans := range messages.orphans {
		cfg.Log.Info("messages wait for their subscription to be created", "subscription", name, "messages", len(orphans))
	}
	s := &Server{
		grace:    cfg.Grace,
		listener: listener,
		grpc:     grpc.NewServer(grpc.MaxRecvMsgSize(maxReceivedBytes), grpc.WaitForHandlers(true)),
		broker:   newBroker(cfg, messages, newPusher(dial, cfg.PushConcurrency)),
		served:   make(chan error, 1),
	}
	pubsubpb.RegisterPublisherServer(s.grpc, publisher{broker: s.broker})
	pubsubpb.RegisterSubscriberServer(s.grpc, subscriber{broker: s.broker})
	go func() { s.served <- s.grpc.Serve(listener) }()
	return s, nil
}

func openStore(cfg Config) (*store, error) {
	if cfg.DataDir == "" {
		return newStore(cfg, nil, nil), nil
	}
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return nil, err
	}
	file, recovered, err := openJournal(filepath.Join(cfg.DataDir, "messages.log"))
	if err != nil {
		return nil, err
	}
	if file.cut > 0 {
		cfg.Log.Warn("an unfinished write was cut off the messages", "file", file.path, "bytes", file.cut)
	}
	return newStore(cfg, file, recovered), nil
}

// Addr is the address that clients connect to, as host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Stats counts what happened since the start and what is held now.
func (s *Server) Stats() Stats { return s.broker.stats() }

// Close stops accepting requests and starting pushes, gives the pushes in flight Config.Grace to finish, cancels the
// others and returns once every goroutine has ended. What was not acknowledged stays in DataDir. Call it once.
func (s *Server) Close() error {
	s.broker.stopTaking()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.grpc.GracefulStop()
	}()
	grace := time.AfterFunc(s.grace, func() {
		s.broker.cancelPushes()
		s.grpc.Stop()
	})
	defer grace.Stop()
	<-stopped
	s.broker.wait()
	return errors.Join(<-s.served, s.broker.store.end())
}

// newPusher returns the HTTP side of push delivery. It follows no redirects, as the service follows none.
func newPusher(dial dialFunc, concurrency int) *pusher {
	return &pusher{client: &http.Client{
		Transport: &http.Transport{
			DialContext:         dial,
			DisableCompression:  true,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 4 * concurrency, // several subscriptions may push to one host
			WriteBufferSize:     64 << 10,        // a usual micro-batch in one write
			IdleConnTimeout:     90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}
