// Command stationflow is the command-line tool with the local system linked
// in: up and demo besides the commands of the root module's tool.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/stationflow/stationflow/internal/cli"
	"github.com/stationflow/stationflow/local/system"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	streams := cli.Streams{Getenv: os.Getenv, Out: os.Stdout, Err: os.Stderr}
	os.Exit(cli.Main(ctx, os.Args[1:], streams, append(system.Commands(), cli.Commands()...)))
}
