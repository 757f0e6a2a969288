// Command functions serves the Cloud Functions of this repository on one
// port, for a container or for a local run: PORT (8080) on FUNCTION_HOST
// (every interface). FUNCTION_TARGET names the one function to serve.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/stationflow/stationflow" // registers the functions
	"github.com/stationflow/stationflow/internal/serve"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Calls that run then are not answered, so that
// their events are delivered again.
func run(ctx context.Context, getenv func(string) string) error {
	server, err := serve.Start(ctx, getenv("FUNCTION_HOST"), cmp.Or(getenv("PORT"), "8080"))
	if err != nil {
		return err
	}
	slog.Info("functions are served", "address", server.Addr)
	return server.Wait(ctx)
}
