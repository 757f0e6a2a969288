// Package bridge carries records from Kafka to a Transport: it reads the
// allowed topics in a consumer group, cuts each topic into batches, and
// publishes every batch as one CloudEvent.
//
// Delivery is at least once. An offset is committed only behind a contiguous
// prefix of published batches, by the member that holds the partition; what
// was published but not committed when a process dies is published again by
// its successor. Nothing is skipped: a partition that cannot go on stops, and
// health says why.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/storage"
	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/spare"
	"github.com/stationflow/stationflow/internal/tracing"
)

// Dependencies are what a Bridge can be given from outside; from the zero
// value it makes everything by its Config.
type Dependencies struct {
	Transport   Transport    // nil: the one that Config names
	DeadLetters DeadLetters  // nil: those that Config names, or none for a Transport given here
	Listener    net.Listener // nil: one on Config.Addr
	Logger      *slog.Logger // nil: slog.Default()

	// Tracer records a span for each batch; nil: none. It stays the caller's
	// to close.
	Tracer *tracing.Tracer
}

// A Bridge is one member of the consumer group. Its methods are safe for
// concurrent use; Run is called once.
type Bridge struct {
	config      Config
	transport   Transport
	deadLetters DeadLetters // nil: every batch is tried for ever
	listener    net.Listener
	log         *slog.Logger
	metrics     *metrics
	tracer      *tracing.Tracer // nil: no spans

	bucket   *storage.BucketHandle      // nil without a lake
	encoders spare.List[*batch.Encoder] // with the memory of batches that are published
	refusals refusals                   // on batches that are not through yet
	large    chan struct{}              // holds the one batch at a time that is larger than others may be
	dividing sync.Mutex                 // held by the one batch at a time that is taken apart

	session atomic.Pointer[session] // nil while the group is not joined
	begun   atomic.Bool             // it was joined once
	failed  atomic.Int64            // when an attempt last failed, in Unix nanoseconds; 0 for never

	canaryAt atomic.Int64 // when the last canary was sent, in Unix milliseconds; 0 for never

	mu       sync.Mutex
	trouble  string               // what kept the group from being joined, or Kafka's last complaint
	unread   map[string]unread    // the topics that are left out, by name
	withheld map[string]bool      // by topic: whether the user's rights alone have kept it from being read
	noted    map[string]time.Time // when it was last logged, by text
	detached time.Time            // since when the group is not joined, though there is something to read
}

