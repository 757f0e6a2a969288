// Command stationflow is the command-line tool for a real project. The tool
// that is built from local/ has these commands too, and the local system.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // STATION_TIMEZONE works where the machine has no time zones

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/internal/running"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	streams := cli.Streams{Getenv: os.Getenv, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Running: running.Folder(os.Getenv)}
	os.Exit(cli.Main(ctx, os.Args[1:], streams, cli.Commands()))
}
