// Command simulator plays a network of railway stations and writes their
// events to Kafka, to files, or to both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "simulator: %v\n", err)
	}
	os.Exit(program.ExitCode(err))
}

// run simulates until ctx is done or a limit is reached. Progress and the
// summary at the end go to stderr, help to stdout.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	clock := simulator.WallClock{}
	o, err := parse(args, getenv, stdout, clock.Now())
	if err != nil {
		return err
	}
	o.run.Clock = clock
	o.run.Log = slog.New(slog.NewTextHandler(stderr, nil))
	if o.run.Rate > 0 {
		o.network = o.network.ForRate(o.run.Rate)
	}
	o.run.Network = simulator.New(o.network)
	if o.faults > 0 || o.tooLarge > 0 {
		o.run.Faults = simulator.NewFaults(o.network.Seed, o.faults, o.tooLarge)
	}
	if err := writeReport(o, simulator.Progress{}, false); err != nil {
		return err
	}
	o.tracer = tracing.FromEnv(getenv, "stationflow-simulator", o.run.Log)
	defer o.tracer.Close(time.Second)
	events, err := openSinks(ctx, o)
	if err != nil && ctx.Err() != nil {
		return nil // it was ended before it began
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()

	progress := newReporter(stderr, clock)
	o.run.Progress = progress.report
	done, err := simulator.Run(ctx, o.run, events)
	progress.finish(done)
	return errors.Join(err, writeReport(o, done, err == nil))
}
