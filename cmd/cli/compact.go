package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/internal/program"
)

const compactHelp = `usage: stationflow compact [FLAGS]

Merges the lake's files as the function compact does: those of each closed hour
of a topic become one, or a few of sensible size, in the order of the offsets and
with one row of each record. What was merged is deleted after COMPACT_GRACE, by a
later call. Readers find every record at each moment, and to call it again, or
while the function runs, does no harm. LAKE_BUCKET says where the lake is. It
ends with 1 when an hour failed.

Examples:
  stationflow compact --dry-run
  stationflow compact --topic incidents --hour 2026-11-22T07:00
  stationflow compact --json | jq -r '.left[]'

`

// runCompact merges what is due.
func runCompact(ctx context.Context, args []string, streams Streams) error {
	choice, asJSON, err := parseCompact(args, &streams, time.Now())
	if err != nil {
		return err
	}
	config, err := compact.FromEnv(streams.Getenv)
	if err != nil {
		return program.AsMistake(streams.advise(err))
	}
	if err := reach(ctx, streams.Getenv, "STORAGE_EMULATOR_HOST"); err != nil {
		return err
	}
	config.Logger = slog.New(slog.DiscardHandler) // the result says the same
	compactor, err := compact.New(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = compactor.Close() }()
	var result *compact.Result
	err = streams.during("merging", func() (err error) {
		result, err = compactor.Run(ctx, choice)
		return err
	})
	if asJSON {
		return errors.Join(err, printJSON(streams.Out, result))
	}
	printCompaction(streams.Out, result)
	return err
}

func parseCompact(args []string, streams *Streams, now time.Time) (choice compact.Choice, asJSON bool, err error) {
	flags := flag.NewFlagSet("stationflow compact", flag.ContinueOnError)
	topic := flags.String("topic", "", "`TOPIC` alone; all by default")
	var hour time.Time
	flags.Func("hour", "`HOUR` of the events alone: "+momentUsage, moment(now, &hour))
	period(flags, now, &choice.From, &choice.To, "hours, of the last COMPACT_DAYS days by default, whose events are")
	flags.BoolVar(&choice.DryRun, "dry-run", false, "only say what would be done")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	if err := streams.parse(flags, args, compactHelp); err != nil {
		return choice, false, err
	}
	if flags.NArg() > 0 {
		return choice, false, program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	if *topic != "" {
		if err := event.CheckTopic(*topic); err != nil {
			return choice, false, program.AsMistake(err)
		}
		choice.Topics = []string{*topic}
	}
	if !hour.IsZero() {
		if !choice.From.IsZero() || !choice.To.IsZero() {
			return choice, false, program.Mistakef("--hour is one hour, --from and --to are a period: give one of them")
		}
		choice.From = hour.Truncate(time.Hour)
		choice.To = choice.From.Add(time.Hour)
	}
	return choice, asJSON, checkPeriod(choice.From, choice.To)
}

func printCompaction(out io.Writer, r *compact.Result) {
	would := ""
	if r.DryRun {
		would = "would be "
	}
	for _, h := range r.Hours {
		fmt.Fprintf(out, "%s %s: %s (%s) %smerged", h.Topic, h.Hour.Format("2006-01-02T15:00Z07:00"), counted(h.Objects, "object"), sizeText(h.Bytes), would)
		if !r.DryRun {
			fmt.Fprintf(out, " into %d (%s) with %d records; %d rows were of records that are there already", h.Into, sizeText(h.BytesAfter), h.Records, h.Duplicates)
		}
		fmt.Fprintln(out)
	}
	for _, left := range r.Left {
		fmt.Fprintf(out, "left as it is: %s\n", left)
	}
	fmt.Fprintf(out, "%s %smerged, %s (%s) %sdeleted", counted(len(r.Hours), "hour"), would, counted(r.Deleted, "object"), sizeText(r.DeletedBytes), would)
	if r.Replaced > 0 {
		fmt.Fprintf(out, "; %s replaced by others stay until their time", counted(r.Replaced, "object"))
	}
	if r.Waiting > 0 {
		fmt.Fprintf(out, "; %s not closed yet, or still being written", counted(r.Waiting, "hour"))
	}
	fmt.Fprintln(out)
}
