// Package system runs the whole of stationflow from one program: Kafka, the
// bridge, Pub/Sub, the functions, Cloud Storage, BigQuery, the scheduler, the
// simulated stations and the dashboard page. The bridge, the functions, the
// simulator and the dbt project are the code that is deployed; only the
// endpoints differ.
package system

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// Options are the flags of `stationflow up`.
type Options struct {
	Simulate  bool
	Speed     float64 // of the simulated stations; 1 is a step of 5 minutes every 180 s
	Seed      uint64
	For       time.Duration // stop after this long; 0 runs until a signal
	Endpoints string        // file to write when ready; "" writes none
	Port      int           // of the dashboard, the others follow; 0 takes free ones
	DataDir   string        // kept between runs; "" starts empty and keeps nothing
	Kafka     string        // bootstrap servers of a broker to use; "" starts one
	Transport string        // from the bridge to the functions: pubsub or http

	// Without names parts that run as processes of their own: bridge,
	// functions. Functions must then be served at FunctionsURL.
	Without      []string
	FunctionsURL string

	Engine []string // the command that runs the warehouse's engine; no flag
}

// ParseOptions reads the flags of `stationflow up` (or demo, which has the
// simulator on). flag.ErrHelp means that the usage was printed.
func ParseOptions(command string, args []string, output io.Writer) (Options, error) {
	o := Options{}
	flags := flag.NewFlagSet("stationflow "+command, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // a mistake gets one sentence, not all flags
	flags.BoolVar(&o.Simulate, "simulate", command == "demo", "run the simulated stations")
	flags.Float64Var(&o.Speed, "speed", 36, "pace of the simulated stations: 1 is a step of 5 simulated minutes every 180 s")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of the simulated stations; the same seed gives the same events")
	flags.DurationVar(&o.For, "for", 0, "stop after `DURATION`, for example 60s (default: run until interrupted)")
	flags.StringVar(&o.Endpoints, "endpoints", "", "when ready, write where everything listens to `FILE`, as JSON")
	flags.IntVar(&o.Port, "port", 8080, "port of the dashboard page, the others follow it; 0 takes free ones")
	flags.StringVar(&o.DataDir, "data", "", "keep Kafka, objects and warehouse in `DIR` (default: start empty, keep nothing)")
	flags.StringVar(&o.Kafka, "kafka", "", "read this broker, `HOST:PORT`, instead of starting one")
	flags.StringVar(&o.Transport, "transport", "pubsub", "from the bridge to the functions: pubsub, or http without it in between")
	flags.Func("without", "leave out `PART`, bridge or functions, to run it yourself as a process of its own; repeatable", func(part string) error {
		o.Without = append(o.Without, part)
		return nil
	})
	flags.StringVar(&o.FunctionsURL, "functions", "", "with --without functions: the `URL` at which you serve them, http://host:port")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		help(output, command, flags)
		return o, err
	} else if err != nil {
		said := strings.Replace(strings.Replace(err.Error(), ": -", ": --", 1), "for flag -", "for flag --", 1)
		return o, fmt.Errorf("%s: see stationflow %s --help", said, command)
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: stationflow %s takes flags only, see --help", flags.Arg(0), command)
	}
	return o, o.validate()
}

// help writes what the command does and its flags.
func help(out io.Writer, command string, flags *flag.FlagSet) {
	about := "runs the whole system on this machine, for your own events"
	if command == "demo" {
		about = "runs the whole system on this machine, with simulated stations and a page to look at"
	}
	fmt.Fprintf(out, "stationflow %s %s.\n\n", command, about)
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(out, "  %s\n        %s\n", strings.TrimSpace("--"+f.Name+" "+value), text)
	})
	fmt.Fprint(out, "\n--kafka honours KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD,\n"+
		"KAFKA_CA_FILE, KAFKA_CERT_FILE, KAFKA_KEY_FILE, KAFKA_OAUTH_TOKEN_URL, KAFKA_GROUP_ID and KAFKA_START: see docs/kafka.md.\n")
}

func (o Options) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Port < 0 || o.Port > 65535-len(portNames) {
		fault("--port is %d: use a port below %d, or 0 for free ones", o.Port, 65535-len(portNames))
	}
	if o.Transport != "pubsub" && o.Transport != "http" {
		fault("--transport is %q: use pubsub or http", o.Transport)
	}
	if o.Speed <= 0 {
		fault("--speed is %v: use a number above 0", o.Speed)
	}
	if o.For < 0 {
		fault("--for is %v: use a duration above 0, for example 60s", o.For)
	}
	for _, part := range o.Without {
		if part != "bridge" && part != "functions" {
			fault("--without is %q: use bridge or functions", part)
		}
	}
	switch external := o.without("functions"); {
	case external && !strings.HasPrefix(o.FunctionsURL, "http://"):
		fault("--without functions needs --functions http://host:port, where you serve them")
	case !external && o.FunctionsURL != "":
		fault("--functions goes with --without functions")
	}
	return errors.Join(faults...)
}

func (o Options) without(part string) bool {
	for _, p := range o.Without {
		if p == part {
			return true
		}
	}
	return false
}
