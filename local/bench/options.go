// Package bench measures the pipeline's speed: the bridge and the functions,
// as the processes that are deployed, between a Kafka broker and sinks that
// only acknowledge. Every record is checked in what they wrote, outside the
// measured time: a fast pipeline that loses or changes one fails.
package bench

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/program"
)

// Options are the flags of `stationflow bench`.
type Options struct {
	Events int
	Sinks  string // lake, or lake,warehouse
	Kafka  string // bootstrap server of a broker to use; "" starts one
	Rate   int    // events a second, sent while they are read; 0 reads a backlog
	JSON   string // file to write the result to; "" writes none

	Instances int // bridges in one consumer group, each with functions of its own; 0 is 1

	Against string // another build's bin/stationflow, or a result, to compare with
	Pairs   int    // of runs, with Against

	Peers  string // the folder of recipes to measure with, by turns
	Rounds int    // of all of them, with Peers
	Docs   string // page to write the table of Peers to; "" writes none

	Bill bool          // measure what the local system uses instead of how fast the programs are
	For  time.Duration // of that

	Rest time.Duration // measure this long what the programs use while nothing comes; 0 for a load

	Programs string // the folder with the programs bridge and functions; no flag

	// tamper, in tests, changes what the sinks hold before it is checked.
	tamper func(folder string) error
}

// Sinks that the pipeline can be measured with.
const (
	lakeOnly         = "lake"
	lakeAndWarehouse = "lake,warehouse"
)

// maxInstances is how many bridges have a partition of each topic.
const maxInstances = kafka.Partitions

const (
	defaultEvents  = 2_000_000
	defaultSeconds = 30 // of events at a rate
)

const help = `usage: stationflow bench [FLAGS]

stationflow bench measures the bridge and the functions, as the processes that are deployed, and checks
every record they wrote.

Examples:
  stationflow bench
  stationflow bench --rate 2000 --json result.json
  stationflow bench --rest 2m
  stationflow bench --instances 4
  stationflow bench --sinks lake --against ../before/bin/stationflow
  stationflow bench --peers local/bench/peers --events 1000000 --rounds 5

`

// parseOptions reads the flags. flag.ErrHelp means that the usage was printed.
func parseOptions(args []string, output io.Writer) (Options, error) {
	var o Options
	flags := flag.NewFlagSet("stationflow bench", flag.ContinueOnError)
	flags.IntVar(&o.Events, "events", 0, fmt.Sprintf("how many `N` to send (default %d, or %d s of --rate)", defaultEvents, defaultSeconds))
	flags.StringVar(&o.Sinks, "sinks", lakeAndWarehouse, "where ingest writes: lake or lake,warehouse")
	flags.StringVar(&o.Kafka, "kafka", "", "use the broker at `HOST:PORT` (PLAINTEXT) instead of one in this process;\nmissing topics are created, and the events stay in them")
	flags.IntVar(&o.Rate, "rate", 0, "send `N` events a second while they are read, to measure freshness\n(default: send all before, and measure throughput)")
	flags.StringVar(&o.Against, "against", "", "measure another build by turns with this one, by its own bench, and print the ratios:\n`BIN`, its bin/stationflow, or a result that --json wrote")
	flags.IntVar(&o.Pairs, "pairs", 5, "with --against: how many pairs of runs, `N`")
	flags.StringVar(&o.Peers, "peers", "", "measure others by turns with these programs, into the lake alone, and print the ratios: `DIR`\nhas a folder with a recipe for each; STATIONFLOW_KAFKA names a program that runs Apache Kafka")
	flags.IntVar(&o.Rounds, "rounds", 3, "with --peers: how often each reads all events, `N`")
	flags.StringVar(&o.Docs, "docs", "", "with --peers: write the table to the page `FILE`, between its markers")
	flags.BoolVar(&o.Bill, "bill", false, "instead run the local system at --rate, with events of the present hour, and print what\na month of that would cost beside what stationflow cost says")
	flags.DurationVar(&o.For, "for", 10*time.Minute, "with --bill: measure for `DURATION`, after a minute of warming up")
	flags.DurationVar(&o.Rest, "rest", 0, "instead send nothing, and measure for `DURATION` what both programs take at rest")
	flags.IntVar(&o.Instances, "instances", 1, "run `N` bridges in one consumer group, each with functions of its own")
	flags.StringVar(&o.JSON, "json", "", "write the result to `FILE` as JSON")
	if err := program.Parse(flags, args, output, help); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, program.Mistakef("unexpected argument %q: stationflow bench takes flags only, see --help", flags.Arg(0))
	}
	return o, program.AsMistake(o.complete())
}

// complete checks the options and fills in what depends on others.
func (o *Options) complete() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Events < 0 {
		fault("--events is %d: use a number above 0", o.Events)
	}
	if o.Rate < 0 || o.Rate > 1_000_000 {
		fault("--rate is %d: use a number from 1 to 1000000, or leave it out", o.Rate)
	}
	if o.Instances < 0 || o.Instances > maxInstances {
		fault("--instances is %d: use a number from 1 to %d", o.Instances, maxInstances)
	}
	if o.Instances > 1 && (o.Bill || o.Against != "" || o.Peers != "" || o.Rest > 0) {
		fault("--instances is for a load: leave out --rest, --bill, --against and --peers")
	}
	if o.Bill && o.For < 2*time.Minute {
		fault("--for is %v: use 2m at least, for a transform runs once a minute", o.For)
	}
	if o.Bill && o.Against != "" {
		fault("--against compares speed: leave out --bill")
	}
	if o.Rest < 0 {
		fault("--rest is %v: use a duration above 0", o.Rest)
	}
	if o.Rest > 0 && (o.Bill || o.Against != "" || o.Peers != "" || o.Rate > 0 || o.Events > 0) {
		fault("--rest sends nothing: leave out --events, --rate, --bill, --against and --peers")
	}
	if o.Against != "" && o.Pairs < 1 {
		fault("--pairs is %d: use a number above 0", o.Pairs)
	}
	if o.Peers != "" {
		if o.Bill || o.Against != "" || o.Rate > 0 {
			fault("--peers reads a backlog: leave out --bill, --against and --rate")
		}
		if o.Rounds < 1 {
			fault("--rounds is %d: use a number above 0", o.Rounds)
		}
		o.Sinks = lakeOnly
	}
	if o.Bill && o.Kafka != "" {
		fault("--bill starts a broker of its own: leave out --kafka")
	}
	if o.Sinks = strings.ReplaceAll(o.Sinks, " ", ""); o.Sinks != lakeOnly && o.Sinks != lakeAndWarehouse {
		fault("--sinks is %q: use %s or %s", o.Sinks, lakeOnly, lakeAndWarehouse)
	}
	if o.Kafka != "" {
		if host, port, err := net.SplitHostPort(o.Kafka); err != nil || host == "" || port == "" {
			fault("--kafka is %q: use HOST:PORT", o.Kafka)
		}
	}
	if o.Events == 0 {
		o.Events = defaultEvents
		if o.Rate > 0 {
			o.Events = o.Rate * defaultSeconds
		}
	}
	return errors.Join(faults...)
}

// programs are what `make build` puts next to this program.
const (
	bridgeProgram    = "bridge"
	functionsProgram = "functions"
)
