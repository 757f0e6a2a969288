// Package warehouse is BigQuery on this machine: the emulator github.com/goccy/bigquery-emulator behind a gateway of our own that speaks BigQuery's REST API and its Storage API (gRPC) and mends what the emulator alone gets
// wrong.
//
// Alone, the emulator fails under concurrency, puts rows of a shared append connection into other tables, keeps every
// job for ever and grows with every table that is made. The gateway therefore
//
//   - lets one request at a time through, appends before statements (see gate),
//   - sends every append request upstream by itself, complete with table and schema, and answers the caller's faults
//     as BigQuery does (see writeServer),
//   - runs query jobs itself and keeps their results in bounded memory (see jobs),
//   - runs the emulator in a process of its own and replaces that when it has grown: GoogleSQL's analyzer keeps some
//     memory of every statement for ever. A replacement takes some 0.2 s, between two requests (see tend),
//   - rewrites the statements and requests that the emulator would misunderstand (see rest), runs the statements of
//     scripts itself, so that no request sees another (see script), and refuses with a sentence what the emulator would
//     answer with something else (see missing),
//   - has the emulator's functions replaced where they are not BigQuery's (see package engine/mend).
//
// A table of what BigQuery's reference documents holds all of it: testdata/bigquery.tsv.
//
// An append is acknowledged after its transaction was committed: with a folder to keep, acknowledged rows survive the
// end of the process, by Close or by a crash. A client that gets no answer must expect either outcome.
package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// Config says what to start.
type Config struct {
	Project  string       // the project's id; required
	Engine   []string     // the command that runs engine.Main; required
	DataDir  string       // folder to keep the data in; "" keeps nothing
	RESTAddr string       // host:port of the REST API; "" takes a free port of 127.0.0.1
	GRPCAddr string       // host:port of the Storage API; "" takes a free port of 127.0.0.1
	Storage  string       // http://host:port of the Cloud Storage that load jobs read; "" is none
	Log      *slog.Logger // default: slog.Default()

	Metered func(Metered) // takes what each query that ran was billed by; it must not call the warehouse; nil is nobody

	// Before, where set, is called with each statement before it runs, to fill
	// tables that stand in for what is stored elsewhere. It may append rows. A
	// statement whose call fails is not run.
	Before func(ctx context.Context, statement string) error
}

// Warehouse is a running local BigQuery. Its methods may be called concurrently.
type Warehouse struct {
	emulator *emulator
	gate     gate
	tables   *tables
	write    *writeServer
	log      *slog.Logger
	replaced atomic.Int64 // how often the emulator's process was
	appended appendedCounters
	latency  histogram // of AppendRows requests, from receipt to answer

	rest     *http.Server
	restAddr string
	grpc     *grpc.Server
	grpcAddr string
	closing  context.CancelFunc // ends open append streams
	abort    context.CancelFunc // interrupts running statements
	servers  errgroup.Group
}

// closeGrace is how long Close waits for requests in progress before it interrupts them.
const closeGrace = 5 * time.Second

