// Command bridge reads station events from Kafka and publishes them in
// batches. It is configured by environment variables only.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/cloudlog"
	"github.com/stationflow/stationflow/internal/garbage"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/tracing"
)

const usage = `bridge reads station events from Kafka and publishes them in batches. It takes no
arguments; it is configured by environment variables:

  KAFKA_BOOTSTRAP_SERVERS   host:port of one broker or more, separated by commas
  KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_..., KAFKA_CA_FILE   how to reach it: docs/kafka.md
  KAFKA_GROUP_ID, KAFKA_TOPICS, KAFKA_START   group, topics, and where the group begins
  GOOGLE_CLOUD_PROJECT      the Google Cloud project
  BRIDGE_PUBSUB_TOPIC       the Pub/Sub topic that batches go to
  BRIDGE_TRANSPORT          pubsub, or http: docs/transports.md
  BRIDGE_HTTP_URL           with http: the ingest function's address
  LAKE_BUCKET               the bucket for records too large for a batch
  BRIDGE_ADDR               where health, metrics and status are served
  BRIDGE_LOG                cloud writes logs as Cloud Logging reads them
  OTEL_EXPORTER_OTLP_ENDPOINT   the collector that traces are sent to: docs/traces.md
`

func main() { program.Main("bridge", usage, run) }

func run(ctx context.Context, getenv func(string) string) error {
	garbage.Bound(getenv)
	config, err := bridge.FromEnv(getenv)
	if err != nil {
		return err
	}
	log := logger(config)
	tracer := tracing.FromEnv(getenv, "stationflow-bridge", log)
	defer tracer.Close(100 * time.Millisecond) // Run has sent all there is
	b, err := bridge.New(config, bridge.Dependencies{Logger: log, Tracer: tracer})
	if err != nil {
		return err
	}
	return b.Run(ctx)
}

// logger writes JSON, on Cloud Run with the names that Cloud Logging knows.
func logger(config bridge.Config) *slog.Logger {
	if config.CloudLog {
		return cloudlog.New(os.Stderr)
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, nil))
}
