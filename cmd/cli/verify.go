package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/internal/program"
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

Examples:
  stationflow verify                        all that Kafka holds
  stationflow verify --from 24h             the records of the last day
  stationflow verify --json | jq .problems  what is missing, for a program

`

// A verification is what the command line asks for.
type verification struct {
	proofFlags
	options ledger.Options
	deep    bool
	dead    bool
}

// errIncomplete is what verify ends with when something is missing.
var errIncomplete = errors.New("not complete")

// runVerify says where every record of a period is.
func runVerify(ctx context.Context, args []string, streams Streams) error {
	return undecided(ctx, verify(ctx, args, &streams), errIncomplete)
}

func verify(ctx context.Context, args []string, streams *Streams) error {
	v, err := parseVerify(args, streams)
	if err != nil {
		return err
	}
	proof, err := v.open(ctx, streams, v.dead)
	if err != nil {
		return err
	}
	defer func() { _ = proof.Close() }()
	if v.deep && proof.Lake != nil {
		proof.Lake.ReadBytes = 1 << 62
	}
	var check *ledger.Check
	err = streams.during("asking Kafka, the lake and the warehouse what they hold", func() (err error) {
		check, err = ledger.Begin(ctx, proof.Sources, v.options)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = check.Close() }()
	fmt.Fprintf(streams.Err, "to read: %s\n", check.Scan)
	if v.dry {
		return v.tellScan(streams, check.Scan)
	}
	var report *ledger.Report
	err = streams.during("reading and comparing", func() (err error) {
		report, err = check.Run(ctx, func(why string, more ledger.Scan) {
			fmt.Fprintf(streams.Err, "%s: to read once more, %s\n", why, more)
		})
		return err
	})
	if err != nil {
		return err
	}
	return v.print(report, streams)
}

func parseVerify(args []string, streams *Streams) (*verification, error) {
	v := &verification{options: ledger.Options{Now: time.Now()}}
	flags := flag.NewFlagSet("stationflow verify", flag.ContinueOnError)
	if err := v.define(flags); err != nil {
		return nil, err
	}
	period(flags, v.options.Now, &v.options.From, &v.options.To, "records that Kafka timestamps")
	flags.BoolVar(&v.deep, "deep", false, fmt.Sprintf("read the lake's objects even when they have more than %s", ledger.Size(ledger.DefaultReadBytes)))
	flags.BoolVar(&v.options.Values, "values", false, "compare, too, what lake and staging hold of each record")
	flags.BoolVar(&v.dead, "dead-letters", true, "look at the dead letters; none is taken away")
	if err := streams.parse(flags, args, verifyHelp); err != nil {
		return nil, err
	}
	v.options.InFlight = v.inFlight
	o := v.options
	switch {
	case flags.NArg() > 0:
		return nil, program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	case o.InFlight < 0:
		return nil, program.Mistakef("--in-flight is %v: it must be 0 or more", o.InFlight)
	case o.From.After(o.Now):
		return nil, program.Mistakef("--from is in the future: name a time that has passed")
	}
	return v, checkPeriod(o.From, o.To)
}