// Start opens the database and serves it until Close. ctx bounds the start only.
func Start(ctx context.Context, cfg Config) (*Warehouse, error) {
	if cfg.Project == "" || len(cfg.Engine) == 0 {
		return nil, errors.New("starting the warehouse: no project or no engine: set Config.Project and Config.Engine")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	restListener, err := listen(ctx, cfg.RESTAddr)
	if err != nil {
		return nil, fmt.Errorf("starting the warehouse's REST API: %w", err)
	}
	grpcListener, err := listen(ctx, cfg.GRPCAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the warehouse's Storage API: %w", err), restListener.Close())
	}
	e, err := startEmulator(cfg.Engine, cfg.Project, cfg.DataDir)
	if err != nil {
		return nil, errors.Join(err, restListener.Close(), grpcListener.Close())
	}
	w := &Warehouse{
		emulator: e,
		gate:     gate{garbage: make(chan struct{}, 1)},
		log:      cfg.Log,
		appended: appendedCounters{tables: map[string]Appended{}},
		restAddr: restListener.Addr().String(),
		grpcAddr: grpcListener.Addr().String(),
	}
	w.serve(cfg, restListener, grpcListener)
	return w, nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", addr)
}

// serve starts both servers. Statements run under a context that abort cancels, not under the listener's.
func (w *Warehouse) serve(cfg Config, restListener, grpcListener net.Listener) {
	closing, stopStreams := context.WithCancel(context.Background())
	running, abort := context.WithCancel(context.Background())
	w.closing, w.abort = stopStreams, abort

	w.tables = newTables(w.emulator, &w.gate)
	api := newREST(cfg, w.emulator, &w.gate, w.tables, "http://"+w.restAddr)
	w.rest = &http.Server{
		Handler:           api.handler(),
		BaseContext:       func(net.Listener) context.Context { return running },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
	w.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes))
	w.write = &writeServer{
		emulator: w.emulator, gate: &w.gate, tables: w.tables, appended: &w.appended, latency: &w.latency, closing: closing, log: cfg.Log,
	}
	read := &readServer{rest: api, gate: &w.gate}
	storagepb.RegisterBigQueryWriteServer(w.grpc, w.write)
	storagepb.RegisterBigQueryReadServer(w.grpc, read)
	w.servers.Go(func() error {
		w.tend(closing)
		return nil
	})
	w.servers.Go(func() error {
		if err := w.rest.Serve(restListener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving the warehouse's REST API: %w", err)
		}
		return nil
	})
	w.servers.Go(func() error {
		if err := w.grpc.Serve(grpcListener); err != nil {
			return fmt.Errorf("serving the warehouse's Storage API: %w", err)
		}
		return nil
	})
}

// RESTURL is the REST API's address, as http://host:port.
func (w *Warehouse) RESTURL() string { return "http://" + w.restAddr }

// GRPCAddr is the Storage API's address, as host:port.
func (w *Warehouse) GRPCAddr() string { return w.grpcAddr }

// Appended says what was appended since the start, by "dataset.table".
func (w *Warehouse) Appended() map[string]Appended { return w.appended.snapshot() }

// Stats are durations since the start.
type Stats struct {
	Append        Latency // an AppendRows request, from receipt to answer
	AppendWait    Latency // the part of it spent waiting for its turn
	StatementWait Latency // waiting of REST requests and of the other gRPC calls
	Replaced      int64   // how often the emulator's process was replaced
	Requests      int64   // REST requests that the emulator's process got
}

// Stats says how long requests took and waited.
func (w *Warehouse) Stats() Stats {
	return Stats{
		Append:        w.latency.latency(),
		AppendWait:    w.gate.waits[appends].latency(),
		StatementWait: w.gate.waits[statements].latency(),
		Replaced:      w.replaced.Load(),
		Requests:      w.emulator.requests.Load(),
	}
}

// Close lets requests in progress finish, for five seconds at most, then interrupts them, and closes the database.
// Open append streams end with Unavailable, which clients answer by connecting again. Call it once.
func (w *Warehouse) Close() error {
	grace, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	w.closing()
	stopped := make(chan struct{})
	go func() { w.grpc.GracefulStop(); close(stopped) }()
	err := w.rest.Shutdown(grace)
	select {
	case <-stopped:
	case <-grace.Done():
	}
	w.abort()
	w.grpc.Stop()
	<-stopped
	if errors.Is(err, context.DeadlineExceeded) {
		err = w.rest.Close()
	}
	err = errors.Join(err, w.servers.Wait())
	// Requests that are still inside were interrupted and leave; then nobody uses the emulator any more.
	if entered := w.gate.enter(context.Background(), statements); entered != nil {
		err = errors.Join(err, entered)
	}
	return errors.Join(err, w.emulator.stop())
}
