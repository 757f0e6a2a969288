package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/program"
)

const transformHelp = `usage: stationflow transform [FLAGS]

Does what the function transform does, once: builds the models that new rows
concern, tests them, and publishes what passed. GOOGLE_CLOUD_PROJECT names the
project.

Examples:
  stationflow transform
  stationflow transform --full-refresh
  stationflow transform --json | jq -r '.models[].status'

`

// runTransform runs the dbt project once and prints a line for each model and
// for each test that found something.
func runTransform(ctx context.Context, args []string, streams Streams) error {
	flags := flag.NewFlagSet("stationflow transform", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print JSON, as the function answers it")
	fullRefresh := flags.Bool("full-refresh", false, "make every table again from what staging retains")
	if err := streams.parse(flags, args, transformHelp); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	config, err := transform.FromEnv(streams.Getenv)
	if err != nil {
		return streams.advise(err)
	}
	config.Log = slog.New(slog.DiscardHandler) // the lines below say the same
	runner, err := newRunner(ctx, config.Config, streams)
	if err != nil {
		return err
	}
	defer runner.Close()
	var report *run.Report
	err = streams.during("building and testing", func() (err error) {
		report, err = runner.Run(ctx, run.Options{
			FullRefresh: *fullRefresh, Exclude: config.Exclude, Until: time.Now().Add(config.Wait), Waiting: waiting(streams.Err),
		})
		return err
	})
	if err != nil {
		return err
	}
	if err := tellReport(&streams, report, *asJSON); err != nil {
		return err
	}
	if !report.OK() {
		return errors.New("the run failed")
	}
	return nil
}

// newRunner connects to the warehouse.
func newRunner(ctx context.Context, config run.Config, streams Streams) (*run.Runner, error) {
	if err := reach(ctx, streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return nil, err
	}
	return run.New(ctx, config)
}

// waiting says why nothing happens.
func waiting(out io.Writer) func(expires time.Time) {
	return func(expires time.Time) {
		fmt.Fprintf(out, "waiting: another run holds the lease until %s, unless it renews it\n", expires.Local().Format(time.TimeOnly))
	}
}

// tellReport prints a report for a person, or as JSON.
func tellReport(streams *Streams, report *run.Report, asJSON bool) error {
	if asJSON {
		return printJSON(streams.Out, report)
	}
	printReport(streams.Out, report)
	return nil
}

func printReport(out io.Writer, report *run.Report) {
	for _, model := range report.Models {
		printLine(out, model.Status, model.TookMS, model.Name, model.Message)
	}
	for _, test := range report.Tests {
		message := test.Message
		if message == "" {
			message = counted(int(test.Failures), "row") + " that must not be"
		}
		printLine(out, test.Status, test.TookMS, "test "+test.Name, message)
	}
	fmt.Fprintf(out, "%s: %d models, %d tests, %d ms\n", report.Status, len(report.Models), report.TestsRun, report.TookMS)
}

func printLine(out io.Writer, status string, tookMS int64, name, message string) {
	if message != "" {
		message = "  " + message
	}
	fmt.Fprintf(out, "%-9s %6d ms  %s%s\n", status, tookMS, name, message)
}
