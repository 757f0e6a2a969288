// Package transform is what a trigger does: it runs the dbt project on
// BigQuery, and answers when prod_data is up to date.
//
// service.go answers requests: those that arrive while a run is in progress
// share the next. transform.go reads the environment, and artifacts.go keeps
// what dbt's other tools read of a run. The run itself is that of
// internal/dbt/run, which the command-line tool has, too.
package transform

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/stationflow/stationflow/dbt"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/lazy"
	"github.com/stationflow/stationflow/internal/tracing"
)

// Config says what to run and where, and how requests are answered.
type Config struct {
	run.Config
	Wait      time.Duration   // longest wait of a request for a run in progress
	Run       time.Duration   // deadline of a run
	Exclude   []string        // dbt's selectors of what a request leaves out
	Canary    bool            // whether a run that has published carries the newest canary
	Artifacts string          // gs://bucket/folder for manifest.json and run_results.json; "" for nowhere
	Tracer    *tracing.Tracer // nil for no spans; it stays the caller's to close
}

// FromEnv takes the dbt project of this repository and reads the warehouse's variables, STATION_TIMEZONE, TRANSFORM_WAIT,
// TRANSFORM_STATEMENT_TIMEOUT, TRANSFORM_RUN_TIMEOUT, TRANSFORM_LEASE,
// TRANSFORM_THREADS, TRANSFORM_MAX_BYTES_BILLED, TRANSFORM_EXCLUDE,
// TRANSFORM_CANARY and TRANSFORM_ARTIFACTS.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	config := Config{
		Config: run.Config{
			Files:     dbt.Files,
			Warehouse: bqconfig.FromEnv(r),
			Location:  r.Location("STATION_TIMEZONE", "UTC"),
			Statement: r.Duration("TRANSFORM_STATEMENT_TIMEOUT", 2*time.Minute, time.Second, time.Hour),
			Lease:     r.Duration("TRANSFORM_LEASE", 30*time.Second, time.Second, 10*time.Minute),
			MaxBytes:  r.Int("TRANSFORM_MAX_BYTES_BILLED", 0, 0, 1<<50),
			Getenv:    getenv,
		},
		Wait:      r.Duration("TRANSFORM_WAIT", 240*time.Second, time.Second, 30*time.Minute),
		Run:       r.Duration("TRANSFORM_RUN_TIMEOUT", 5*time.Minute, time.Second, time.Hour),
		Canary:    r.OneOf("TRANSFORM_CANARY", "off", "on") == "on",
		Artifacts: r.String("TRANSFORM_ARTIFACTS", ""),
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
	runner   *run.Runner
	shelf    *shelf    // nil for none
	canaries *canaries // likewise
}

// New reads the project and connects to the warehouse; it sends no statement.
// Close the transformer when it is not used any more.
func New(ctx context.Context, config Config) (*Transformer, error) {
	if config.Log == nil {
		config.Log = slog.Default()
	}
	runner, err := run.New(ctx, config.Config)
	if err != nil {
		return nil, err
	}
	shelf, err := newShelf(ctx, config.Artifacts)
	if err != nil {
		return nil, errors.Join(err, runner.Close())
	}
	t := &Transformer{runner: runner, shelf: shelf}
	if config.Canary {
		if t.canaries, err = newCanaries(ctx, config.Warehouse, config.Log); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	t.Service = NewService(func(ctx context.Context, until time.Time) *run.Report { return t.transform(ctx, until, config) }, config.Wait)
	return t, nil
}

// transform is one run; nil when another was in progress until the end of the
// wait.
func (t *Transformer) transform(ctx context.Context, until time.Time, config Config) *run.Report {
	ctx, cancel := context.WithTimeout(ctx, time.Until(until)+config.Run)
	defer cancel()
	defer config.Tracer.Flush()
	span := config.Tracer.Start("transform", tracing.Internal, tracing.Origin{})
	report, err := t.runner.Run(tracing.In(ctx, span), run.Options{Until: until, Exclude: config.Exclude})
	report.Describe(span, err)
	switch {
	case errors.Is(err, run.ErrBusy):
		return nil
	case err != nil:
		return run.Failed(err.Error())
	}
	report.Log(config.Log)
	if t.canaries != nil && report.OK() && report.Wrote() {
		t.canaries.carry(ctx)
	}
	if t.shelf != nil && report.Wrote() {
		if err := t.shelf.put(ctx, report.Artifacts(t.runner.Project())); err != nil {
			config.Log.Warn("keeping the artifacts of a run", "run_id", report.RunID, "error", err.Error())
		}
	}
	return report
}

// Close releases the connections.
func (t *Transformer) Close() error {
	err := t.runner.Close()
	if t.shelf != nil {
		err = errors.Join(err, t.shelf.client.Close())
	}
	if t.canaries != nil {
		err = errors.Join(err, t.canaries.client.Close())
	}
	return err
}

// Handle is the function's entry point: it has the process's transformer, made
// from the environment, serve the request.
func Handle(w http.ResponseWriter, r *http.Request) {
	transformer, err := fromEnvironment.Get(func() (*Transformer, error) { return setUp(context.WithoutCancel(r.Context())) })
	if err != nil {
		slog.Error("setting up transform", "error", err.Error())
		answer(w, http.StatusInternalServerError, run.Failed("transform is not set up; the log says why"))
		return
	}
	transformer.ServeHTTP(w, r)
}

// fromEnvironment is the process's one Transformer.
var fromEnvironment lazy.Value[*Transformer]

func setUp(ctx context.Context) (*Transformer, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	config.Tracer = tracing.FromEnv(os.Getenv, "stationflow-transform", slog.Default())
	return New(ctx, config)
}
