// Command functions serves the Cloud Functions of this repository on one
// port, for a container or for a local run. A deployed function does not use
// it: Google's buildpack brings a main of its own.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	_ "github.com/stationflow/stationflow" // registers the functions
	"github.com/stationflow/stationflow/functions/alert"
	"github.com/stationflow/stationflow/functions/audit"
	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/functions/page"
	"github.com/stationflow/stationflow/functions/replay"
	"github.com/stationflow/stationflow/functions/scale"
	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/cloudlog"
	"github.com/stationflow/stationflow/internal/observe"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/serve"
)

const usage = `functions serves the Cloud Functions ingest, transform, alert, compact, scale, audit and replay on one port,
and their figures at /metrics and /healthz; with FUNCTION_TARGET=page it serves the page over a warehouse.
It takes no arguments; it is configured by environment variables:

  PORT                   the port, 8080 by default
  FUNCTION_HOST          the address to listen on; 127.0.0.1 by default, every interface where PORT is set
  FUNCTION_TARGET        the one function to serve; all by default, each at /<its name>
  GOOGLE_CLOUD_PROJECT   the Google Cloud project
  LAKE_BUCKET            the bucket of the lake
  STAGING_DATASET, PROD_DATASET   staging_data and prod_data by default
  STATION_TIMEZONE       the network's time zone, UTC by default
  STATION_EPOCH_UNIT     what timestamps count that are numbers: s, ms, us or ns;
                         none by default, which refuses them
  SCALE_POOL             the bridge's worker pool; without it scale is not set up
  KAFKA_...              of scale, audit and replay, as for the bridge; without them
                         audit and replay are not set up
`

func main() { program.Main("functions", usage, run) }

// run serves until ctx ends. Calls that run then are not answered, so that
// their events are delivered again.
func run(ctx context.Context, getenv func(string) string) error {
	if err := check(getenv); err != nil {
		return err
	}
	observed(getenv)
	host, port := address(getenv)
	server, err := serve.Start(ctx, host, port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %s is in use: end what listens there, or set PORT to a free one (%w)", port, err)
	}
	if err != nil {
		return err
	}
	slog.Info("functions are served", "address", server.Addr)
	return server.Wait(ctx)
}

// observed counts what the functions log, and serves it at /metrics with
// /healthz: where FUNCTION_TARGET names one function, every path is that one's.
func observed(getenv func(string) string) {
	counts := observe.NewFunctions()
	next := slog.Handler(slog.NewTextHandler(os.Stderr, nil))
	if cloudlog.IsRead(getenv) {
		next = slog.Default().Handler()
	}
	slog.SetDefault(slog.New(counts.Handler(next)))
	functions.HTTP("metrics", observe.Metrics(func() []observe.Gatherer { return []observe.Gatherer{counts.Gatherer()} }).ServeHTTP)
	functions.HTTP("healthz", observe.Health(counts.Unhealthy).ServeHTTP)
}

// address is every interface where PORT is set, as in a container, and only
// this machine elsewhere: the rule of the bridge.
func address(getenv func(string) string) (host, port string) {
	host, port = getenv("FUNCTION_HOST"), getenv("PORT")
	if host == "" && port == "" {
		host = "127.0.0.1"
	}
	return host, cmp.Or(port, "8080")
}

// check returns every fault of what the functions are told, each once: they
// read their settings with the first call, and would fail each until then.
func check(getenv func(string) string) error {
	known := map[string]func() error{
		"alert":     func() error { _, err := alert.FromEnv(getenv); return err },
		"audit":     func() error { _, err := audit.FromEnv(getenv); return err },
		"replay":    func() error { _, err := replay.FromEnv(getenv); return err },
		"compact":   func() error { _, err := compact.FromEnv(getenv); return err },
		"ingest":    func() error { _, err := ingest.FromEnv(getenv); return err },
		"page":      func() error { _, err := page.FromEnv(getenv); return err },
		"scale":     func() error { _, err := scale.FromEnv(getenv); return err },
		"transform": func() error { _, err := transform.FromEnv(getenv); return err },
	}
	served := []string{"alert", "compact", "ingest", "transform"}
	if getenv("SCALE_POOL") != "" { // most who serve functions have no pool
		served = append(served, "scale")
	}
	if getenv("KAFKA_BOOTSTRAP_SERVERS") != "" { // nor need they reach Kafka
		served = append(served, "audit", "replay")
	}
	if target := getenv("FUNCTION_TARGET"); target != "" {
		if known[target] == nil {
			all := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
			return fmt.Errorf("configuring the functions: FUNCTION_TARGET is %q: set it to one of %s, or leave it out for all", target, all)
		}
		served = []string{target}
	}
	var faults []string
	for _, name := range served {
		if err := known[name](); err != nil {
			faults = append(faults, strings.Split(err.Error(), "\n")...)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	slices.Sort(faults)
	return fmt.Errorf("configuring the functions: %s", strings.Join(slices.Compact(faults), "\n"))
}
