// Command bridge reads station events from Kafka and publishes them in
// batches. It is configured by environment variables only.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/cloudlog"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, getenv func(string) string) error {
	config, err := bridge.FromEnv(getenv)
	if err != nil {
		return err
	}
	b, err := bridge.New(config, bridge.Dependencies{Logger: logger(getenv)})
	if err != nil {
		return err
	}
	return b.Run(ctx)
}

// logger writes JSON, on Cloud Run with the names that Cloud Logging knows.
func logger(getenv func(string) string) *slog.Logger {
	if getenv("K_SERVICE") != "" { // set by Cloud Run
		return cloudlog.New(os.Stderr)
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, nil))
}
