package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"github.com/IBM/sarama"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
)

// Config says where everything is.
type Config struct {
	Kafka    Kafka
	BigQuery bqconfig.Config
	Bucket   string
	Sinks    []string // of ingest, as INGEST_SINKS names them
}

// FromEnv reads the variables of the bridge and of ingest that say where
// records come from and where they go: the KAFKA_ ones, GOOGLE_CLOUD_PROJECT,
// STAGING_DATASET, PROD_DATASET, LAKE_BUCKET, INGEST_SINKS and those of
// emulators.
func FromEnv(r *env.Reader) Config {
	return Config{
		Kafka:    Kafka{Config: kafka.FromEnv(r), Group: kafka.GroupFromEnv(r), Topics: kafka.TopicsFromEnv(r), Start: start(r)},
		BigQuery: bqconfig.FromEnv(r),
		Bucket:   r.Required("LAKE_BUCKET", "set it to the name of the lake's Cloud Storage bucket"),
		Sinks:    r.List("INGEST_SINKS", "lake", "warehouse"),
	}
}

// start reads KAFKA_START.
func start(r *env.Reader) int64 {
	const name = "KAFKA_START"
	switch text := r.String(name, "earliest"); text {
	case "earliest":
		return sarama.OffsetOldest
	case "latest":
		return sarama.OffsetNewest
	default:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			r.Fault(name, "is %q: set it to earliest, latest, or a time such as 2026-11-22T07:30:00Z", text)
		}
		return at.UnixMilli()
	}
}

// Clients are the connections of Sources.
type Clients struct {
	Sources
	BigQuery *bigquery.Client
	Storage  *storage.Client
}

// Open connects to the sinks that ingest has, and asks nothing yet. The
// clients are to be closed.
func (c Config) Open(ctx context.Context) (_ *Clients, err error) {
	all := &Clients{Sources: Sources{Kafka: c.Kafka}}
	if all.BigQuery, err = bigquery.NewClient(ctx, c.BigQuery.Project, c.BigQuery.RESTOptions()...); err != nil {
		return nil, fmt.Errorf("connecting to BigQuery: %w", err)
	}
	if all.Storage, err = storage.NewClient(ctx, storage.WithJSONReads()); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Cloud Storage: %w", err), all.BigQuery.Close())
	}
	if slices.Contains(c.Sinks, "warehouse") {
		all.Warehouse = &Warehouse{Client: all.BigQuery, Dataset: c.BigQuery.StagingDataset, Tables: Tables(c.Kafka.Topics)}
	}
	if slices.Contains(c.Sinks, "lake") {
		all.Lake = &Lake{Bucket: all.Storage.Bucket(c.Bucket), Topics: c.Kafka.Topics, ReadBytes: DefaultReadBytes}
	}
	return all, nil
}

// Close ends the connections.
func (c *Clients) Close() error { return errors.Join(c.BigQuery.Close(), c.Storage.Close()) }

// Tables are those of the topics, and the quarantine.
func Tables(topics []string) []string { return append(slices.Clone(topics), QuarantineTable) }