// New returns a bridge that does nothing until Run.
func New(config Config, with Dependencies) (*Bridge, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	b := &Bridge{
		config:      config,
		transport:   with.Transport,
		deadLetters: with.DeadLetters,
		listener:    with.Listener,
		log:         with.Logger,
		tracer:      with.Tracer,
		large:       make(chan struct{}, 1),
		unread:      make(map[string]unread),
		withheld:    make(map[string]bool),
		noted:       make(map[string]time.Time),
		detached:    time.Now(),
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	b.encoders.Most, b.encoders.New = maxSpares, b.newEncoder
	b.metrics = newMetrics(b)
	return b, nil
}

// Run carries records until ctx is done. Then it stops reading, publishes
// what it has read, commits, leaves the group, and returns nil, all within
// Config.DrainTimeout; what was not published by then is not committed, and
// is read again by its successor. While Kafka or the transport fails it
// tries again; only a fault of the configuration is returned at once, among
// them one that Kafka shows before the group is first joined: a wrong
// password, an unknown authority, the wrong protocol.
func (b *Bridge) Run(ctx context.Context) (err error) {
	closeAll, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()

	server := &http.Server{Handler: b.Handler(), ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	if b.listener != nil {
		serving.Go(func() {
			if err := server.Serve(b.listener); !errors.Is(err, http.ErrServerClosed) {
				b.log.Error("serving health and metrics failed", "error", err)
			}
		})
	}
	summary, stopSummary := context.WithCancel(ctx)
	serving.Go(func() { b.summarize(summary) })

	var stopping atomic.Int64
	context.AfterFunc(ctx, func() { stopping.Store(time.Now().UnixNano()) })
	err = b.consume(ctx)

	stopSummary()
	err = errors.Join(err, server.Close())
	serving.Wait()
	b.sendSpans(&stopping)
	return err
}

// maxSpares bounds how many encoders wait to be used again: as many as a busy
// topic has on their way, with one that is filled.
const maxSpares = 8

// encoder returns an empty one, with memory for at most so many bytes.
func (b *Bridge) encoder(most int) *batch.Encoder {
	e := b.encoders.Take()
	if e.Room() > most {
		return b.newEncoder()
	}
	e.Reset()
	return e
}

// newEncoder returns one that compresses where bytes are paid for: every
// record travels twice.
func (b *Bridge) newEncoder() *batch.Encoder {
	return &batch.Encoder{Compress: b.config.Transport == "pubsub"}
}

// connect makes what was not given: transport, lake and listener.
func (b *Bridge) connect(ctx context.Context) (closeAll func() error, err error) {
	var closers []func() error
	closeMade := func() error {
		var faults []error
		for _, c := range closers {
			faults = append(faults, c())
		}
		return errors.Join(faults...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeMade())
		}
	}()
	ctx = context.WithoutCancel(ctx) // clients outlive ctx while the bridge drains
	if closers, err = b.connectTransport(ctx); err != nil {
		return nil, err
	}
	if b.config.LakeBucket != "" {
		client, err := storage.NewClient(ctx)
		if err != nil {
			return nil, fmt.Errorf("connecting to the lake %s: %w", b.config.LakeBucket, err)
		}
		b.bucket = client.Bucket(b.config.LakeBucket)
		closers = append(closers, client.Close)
	}
	if b.listener == nil && b.config.Addr != "" {
		if b.listener, err = net.Listen("tcp", b.config.Addr); err != nil {
			return nil, fmt.Errorf("serving health and metrics at %s: %w: "+
				"set BRIDGE_ADDR (or PORT) to an address that is free, or stop what uses it", b.config.Addr, err)
		}
	}
	return closeMade, nil
}

// consume stays in the group until ctx is done, and connects again when the
// connection to Kafka cannot be used any more.
func (b *Bridge) consume(ctx context.Context) error {
	for failed := 0; ctx.Err() == nil; failed++ {
		err := b.member(ctx, &failed)
		if fault := new(kafka.Fault); errors.As(err, &fault) && fault.Lasting && !b.begun.Load() {
			return err
		}
		if ctx.Err() == nil {
			if err != nil {
				b.note(err)
			}
			_ = b.config.retries().Wait(ctx, failed)
		}
	}
	return nil
}

// member connects and takes part in the group, session after session, until
// ctx is done or an error that a new connection may cure.
func (b *Bridge) member(ctx context.Context, failed *int) (err error) {
	if err := kafka.Reach(ctx, b.config.Kafka); err != nil {
		return err
	}
	var asked sync.WaitGroup // what sessions have asked, which ends with the clients
	defer asked.Wait()
	// Once ctx is done a broker that does not answer must not keep the process
	// from ending for longer than it takes to drain.
	client, err := b.config.Kafka.Connect(ctx, b.config.Sarama(), b.config.DrainTimeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	control, err := b.config.Kafka.Connect(ctx, b.config.Kafka.Sarama("stationflow-bridge"), b.config.DrainTimeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, control.Close()) }()

	group, err := sarama.NewConsumerGroupFromClient(b.config.GroupID, membership{client})
	if err != nil {
		return fmt.Errorf("joining group %s: %w", b.config.GroupID, err)
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		for err := range group.Errors() {
			b.note(err)
		}
	})
	defer watching.Wait()
	defer func() {
		if e := group.Close(); e != nil && ctx.Err() == nil {
			err = errors.Join(err, e)
		}
	}()

	for ctx.Err() == nil {
		within, end := context.WithCancelCause(ctx)
		s := newSession(b, client, control, end)
		topics, err := s.readable()
		if err == nil {
			err = group.Consume(within, topics, s)
			asked.Go(s.background.Wait)
		}
		end(nil)
		if err != nil && ctx.Err() == nil {
			return kafka.Explain(fmt.Errorf("consuming in group %s: %w", b.config.GroupID, err),
				"use group "+b.config.GroupID+" (KAFKA_GROUP_ID)")
		}
		*failed = 0
	}
	return nil
}

// attach makes the session the current one.
func (b *Bridge) attach(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = ""
	b.begun.Store(true)
	for _, topic := range s.topics {
		b.withheld[topic] = false
	}
	b.session.Store(s)
}

func (b *Bridge) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detached = time.Now()
	b.session.Store(nil)
}
