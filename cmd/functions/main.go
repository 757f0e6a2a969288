// Command functions serves the Cloud Functions of this repository on one
// port, for a container or for a local run: PORT (8080) on FUNCTION_HOST
// (every interface). FUNCTION_TARGET names the one function to serve.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	_ "github.com/stationflow/stationflow" // registers the functions
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/serve"
)

const usage = `functions serves the Cloud Functions ingest and transform on one port. It takes no
arguments; it is configured by environment variables:

  PORT                   the port, 8080 by default
  FUNCTION_HOST          the address to listen on; every interface by default
  FUNCTION_TARGET        the one function to serve; all by default, each at /<its name>
  GOOGLE_CLOUD_PROJECT   the Google Cloud project
  LAKE_BUCKET            the bucket of the lake
  STAGING_DATASET, PROD_DATASET   staging_data and prod_data by default
  STATION_TIMEZONE       the network's time zone, UTC by default
  STATION_EPOCH_UNIT     what timestamps count that are numbers: s, ms, us or ns;
                         none by default, which refuses them
`

func main() { program.Main("functions", usage, run) }

// run serves until ctx ends. Calls that run then are not answered, so that
// their events are delivered again.
func run(ctx context.Context, getenv func(string) string) error {
	port := cmp.Or(getenv("PORT"), "8080")
	server, err := serve.Start(ctx, getenv("FUNCTION_HOST"), port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %s is in use: end what listens there, or set PORT to a free one (%w)", port, err)
	}
	if err != nil {
		return err
	}
	slog.Info("functions are served", "address", server.Addr)
	return server.Wait(ctx)
}
