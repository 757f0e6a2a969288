package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"cloud.google.com/go/bigquery"
	rest "google.golang.org/api/bigquery/v2"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// Config says which project to run and where.
type Config struct {
	Files     fs.FS // the dbt project
	Warehouse bqconfig.Config
	Location  *time.Location // decides which day is today, and is the project's variable timezone
	Statement time.Duration  // deadline of one statement
	Lease     time.Duration  // how long a run that says nothing more keeps others out
	Threads   int            // models and tests at a time
	MaxBytes  int64          // that one statement may bill; 0 for no limit

	// State is the manifest that the selector state: compares with; nil for
	// none.
	State []byte
	// Vars override variables of the project.
	Vars map[string]any
	// Getenv is what env_var reads; nil is os.Getenv.
	Getenv func(string) string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log receives the warnings of reading the project; nil is slog.Default().
	Log *slog.Logger
}

// New reads the project and connects to the warehouse; it sends no statement.
// Close the runner when it is not used any more.
func New(ctx context.Context, config Config) (*Runner, error) {
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
		project:       loaded,
		warehouse:     w,
		staging:       config.Warehouse.StagingDataset,
		leaseDuration: config.Lease,
		location:      config.Location,
		now:           config.Now,
		threads:       config.Threads,
	}, nil
}

// Load reads the project alone, and logs its warnings.
func (c Config) Load() (*project.Project, error) {
	c = c.withDefaults()
	if c.Files == nil {
		return nil, errors.New("loading the dbt project: no files are given")
	}
	loaded, err := project.Load(c.Files, c.target())
	if err != nil {
		return nil, fmt.Errorf("loading the dbt project: %w", err)
	}
	if c.State != nil {
		states, err := artifact.State(loaded, c.State)
		if err != nil {
			return nil, err
		}
		loaded = loaded.WithStates(states)
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
	return project.Target{Project: c.Warehouse.Project, Dataset: c.Warehouse.ProdDataset, Vars: vars, LookupEnv: c.lookupEnv}
}

// lookupEnv tells a variable that is empty from one that is not set.
func (c Config) lookupEnv(name string) (string, bool) {
	if value := c.Getenv(name); value != "" {
		return value, true
	}
	return os.LookupEnv(name)
}
