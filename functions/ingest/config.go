package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/registry"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/internal/values"
)

// Config is what a Function needs to know.
type Config struct {
	Warehouse bigquery.Config
	Bucket    string          // the lake's bucket
	Location  *time.Location  // of event timestamps without an offset
	EpochUnit event.EpochUnit // of event timestamps that are numbers; "" refuses them

	// Registry is where schemas are that records name; nil for none.
	Registry *registry.Config

	// Sinks are the names of those that rows are stored in; none for lake and
	// warehouse. Lake alone is for deployments that query the lake through
	// external tables: good records are Parquet under raw/, and quarantined
	// ones are Parquet under quarantine/.
	Sinks []string
	// Known is the list of sinks that may be named; nil for Sinks().
	Known []SinkKind

	// Concurrency is how many requests are worked on at once, each with its
	// batch in memory; more wait with their bodies unread. 0 is the default.
	Concurrency int
	// AppendTimeout bounds one attempt to append rows; a stream that does
	// not answer within it is replaced.
	AppendTimeout time.Duration
	// CallTimeout bounds one call. The transform looks back ten minutes for
	// rows whose ingested_at is older than they are visible: both limits
	// stay well below.
	CallTimeout time.Duration

	Logger         *slog.Logger          // nil for slog.Default()
	Tracer         *tracing.Tracer       // nil for no spans; it stays the caller's to close
	Now            func() time.Time      // nil for time.Now
	StorageOptions []option.ClientOption // besides those of the environment
}

// defaultConcurrency is also how many requests the deployment sends to one
// instance at once: there no request ever waits.
const defaultConcurrency = 8

// FromEnv reads INGEST_SINKS (names of the list Sinks, by comma),
// INGEST_CONCURRENCY, INGEST_APPEND_TIMEOUT, INGEST_CALL_TIMEOUT, LAKE_BUCKET,
// STATION_EPOCH_UNIT, STATION_TIMEZONE and the variables of bigquery.FromEnv and
// registry.FromEnv. The error lists every fault. Cloud Storage's client itself reads
// STORAGE_EMULATOR_HOST.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	config := rules(r)
	config.Warehouse = bigquery.FromEnv(r)
	config.Bucket = r.Required("LAKE_BUCKET", "set it to the name of the lake's Cloud Storage bucket")
	config.Sinks = r.List("INGEST_SINKS", defaultSinks...)
	config.Concurrency = int(r.Int("INGEST_CONCURRENCY", defaultConcurrency, 1, 1000))
	config.AppendTimeout = r.Duration("INGEST_APPEND_TIMEOUT", 20*time.Second, 100*time.Millisecond, time.Minute)
	config.CallTimeout = r.Duration("INGEST_CALL_TIMEOUT", 2*time.Minute, time.Second, 5*time.Minute)
	if err := checkSinks(config.Sinks, Sinks()); err != nil {
		r.Fault("INGEST_SINKS", "%v", err)
	}
	return config, r.Err()
}

// RulesFromEnv reads what a Judge needs of it: STATION_TIMEZONE,
// STATION_EPOCH_UNIT and where the schema registry is.
func RulesFromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	return rules(r), r.Err()
}

func rules(r *env.Reader) Config {
	return Config{Location: r.Location("STATION_TIMEZONE", "UTC"), EpochUnit: values.EpochUnit(r), Registry: registry.FromEnv(r)}
}

// check reports what New cannot work with, and fills in what may be left out.
func (c *Config) check() error {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Known == nil {
		c.Known = Sinks()
	}
	if len(c.Sinks) == 0 {
		c.Sinks = defaultSinks
	}
	if err := checkSinks(c.Sinks, c.Known); err != nil {
		return fmt.Errorf("setting up ingest: the configuration %w", err)
	}
	if c.Bucket == "" || c.Warehouse.Project == "" || c.Warehouse.StagingDataset == "" {
		return errors.New("setting up ingest: the bucket, the project and the staging dataset must be named")
	}
	if c.AppendTimeout <= 0 || c.CallTimeout <= 0 {
		return errors.New("setting up ingest: both time limits must be positive")
	}
	return nil
}
