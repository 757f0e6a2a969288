// Package transform turns raw rows into marts: it reads the dbt project, runs
// its models and tests natively against BigQuery, and answers when prod_data
// is up to date.
//
// Parse (project.go, properties.go), compile (jinja.go, compile.go), build
// (materialize.go), test (datatest.go) and report (report.go) are one step
// each; run.go puts them in order, and service.go lets one run happen at a
// time. SQL that decides numbers is in the project; this package only wraps
// it into the statements that store it.
//
// Runs are harmless to repeat. A table's contents change in one transaction:
// after a crash it holds the old or the new ones, and the next run catches up.
package transform

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/functions/transform/project"
	"github.com/stationflow/stationflow/internal/env"
	warehouseenv "github.com/stationflow/stationflow/internal/warehouse"
)

// Config says what to run and where.
type Config struct {
	Warehouse warehouseenv.Config
	Location  *time.Location // the network's time zone
	Wait      time.Duration  // longest wait of a request for a run in progress
	Statement time.Duration  // deadline of one statement
	Run       time.Duration  // deadline of a run

	// Files is the dbt project; nil is the one of this repository.
	Files fs.FS
	// Vars override variables of the project.
	Vars map[string]any
	// Now is the clock; nil is time.Now. It decides which day is today.
	Now func() time.Time
	// Log receives one line a run, and one for each failure; nil is
	// slog.Default().
	Log *slog.Logger
}

// FromEnv reads the warehouse's variables, STATION_TIMEZONE, TRANSFORM_WAIT,
// TRANSFORM_STATEMENT_TIMEOUT and TRANSFORM_RUN_TIMEOUT.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	config := Config{
		Warehouse: warehouseenv.FromEnv(r),
		Location:  r.Location("STATION_TIMEZONE", "UTC"),
		Wait:      r.Duration("TRANSFORM_WAIT", 240*time.Second, time.Second, 30*time.Minute),
		Statement: r.Duration("TRANSFORM_STATEMENT_TIMEOUT", 2*time.Minute, time.Second, time.Hour),
		Run:       r.Duration("TRANSFORM_RUN_TIMEOUT", 5*time.Minute, time.Second, time.Hour),
	}
	return config, r.Err()
}

// A Transformer runs the project, one run at a time. It is safe for
// concurrent use.
type Transformer struct {
	*Service
	client *bigquery.Client
}

// New reads the project and connects to the warehouse; it sends no statement.
// Close the transformer when it is not used any more.
func New(ctx context.Context, config Config) (*Transformer, error) {
	runner, client, err := newRunner(ctx, config)
	if err != nil {
		return nil, err
	}
	service := NewService(func(ctx context.Context) *Report {
		ctx, cancel := context.WithTimeout(ctx, config.Run)
		defer cancel()
		return runner.Run(ctx, Options{})
	}, config.Wait)
	return &Transformer{Service: service, client: client}, nil
}

// Close releases the connections.
func (t *Transformer) Close() error { return t.client.Close() }

// RunOnce runs the project once, for a command-line tool.
func RunOnce(ctx context.Context, config Config, options Options) (*Report, error) {
	runner, client, err := newRunner(ctx, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, config.Run)
	defer cancel()
	report := runner.Run(ctx, options)
	return report, client.Close()
}

func newRunner(ctx context.Context, config Config) (*Runner, *bigquery.Client, error) {
	if config.Files == nil {
		config.Files = dbt.Files
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	loaded, err := project.Load(config.Files, config.target())
	if err != nil {
		return nil, nil, fmt.Errorf("loading the dbt project: %w", err)
	}
	client, err := bigquery.NewClient(ctx, config.Warehouse.Project, config.Warehouse.RESTOptions()...)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to BigQuery: %w", err)
	}
	return &Runner{
		project: loaded,
		warehouse: &warehouse{
			client:     client,
			dataset:    client.Dataset(config.Warehouse.ProdDataset),
			timeout:    config.Statement,
			dropsFirst: config.Warehouse.RESTEndpoint != "",
		},
		location: config.Location,
		now:      config.Now,
		log:      config.Log,
		memory:   newMemory(),
	}, client, nil
}

// target is where the project's relations are, and its time zone.
func (c Config) target() project.Target {
	vars := map[string]any{
		"timezone":        c.Location.String(),
		"staging_dataset": c.Warehouse.StagingDataset,
	}
	for name, value := range c.Vars {
		vars[name] = value
	}
	return project.Target{Project: c.Warehouse.Project, Dataset: c.Warehouse.ProdDataset, Vars: vars}
}

// Handle is the function's entry point: it has the process's transformer, made
// from the environment, serve the request.
func Handle(w http.ResponseWriter, r *http.Request) {
	transformer, err := fromEnvironment.get(context.WithoutCancel(r.Context()))
	if err != nil {
		slog.Error("setting up transform", "error", err.Error())
		answer(w, http.StatusInternalServerError, &Report{Status: statusFailed, Message: "transform is not set up; the log says why"})
		return
	}
	transformer.ServeHTTP(w, r)
}

// fromEnvironment makes the process's one Transformer when the first request
// arrives; when that fails the next request tries again.
var fromEnvironment lazy

type lazy struct {
	mu          sync.Mutex
	transformer *Transformer
}

func (l *lazy) get(ctx context.Context) (*Transformer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.transformer != nil {
		return l.transformer, nil
	}
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	l.transformer, err = New(ctx, config)
	return l.transformer, err
}
