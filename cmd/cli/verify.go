package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/terraform"
)

const verifyHelp = `usage: stationflow verify [FLAGS]

Compares what Kafka holds with the lake, the staging tables, quarantine and the
dead letters, offset by offset, and names what is missing, where it is, and what
to do. It changes nothing. It ends with 0 when every record of the period is in
staging or in quarantine, with 1 when not, and with 2 when that could not be
found out. With --values it compares, too, what lake and staging hold of each
record that both have. Records younger than --in-flight that have not arrived are
on their way. What is read is said before. The variables of the bridge and of
ingest say where everything is.

`

// A verification is what the command line asks for.
type verification struct {
	options    ledger.Options
	wait       time.Duration
	asJSON     bool
	dry, deep  bool
	dead       bool
	deadLetter string // the subscription
}

// errIncomplete is what verify ends with when something is missing.
var errIncomplete = errors.New("not complete")

// runVerify says where every record of a period is.
func runVerify(ctx context.Context, args []string, streams Streams) error {
	err := verify(ctx, args, streams)
	if err == nil || errors.Is(err, flag.ErrHelp) || errors.Is(err, errIncomplete) || ctx.Err() != nil {
		return err
	}
	return program.AsMistake(err) // 1 would say that records are missing
}

func verify(ctx context.Context, args []string, streams Streams) error {
	v, err := parseVerify(args, streams)
	if err != nil {
		return err
	}
	r := env.NewReader(streams.Getenv)
	config := ledger.FromEnv(r)
	if err := r.Err(); err != nil {
		return localAdvice(streams.Getenv, err)
	}
	clients, err := openLedger(ctx, config, streams)
	if err != nil {
		return err
	}
	defer func() { _ = clients.Close() }()
	if v.deep && clients.Lake != nil {
		clients.Lake.ReadBytes = 1 << 62
	}
	if v.dead {
		box, err := openMailbox(ctx, config.BigQuery.Project, v.deadLetter, v.wait, mailbox.WallClock{})
		if err != nil {
			return err
		}
		defer func() { _ = box.Close() }()
		clients.DeadLetters = box.Buried
	}
	check, err := ledger.Begin(ctx, clients.Sources, v.options)
	if err != nil {
		return err
	}
	defer func() { _ = check.Close() }()
	fmt.Fprintf(streams.Err, "to read: %s\n", check.Scan)
	if v.dry {
		return nil
	}
	report, err := check.Run(ctx, func(why string, more ledger.Scan) {
		fmt.Fprintf(streams.Err, "%s: to read once more, %s\n", why, more)
	})
	if err != nil {
		return err
	}
	return v.print(report, streams.Out)
}

func parseVerify(args []string, streams Streams) (*verification, error) {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return nil, err
	}
	v := &verification{options: ledger.Options{Now: time.Now()}, dead: true}
	flags := flag.NewFlagSet("stationflow verify", flag.ContinueOnError)
	flags.Func("from", "`TIME` from which on records count, by Kafka's timestamp: 2026-11-22T07:30:00Z, 2026-11-22, or an age such as 24h", moment(v.options.Now, &v.options.From))
	flags.Func("to", "`TIME` up to which records count, likewise", moment(v.options.Now, &v.options.To))
	flags.DurationVar(&v.options.InFlight, "in-flight", ledger.DefaultInFlight, "`AGE` up to which a record that has not arrived is on its way")
	flags.BoolVar(&v.asJSON, "json", false, "print JSON")
	flags.BoolVar(&v.dry, "dry-run", false, "only say what would be read")
	flags.BoolVar(&v.deep, "deep", false, fmt.Sprintf("read the lake's objects even when they have more than %s", ledger.Size(ledger.DefaultReadBytes)))
	flags.BoolVar(&v.options.Values, "values", false, "compare, too, what lake and staging hold of each record")
	flags.BoolVar(&v.dead, "dead-letters", true, "look at the dead letters; none is taken away")
	flags.StringVar(&v.deadLetter, "subscription", deployment.DeadLetterSubscription, "`NAME` of the dead letter subscription")
	flags.DurationVar(&v.wait, "wait", 2*time.Second, "`DURATION` in which no further dead letter must come before there are no more")
	if err := program.Parse(flags, args, streams.Out, verifyHelp); err != nil {
		return nil, err
	}
	o := v.options
	switch {
	case flags.NArg() > 0:
		return nil, program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	case o.InFlight < 0:
		return nil, program.Mistakef("--in-flight is %v: it must be 0 or more", o.InFlight)
	case !o.To.IsZero() && !o.From.Before(o.To):
		return nil, program.Mistakef("--from must be before --to")
	case o.From.After(o.Now):
		return nil, program.Mistakef("--from is in the future: name a time that has passed")
	}
	return v, nil
}

