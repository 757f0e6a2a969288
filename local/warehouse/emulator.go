package warehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/bigquery-emulator/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// emulator is the BigQuery emulator behind the gateway. It fails under concurrency ("database is locked"), so every
// use of call, Handler and conn must hold the gate.
type emulator struct {
	*server.Server
	conn   *grpc.ClientConn
	temp   string // folder to remove when closed, or ""
	served chan error
}

// databaseOptions tune SQLite for one writer at a time: a write-ahead log without an fsync per commit (a crash of the
// process loses nothing, only a crash of the machine may), a 64 MiB page cache, and sorting in memory.
const databaseOptions = "?cache=shared&_pragma=busy_timeout(60000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)" +
	"&_pragma=cache_size(-65536)&_pragma=temp_store(memory)"

// startEmulator opens (or creates) the database in dir, or a temporary one when dir is empty, and serves it on loopback.
func startEmulator(project, dir string) (_ *emulator, err error) {
	e := &emulator{served: make(chan error, 1)}
	defer func() {
		if err != nil && e.temp != "" {
			err = errors.Join(err, os.RemoveAll(e.temp))
		}
	}()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "stationflow-warehouse-"); err != nil {
			return nil, fmt.Errorf("creating the warehouse's temporary folder: %w", err)
		}
		e.temp = dir
	} else if err = os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the warehouse's folder: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("finding the warehouse's folder: %w", err)
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, "warehouse.db")}).EscapedPath()}
	if e.Server, err = server.New(server.Storage(dsn.String() + databaseOptions)); err != nil {
		return nil, fmt.Errorf("opening the warehouse in %s: %w", dir, err)
	}
	if err = e.SetProject(project); err != nil {
		return nil, errors.Join(fmt.Errorf("creating project %s: %w", project, err), e.Server.Close())
	}
	if err = e.serve(); err != nil {
		return nil, errors.Join(err, e.Server.Close())
	}
	return e, nil
}

// serve starts the emulator's own listeners on loopback: its gRPC service has no other entrance, and its HTTP handler
// works only after Serve was called.
func (e *emulator) serve() error {
	bound := make(chan string, 1)
	e.SetListenCallback(func(_, grpcAddr string) { bound <- grpcAddr })
	go func() { e.served <- e.Serve(context.Background(), "127.0.0.1:0", "127.0.0.1:0") }()
	select {
	case addr := <-bound:
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)))
		if err != nil {
			return fmt.Errorf("connecting to the emulator: %w", err)
		}
		e.conn = conn
		return nil
	case err := <-e.served:
		return fmt.Errorf("starting the emulator: %w", err)
	}
}

// stop ends the emulator and removes what was temporary. Callers have drained their requests before.
func (e *emulator) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := errors.Join(e.conn.Close(), e.Stop(ctx))
	if served := <-e.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if e.temp != "" {
		err = errors.Join(err, os.RemoveAll(e.temp))
	}
	return err
}

// call sends one REST request to the emulator's handler and returns what it answered.
func (e *emulator) call(ctx context.Context, method, path string, body any) (*httptest.ResponseRecorder, error) {
	var encoded bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&encoded).Encode(body); err != nil {
			return nil, fmt.Errorf("encoding a request for the emulator: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, path, &encoded)
	if err != nil {
		return nil, fmt.Errorf("building a request for the emulator: %w", err)
	}
	w := httptest.NewRecorder()
	e.Handler.ServeHTTP(w, r)
	return w, nil
}
