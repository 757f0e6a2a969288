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
)

// runTransform runs the dbt project once and prints a line for each model and
// for each test that found something.
func runTransform(ctx context.Context, args []string, streams Streams) error {
	flags := flag.NewFlagSet("transform", flag.ContinueOnError)
	flags.SetOutput(streams.Err)
	fullRefresh := flags.Bool("full-refresh", false, "make every table anew from what staging retains")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	config, err := transform.FromEnv(streams.Getenv)
	if err != nil {
		return err
	}
	config.Log = slog.New(slog.DiscardHandler) // the lines below say the same
	runner, err := transform.NewRunner(ctx, config)
	if err != nil {
		return err
	}
	defer runner.Close()
	report, err := runner.Run(ctx, transform.Options{FullRefresh: *fullRefresh, Exclude: config.Exclude, Until: time.Now().Add(config.Wait)})
	if err != nil {
		return err
	}
	printReport(streams.Out, report)
	if !report.OK() {
		return errors.New("the run failed")
	}
	return nil
}

func printReport(out io.Writer, report *transform.Report) {
	for _, model := range report.Models {
		printLine(out, model.Status, model.TookMS, model.Name, model.Message)
	}
	for _, test := range report.Tests {
		message := test.Message
		if message == "" {
			message = fmt.Sprintf("%d rows that must not be", test.Failures)
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