// moment reads a time, a day in UTC, or an age.
func moment(now time.Time, to *time.Time) func(string) error {
	return func(text string) error {
		if age, err := time.ParseDuration(text); err == nil {
			*to = now.Add(-age)
			return nil
		}
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
			if at, err := time.Parse(layout, text); err == nil {
				*to = at
				return nil
			}
		}
		return errors.New("write a time such as 2026-11-22T07:30:00Z, a day such as 2026-11-22, or an age such as 24h")
	}
}

// openLedger connects to everything that the environment names.
func openLedger(ctx context.Context, config ledger.Config, streams Streams) (*ledger.Clients, error) {
	for _, emulator := range []string{"BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"} {
		if err := reach(ctx, streams.Getenv, emulator); err != nil {
			return nil, err
		}
	}
	return config.Open(ctx)
}

// print writes the report. The error says whether it is complete.
func (v *verification) print(report *ledger.Report, out io.Writer) error {
	if v.asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return err
		}
	} else if err := printLedger(report, out); err != nil {
		return err
	}
	if report.Complete {
		return nil
	}
	return fmt.Errorf("%w: %s", errIncomplete, counted(len(report.Problems), "problem"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printLedger writes a row for each place, a line for each problem, and a line
// for each kind of note.
func printLedger(report *ledger.Report, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "TOPIC/PARTITION\tOFFSETS\tSTAGING\tQUARANTINE\tLAKE\tDEAD LETTERS\tIN FLIGHT\tWAITING\tMISSING\t")
	var sum ledger.Account
	for _, a := range report.Partitions {
		offsets := "none"
		if a.Next > a.First {
			offsets = ledger.Span{First: a.First, Next: a.Next}.String()
		}
		name := a.String()
		if !a.InKafka {
			name += " (" + a.TopicID[:min(8, len(a.TopicID))] + ")"
		}
		row(table, name, offsets, a)
		sum.Staging, sum.Quarantine, sum.InBoth = sum.Staging+a.Staging, sum.Quarantine+a.Quarantine, sum.InBoth+a.InBoth
		sum.Lake, sum.DeadLetters, sum.InFlight = sum.Lake+a.Lake, sum.DeadLetters+a.DeadLetters, sum.InFlight+a.InFlight
		sum.Waiting, sum.Missing, sum.OnlyInLake = sum.Waiting+a.Waiting, sum.Missing+a.Missing, sum.OnlyInLake+a.OnlyInLake
	}
	row(table, "all", "", sum)
	if err := table.Flush(); err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		fmt.Fprintln(out)
	}
	for _, problem := range report.Problems {
		fmt.Fprintf(out, "%s: %s\n", problem.Kind, problem)
	}
	printNotes(report.Notes, out)
	verdict := "complete"
	if !report.Complete {
		verdict = "not complete"
	}
	fmt.Fprintf(out, "\n%s: %d records are in staging or in quarantine, %d are not", verdict, sum.Landed(), sum.DeadLetters+sum.Waiting+sum.Missing+sum.OnlyInLake)
	if sum.InFlight > 0 {
		fmt.Fprintf(out, ", %d are in flight", sum.InFlight)
	}
	fmt.Fprintln(out)
	return nil
}

func row(table io.Writer, name, offsets string, a ledger.Account) {
	fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, offsets, a.Staging, a.Quarantine, a.Lake, a.DeadLetters, a.InFlight, a.Waiting, a.Missing+a.OnlyInLake)
}

// printNotes writes the notes of each kind in one line, with the first of them.
func printNotes(notes []ledger.Finding, out io.Writer) {
	kinds := map[ledger.Kind][]ledger.Finding{}
	for _, note := range notes {
		kinds[note.Kind] = append(kinds[note.Kind], note)
	}
	if len(kinds) > 0 {
		fmt.Fprintln(out)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		some := kinds[kind]
		more := ""
		if len(some) > 1 {
			more = fmt.Sprintf(" (and %s like it)", counted(len(some)-1, "finding"))
		}
		fmt.Fprintf(out, "note, %s: %s%s\n", kind, some[0], more)
	}
}
