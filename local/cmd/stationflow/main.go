// Command stationflow is the command-line tool with the local system linked
// in: up, demo and bench besides the commands of the root module's tool.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/internal/running"
	"github.com/stationflow/stationflow/local/bench"
	"github.com/stationflow/stationflow/local/system"
	"github.com/stationflow/stationflow/local/warehouse"
	"github.com/stationflow/stationflow/local/warehouse/engine"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == warehouse.EngineCommand {
		os.Exit(engine.Main(os.Args[2:])) // a child of the local system's
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "stationflow: finding this program: %v\n", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	streams := cli.Streams{Getenv: os.Getenv, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Running: running.Folder(os.Getenv)}
	commands := append(system.Commands(self, warehouse.EngineCommand), bench.Command(self))
	commands = append(commands, cli.Commands()...)
	os.Exit(cli.Main(ctx, os.Args[1:], streams, commands))
}
