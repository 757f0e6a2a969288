// Package transform turns raw rows into marts: it reads the dbt project, runs
// its models and tests natively against BigQuery, and answers when prod_data
// is up to date.
//
// A run (run.go) decides from the row counts of staging and from what is
// published what is due (idle.go, state.go, input.go), takes the lease that
// lets one run write at a time (lease.go), builds each due model beside the
// published one (build.go, beside.go), tests it (datatest.go), and publishes what passed in one transaction (publish.go).
// service.go answers requests and report.go says what happened. Package
// project reads the dbt project; SQL that decides numbers is there, this
// package only wraps it into the statements that store it.
//
// Runs are harmless to repeat, to overlap and to kill: readers see the whole
// of what a run published or nothing of it, and the next run catches up.
package transform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	rest "google.golang.org/api/bigquery/v2"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/functions/transform/project"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
)

// Config says what to run and where.
type Config struct {
	Warehouse bqconfig.Config
	Location  *time.Location // the network's time zone
	Wait      time.Duration  // longest wait of a request for a run in progress
	Statement time.Duration  // deadline of one statement
	Run       time.Duration  // deadline of a run
	Lease     time.Duration  // how long a run that says nothing more keeps others out
	Threads   int            // models and tests at a time
	MaxBytes  int64          // that one statement may bill; 0 for no limit
	Exclude   []string       // dbt's selectors of what a request leaves out
	Artifacts string         // gs://bucket/folder for manifest.json and run_results.json; "" for nowhere

	// Files is the dbt project; nil is the one of this repository.
	Files fs.FS
	// Vars override variables of the project.
	Vars map[string]any
	// Getenv is what env_var reads; nil is os.Getenv.
	Getenv func(string) string
	// Now is the clock; nil is time.Now. It decides which day is today.
	Now func() time.Time
	// Log receives one line a run, and one for each failure; nil is
	// slog.Default().
	Log *slog.Logger
}

// FromEnv reads the warehouse's variables, STATION_TIMEZONE, TRANSFORM_WAIT,
// TRANSFORM_STATEMENT_TIMEOUT, TRANSFORM_RUN_TIMEOUT, TRANSFORM_LEASE,
// TRANSFORM_THREADS, TRANSFORM_MAX_BYTES_BILLED, TRANSFORM_EXCLUDE and
// TRANSFORM_ARTIFACTS.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	config := Config{
		Warehouse: bqconfig.FromEnv(r),
		Location:  r.Location("STATION_TIMEZONE", "UTC"),
		Wait:      r.Duration("TRANSFORM_WAIT", 240*time.Second, time.Second, 30*time.Minute),
		Statement: r.Duration("TRANSFORM_STATEMENT_TIMEOUT", 2*time.Minute, time.Second, time.Hour),
		Run:       r.Duration("TRANSFORM_RUN_TIMEOUT", 5*time.Minute, time.Second, time.Hour),
		Lease:     r.Duration("TRANSFORM_LEASE", 30*time.Second, time.Second, 10*time.Minute),
		MaxBytes:  r.Int("TRANSFORM_MAX_BYTES_BILLED", 0, 0, 1<<50),
		Artifacts: r.String("TRANSFORM_ARTIFACTS", ""),
		Getenv:    getenv,
	}
	if exclude := r.Text("TRANSFORM_EXCLUDE", "tag:deep"); exclude != "" {
		config.Exclude = []string{exclude}
	}
	if config.Artifacts != "" {
		if _, _, err := parseShelf(config.Artifacts); err != nil {
			r.Fault("TRANSFORM_ARTIFACTS", "is %v", err)
		}
	}
	threads := int64(4)
	if config.Warehouse.RESTEndpoint != "" {
		threads = 1 // the local warehouse does one thing at a time
	}
	config.Threads = int(r.Int("TRANSFORM_THREADS", threads, 1, 64))
	return config, r.Err()
}

// A Transformer runs the project, one run at a time. It is safe for
// concurrent use.
type Transformer struct {
	*Service
	runner *Runner
	shelf  *shelf // nil for none
}

// New reads the project and connects to the warehouse; it sends no statement.
// Close the transformer when it is not used any more.
func New(ctx context.Context, config Config) (*Transformer, error) {
	runner, err := NewRunner(ctx, config)
	if err != nil {
		return nil, err
	}
	shelf, err := newShelf(ctx, config.Artifacts)
	if err != nil {
		return nil, errors.Join(err, runner.Close())
	}
	service := NewService(func(ctx context.Context, until time.Time) *Report {
		ctx, cancel := context.WithTimeout(ctx, time.Until(until)+config.Run)
		defer cancel()
		report, err := runner.Run(ctx, Options{Until: until, Exclude: config.Exclude})
		switch {
		case errors.Is(err, ErrBusy):
			return nil
		case err != nil:
			return &Report{Status: statusFailed, Message: err.Error()}
		}
		if shelf != nil && report.wrote {
			if err := shelf.put(ctx, report.Artifacts(runner.project)); err != nil {
				runner.log.Warn("keeping the artifacts of a run", "run_id", report.RunID, "error", err.Error())
			}
		}
		return report
	}, config.Wait)
	return &Transformer{Service: service, runner: runner, shelf: shelf}, nil
}

// Close releases the connections.
func (t *Transformer) Close() error {
	if t.shelf == nil {
		return t.runner.Close()
	}
	return errors.Join(t.shelf.client.Close(), t.runner.Close())
}

// NewRunner reads the project and connects to the warehouse; it sends no
// statement. Close it when it is not used any more.
func NewRunner(ctx context.Context, config Config) (*Runner, error) {
	config = config.withDefaults()
	loaded, err := config.Load()
	if err != nil {
		return nil, err
	}
	client, err := bigquery.NewClient(ctx, config.Warehouse.Project, config.Warehouse.RESTOptions()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to BigQuery: %w", err)
	}
	api, err := rest.NewService(ctx, config.Warehouse.ServiceOptions()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to BigQuery: %w", err)
	}
	w := &warehouse{
		client:   client,
		tables:   api.Tables,
		jobs:     api.Jobs,
		dataset:  client.Dataset(config.Warehouse.ProdDataset),
		timeout:  config.Statement,
		maxBytes: config.MaxBytes,
	}
	return &Runner{
		project:   loaded,
		warehouse: w,
		keeper:    &keeper{warehouse: w, relation: loaded.RelationOf(leaseTable), duration: config.Lease},
		location:  config.Location,
		now:       config.Now,
		log:       config.Log,
		threads:   config.Threads,
	}, nil
}

// Load reads the project alone, and logs its warnings.
func (c Config) Load() (*project.Project, error) {
	c = c.withDefaults()
	loaded, err := project.Load(c.Files, c.target())
	if err != nil {
		return nil, fmt.Errorf("loading the dbt project: %w", err)
	}
	for _, warning := range loaded.Warnings {
		c.Log.Warn(warning)
	}
	return loaded, nil
}

// Project is the project that the runner runs.
func (r *Runner) Project() *project.Project { return r.project }

// Close releases the connections.
func (r *Runner) Close() error { return r.warehouse.client.Close() }

func (c Config) withDefaults() Config {
	if c.Files == nil {
		c.Files = dbt.Files
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	c.Threads = max(c.Threads, 1)
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
	return c
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
	return project.Target{Project: c.Warehouse.Project, Dataset: c.Warehouse.ProdDataset, Vars: vars, Getenv: c.Getenv}
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
