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

	"github.com/stationflow/stationflow/functions/alert"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/simulator"
)

// Options are the flags of `stationflow up`.
type Options struct {
	Simulate  bool
	Speed     float64 // of the simulated stations; 1 is a step of 5 minutes every 180 s
	Seed      uint64
	History   int           // days before yesterday that the simulated stations tell of
	For       time.Duration // stop after this long; 0 runs until a signal
	Endpoints string        // file to write when ready; "" writes none
	Port      int           // of the dashboard, the others follow; 0 takes free ones
	DataDir   string        // kept between runs; "" starts empty and keeps nothing
	Kafka     string        // bootstrap servers of a broker to use; "" starts one
	Transport string        // from the bridge to the functions: pubsub or http

	SchemaRegistry string // URL of a registry to use; "" starts one
	Idle           string // what becomes of the bridge while nothing comes: stay or stop

	Canary bool // whether canaries go through all hops

	Traces bool // whether the spans of all parts are taken and kept here

	AlertWebhook string // where alerts are posted to; "" for ALERT_WEBHOOK, or nowhere

	// Without names parts that run as processes of their own: bridge,
	// functions. Functions must then be served at FunctionsURL.
	Without      []string
	FunctionsURL string

	Engine []string // the command that runs the warehouse's engine; no flag
}

// mostHistory is how many days before yesterday there can be: the page keeps no
// more.
const mostHistory = 60

// ParseOptions reads the flags of `stationflow up` (or demo, which has the
// simulator on). flag.ErrHelp means that the usage was printed.
func ParseOptions(command string, args []string, output io.Writer) (Options, error) {
	o, history := Options{}, 0
	if command == "demo" {
		history = 1 // a week ago
	}
	flags := flag.NewFlagSet("stationflow "+command, flag.ContinueOnError)
	flags.BoolVar(&o.Simulate, "simulate", command == "demo", "run the simulated stations")
	flags.Float64Var(&o.Speed, "speed", 36, "pace of the simulated stations: 1 is a step of 5 simulated minutes every 180 s")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of the simulated stations; the same seed gives the same events")
	flags.IntVar(&o.History, "history", history, "days before yesterday that the simulated stations tell of, one every two minutes once the system is ready")
	flags.DurationVar(&o.For, "for", 0, "stop after `DURATION`, for example 60s (default: run until interrupted)")
	flags.StringVar(&o.Endpoints, "endpoints", "", "when ready, write where everything listens to `FILE`, as JSON")
	flags.IntVar(&o.Port, "port", 8080, "port of the dashboard page, the others follow it; 0 takes free ones")
	flags.StringVar(&o.DataDir, "data", "", "keep Kafka, objects and warehouse in `DIR` (default: start empty, keep nothing)")
	flags.StringVar(&o.Kafka, "kafka", "", "read this broker, `HOST:PORT`, instead of starting one")
	flags.StringVar(&o.SchemaRegistry, "schema-registry", "", "use the schema registry at this `URL` instead of starting one")
	flags.StringVar(&o.Transport, "transport", "pubsub", "from the bridge to the functions: pubsub, or http without it in between")
	flags.StringVar(&o.Idle, "idle", "stay", "what becomes of the bridge while nothing comes: stay, or stop as it does when deployed, until a record comes")
	flags.BoolVar(&o.Canary, "canary", false, "send a canary through all hops once a minute, as a deployment does")
	flags.BoolVar(&o.Traces, "traces", false, "take OpenTelemetry traces of all parts: trace and /trace/TOPIC/PARTITION/OFFSET of the page's port show them")
	flags.StringVar(&o.AlertWebhook, "alert-webhook", "", "post alerts to this `URL` (default: ALERT_WEBHOOK, else the page alone shows them)")
	flags.Func("without", "leave out `PART`, bridge or functions, to run it yourself as a process of its own; repeatable", func(part string) error {
		o.Without = append(o.Without, part)
		return nil
	})
	flags.StringVar(&o.FunctionsURL, "functions", "", "with --without functions: the `URL` at which you serve them, http://host:port")
	if err := program.Parse(flags, args, output, about(command)); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(output, "\n--kafka honours KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD,\n"+
			"KAFKA_CA_FILE, KAFKA_CERT_FILE, KAFKA_KEY_FILE, KAFKA_OAUTH_TOKEN_URL, KAFKA_GROUP_ID and KAFKA_START: see docs/kafka.md.\n"+
			"--schema-registry honours SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD: see docs/registry.md.\n")
		return o, err
	} else if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, program.Mistakef("unexpected argument %q: stationflow %s takes flags only, see --help", flags.Arg(0), command)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	return o, program.AsMistake(errors.Join(o.ineffective(given), o.validate()))
}

// about says what the command does, before its flags.
func about(command string) string {
	what := "runs the whole system on this machine, for your own events"
	if command == "demo" {
		what = "runs the whole system on this machine, with simulated stations and a page to look at"
	}
	return fmt.Sprintf("usage: stationflow %[1]s [FLAGS]\n\nstationflow %[1]s %[2]s.\n"+
		"Other commands in other shells find it by themselves.\n\nExamples:\n"+
		"  stationflow %[1]s\n  stationflow %[1]s --data stationflow-data\n  stationflow %[1]s --kafka localhost:9092 --endpoints endpoints.json\n\n", command, what)
}

// ineffective refuses flags that would do nothing, silently.
func (o Options) ineffective(given map[string]bool) error {
	var faults []error
	for _, f := range []struct{ name, value string }{{"data", o.DataDir}, {"endpoints", o.Endpoints}, {"alert-webhook", o.AlertWebhook}, {"kafka", o.Kafka}, {"schema-registry", o.SchemaRegistry}} {
		if given[f.name] && f.value == "" {
			faults = append(faults, fmt.Errorf("--%s is empty, perhaps because a variable of the shell is not set: give it a value, or leave it out", f.name))
		}
	}
	for _, name := range []string{"speed", "seed", "history"} {
		if given[name] && !o.Simulate {
			faults = append(faults, fmt.Errorf("--%s is for the simulated stations: add --simulate, or leave it out", name))
		}
	}
	return errors.Join(faults...)
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
	switch {
	case o.Idle != "stay" && o.Idle != "stop":
		fault("--idle is %q: use stay or stop", o.Idle)
	case o.Idle == "stop" && o.without("bridge"):
		fault("--idle stop starts and stops the bridge of this process: leave out --without bridge, or --idle")
	}
	if o.Speed <= 0 {
		fault("--speed is %v: use a number above 0", o.Speed)
	}
	if o.History < 0 || o.History > mostHistory {
		fault("--history is %d: use a number of days from 0 to %d", o.History, mostHistory)
	}
	if o.For < 0 {
		fault("--for is %v: use a duration above 0, for example 60s", o.For)
	}
	if url := o.SchemaRegistry; url != "" && !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		fault("--schema-registry is %q: use http://host:port or https://host, with the path that the registry needs", url)
	}
	if o.AlertWebhook != "" {
		if err := alert.CheckWebhook(o.AlertWebhook); err != nil {
			fault("--alert-webhook %v", err)
		}
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

// pace is how much faster than the clock simulated time goes.
func (o Options) pace() float64 {
	return o.Speed * simulator.StepLength.Seconds() / simulator.StepInterval.Seconds()
}

func (o Options) without(part string) bool {
	for _, p := range o.Without {
		if p == part {
			return true
		}
	}
	return false
}
