// Package engine is the program that the warehouse runs as a child: the BigQuery emulator on one database. Nothing else
// links the emulator, whose analyzer is the largest package by far; see package warehouse for why it is a child.
package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/goccy/bigquery-emulator/server"
	"github.com/ncruces/go-sqlite3"
	"google.golang.org/grpc"

	"github.com/stationflow/stationflow/local/warehouse"
	"github.com/stationflow/stationflow/local/warehouse/engine/mend"
)

// databaseOptions tune SQLite for one writer at a time: a write-ahead log without an fsync per commit (a crash of the
// process loses nothing, only a crash of the machine may), a 64 MiB page cache, and sorting in memory.
const databaseOptions = "?cache=shared&_pragma=busy_timeout(60000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)" +
	"&_pragma=cache_size(-65536)&_pragma=temp_store(memory)"

// Main serves the database in a folder until the standard input ends, and returns the exit code. Its arguments are the
// project and the folder; see warehouse.Report for what it writes. Signals are the parent's business: it ends this
// process when it has drained.
func Main(args []string) int {
	runtime.MemProfileRate = 0 // nobody asks this process for a profile of its memory, which costs a twenty-fifth of its time
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "this command is for the local warehouse: it runs its own BigQuery emulator with it")
		return 2
	}
	if err := run(args[0], args[1], os.Stdin, json.NewEncoder(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func run(project, folder string, in io.Reader, out *json.Encoder) error {
	counted := &changes{tables: map[string]warehouse.Changes{}}
	sqlite3.AutoExtension(counted.watch)
	e, err := open(project, folder)
	if err != nil {
		return errors.Join(err, out.Encode(warehouse.Report{Fault: err.Error()}))
	}
	own, err := ownHandler(project, folder, counted)
	if err != nil {
		return errors.Join(err, e.Close(), out.Encode(warehouse.Report{Fault: err.Error()}))
	}
	rest, address, served, err := serve(e, own)
	if err != nil {
		return errors.Join(err, e.Close(), out.Encode(warehouse.Report{Fault: err.Error()}))
	}
	if err := out.Encode(warehouse.Report{REST: rest.address, GRPC: address}); err != nil {
		return err
	}
	for requests := bufio.NewScanner(in); requests.Scan(); { // each line asks for a collection
		if err := out.Encode(collect()); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = errors.Join(rest.Shutdown(ctx), e.Stop(ctx))
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) && !errors.Is(ended, grpc.ErrServerStopped) { // the latter when it had hardly begun
		err = errors.Join(err, ended)
	}
	return err
}

func databaseName(folder string) string {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(folder, "warehouse.db")}).EscapedPath()}
	return dsn.String()
}

// open opens or creates the database in the folder.
func open(project, folder string) (*server.Server, error) {
	if err := mend.Apply(); err != nil {
		return nil, fmt.Errorf("mending the emulator: %w", err)
	}
	e, err := server.New(server.Storage(databaseName(folder) + databaseOptions))
	if err != nil {
		return nil, fmt.Errorf("opening the warehouse in %s: %w", folder, err)
	}
	if err := e.SetProject(project); err != nil {
		return nil, errors.Join(fmt.Errorf("creating project %s: %w", project, err), e.Close())
	}
	return e, nil
}

type restServer struct {
	*http.Server
	address string
}

// ownHandler answers what the emulator itself is too slow or too poor for.
func ownHandler(project, folder string, counted *changes) (*http.ServeMux, error) {
	db, err := openDatabase(databaseName(folder) + databaseOptions)
	if err != nil {
		return nil, err
	}
	measured, known := &sizes{db}, &tables{db}
	const table = "/projects/{project}/datasets/{dataset}/tables/{table}"
	mux := http.NewServeMux()
	mux.Handle("POST "+warehouse.SizesPath, measured)
	mux.HandleFunc("POST "+warehouse.JobsPath, measured.forgetJobs)
	mux.Handle("POST /projects/{project}/queries", counted.report(&queries{project, db}))
	mux.HandleFunc("GET "+table, known.get)
	mux.HandleFunc("PATCH "+table, known.patch)
	mux.HandleFunc("PUT "+table, known.update)
	return mux, nil
}

// serve starts the emulator's own servers, because its gRPC service has no other entrance and its HTTP handler works
// only then, and one more for the handler: the emulator's cuts statements off that take long.
func serve(e *server.Server, own *http.ServeMux) (rest restServer, address string, served <-chan error, err error) {
	bound, ended := make(chan string, 1), make(chan error, 1)
	e.SetListenCallback(func(_, address string) { bound <- address })
	go func() { ended <- e.Serve(context.Background(), "127.0.0.1:0", "127.0.0.1:0") }()
	select {
	case address = <-bound:
	case err := <-ended:
		return rest, "", nil, fmt.Errorf("starting the emulator: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return rest, "", nil, fmt.Errorf("serving the emulator: %w", err)
	}
	own.Handle("/", e.Handler)
	rest = restServer{&http.Server{Handler: own, ReadHeaderTimeout: 10 * time.Second}, listener.Addr().String()}
	go func() { _ = rest.Serve(listener) }() // it ends with Shutdown, and its clients notice before anyone here
	return rest, address, ended, nil
}

// collect runs Go's collector, which GoogleSQL needs to free anything: its memory is one block to Go, and the objects in
// it are freed when the few bytes of Go that refer to them are.
func collect() warehouse.Report {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return warehouse.Report{Bytes: memory.HeapAlloc}
}
