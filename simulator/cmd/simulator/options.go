package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/registry"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// options say what to simulate, how fast, and where the events go.
type options struct {
	network  simulator.Config
	run      simulator.RunConfig
	faults   float64       // the share of events that are spoiled
	tooLarge int           // how many records are longer than a batch holds
	folder   string        // of the JSON-lines files; "" for none
	report   string        // the file for the numbers; "" for none
	kafka    *kafka.Config // nil for none
	format   sink.Format
	registry *registry.Config // for formats other than JSON
	tracer   *tracing.Tracer  // nil for no spans
}

const usage = `usage: simulator [FLAGS]

Plays railway stations, one step of five simulated minutes at a time, and
writes their events to Kafka. KAFKA_BOOTSTRAP_SERVERS and the other KAFKA_
variables say how Kafka is reached, STATION_TIMEZONE is the stations' time
zone. --format other than json writes as the serializers of a schema registry,
which SCHEMA_REGISTRY_URL names. Where OTEL_EXPORTER_OTLP_ENDPOINT names a
collector, each record has a traceparent and its producer a span. A TIME is 2026-11-22T07:30, local to the stations, or with an offset, or
a date, or now.

`

// written are the flags whose text is read once all others are known.
type written struct{ start, catchUp, stations string }

// parse reads the command line and the environment, and reports all faults at
// once. flag.ErrHelp means that the usage was printed.
func parse(args []string, getenv func(string) string, stdout io.Writer, now time.Time) (options, error) {
	var o options
	var w written
	flags := flag.NewFlagSet("simulator", flag.ContinueOnError)
	flags.Uint64Var(&o.network.Seed, "seed", 1, "`number` that decides every event; the same gives the same bytes")
	flags.Float64Var(&o.run.Speed, "speed", 1, "`times` as fast as a step each 180 s; 60 is a step each 3 s")
	flags.Float64Var(&o.run.Rate, "rate", 0, "write this `number` of events a second; plays one day again and again")
	flags.StringVar(&w.start, "start", "", "first simulated `TIME`; now, and with --rate a day ago, unless given")
	flags.StringVar(&w.catchUp, "catch-up", "", "simulated `TIME` before which steps are produced without pause")
	flags.IntVar(&o.run.Steps, "steps", 0, "end after this `number` of steps; 0 is no limit")
	flags.DurationVar(&o.run.For, "for", 0, "end after this `duration`, such as 60s; 0 is no limit")
	flags.StringVar(&w.stations, "stations", "", "YAML or JSON `file` with another network")
	flags.BoolVar(&o.network.Legacy, "legacy", false, "leave out the fields that later producers add")
	flags.Float64Var(&o.faults, "faults", 0, "`share` of the events, 0 to 1, that are bad, sent twice, late or out of order")
	flags.IntVar(&o.tooLarge, "too-large", 0, "`number` of records of 9 MiB, one in each of the first steps")
	flags.StringVar(&o.report, "report", "", "JSON `file` for the numbers of records by topic and fault")
	flags.StringVar(&o.folder, "json", "", "append the events to files in this `folder`, one per topic")
	format := flags.String("format", string(sink.JSON), "`format` of the values in Kafka: json, avro, protobuf, jsonschema or mixed")
	brokers := flags.String("kafka", "", "Kafka's `host:port`, instead of KAFKA_BOOTSTRAP_SERVERS")
	noKafka := flags.Bool("no-kafka", false, "write no events to Kafka")
	if err := program.Parse(flags, args, stdout, usage); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, program.Mistakef("there is no argument %q: all settings are flags, see simulator --help",
			flags.Arg(0))
	}

	r := env.NewReader(func(name string) string {
		if name == "KAFKA_BOOTSTRAP_SERVERS" && *brokers != "" {
			return *brokers
		}
		return getenv(name)
	})
	o.network.Location = r.Location("STATION_TIMEZONE", "UTC")
	if !*noKafka {
		config := kafka.FromEnv(r)
		o.kafka = &config
	}
	o.format = sink.Format(*format)
	if o.registry = registry.FromEnv(r); o.registry == nil && o.format != sink.JSON && r.Err() == nil {
		r.Fault("SCHEMA_REGISTRY_URL", "is not set: --format %s needs a registry, http://host:port or https://host", *format)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	mistakes := errors.Join(o.readMoments(w, given["rate"], now), o.readStations(w.stations), o.check(),
		o.checkLoad(given, now))
	return o, errors.Join(r.Err(), program.AsMistake(mistakes))
}

// readMoments reads the two moments. A load begins a day ago.
func (o *options) readMoments(w written, load bool, now time.Time) (err error) {
	var faults []error
	switch {
	case w.start != "":
		o.network.Start, err = moment("start", w.start, o.network.Location, now)
		faults = append(faults, err)
	case load:
		o.network.Start = now.Add(-loadDay)
	default:
		o.network.Start = now
	}
	if w.catchUp != "" {
		o.run.CatchUp, err = moment("catch-up", w.catchUp, o.network.Location, now)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// readStations reads the file with another network.
func (o *options) readStations(file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("--stations: %w", err)
	}
	o.network.Plan, err = simulator.ReadPlan(text)
	if err == nil {
		return nil
	}
	var faults []error
	for line := range strings.Lines(err.Error()) {
		faults = append(faults, fmt.Errorf("--stations: %s: %s", file, strings.TrimSuffix(line, "\n")))
	}
	return errors.Join(faults...)
}

// check refuses what makes no sense.
func (o *options) check() error {
	var faults []error
	refuse := func(when bool, format string, args ...any) {
		if when {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(o.kafka == nil && o.folder == "", "with --no-kafka the events go nowhere: name a folder for them with --json")
	refuse(!(o.run.Speed >= simulator.MinSpeed), "--speed is %v: set it to %v or more", o.run.Speed, simulator.MinSpeed)
	refuse(o.run.Steps < 0, "--steps is %d: set it to the number of steps, or 0 for no limit", o.run.Steps)
	refuse(o.run.For < 0, "--for is %v: set it to how long to run, or 0 for no limit", o.run.For)
	refuse(!(o.faults >= 0 && o.faults <= 1), "--faults is %v: set it to a share from 0 to 1, such as 0.05", o.faults)
	refuse(!slices.Contains(sink.Formats(), string(o.format)), "--format is %q: set it to one of %s", o.format, strings.Join(sink.Formats(), ", "))
	refuse(o.format != sink.JSON && o.kafka == nil, "--format %s is for Kafka: leave out --no-kafka, files are JSON", o.format)
	refuse(o.tooLarge < 0, "--too-large is %d: set it to the number of records, or 0 for none", o.tooLarge)
	return errors.Join(faults...)
}

// loadDay is what a load plays again and again; it must be past, or its events
// would be ahead of their time.
const loadDay = 24 * time.Hour

// checkLoad refuses what makes no sense together with a rate.
func (o *options) checkLoad(given map[string]bool, now time.Time) error {
	var faults []error
	if !given["rate"] {
		return nil
	}
	if !(o.run.Rate >= simulator.MinRate) || o.run.Rate > mostRate {
		faults = append(faults, fmt.Errorf("--rate is %v: set it to the events a second, %v to %.0f", o.run.Rate,
			simulator.MinRate, mostRate))
	}
	for _, name := range []string{"speed", "catch-up"} {
		if given[name] {
			faults = append(faults, fmt.Errorf("--%s has no effect with --rate, which decides the pace: leave one of them out", name))
		}
	}
	if o.network.Start.After(now.Add(-loadDay)) {
		faults = append(faults, fmt.Errorf("--start is less than a day ago: with --rate the day from it on is played again and again, set it to %s or earlier",
			now.Add(-loadDay).In(o.network.Location).Format("2006-01-02T15:04")))
	}
	return errors.Join(faults...)
}

// mostRate is more than any machine makes.
const mostRate = 1e9

// moment reads a TIME. Events before 2000 would be refused as absurd.
func moment(name, text string, location *time.Location, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	for _, format := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
		time.DateOnly} {
		t, err := time.ParseInLocation(format, text, location)
		if err != nil {
			continue
		}
		if t.Year() < 2000 {
			return t, fmt.Errorf("--%s is %s: set it to a moment in 2000 or later, earlier events would be quarantined",
				name, text)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("--%s is %q: write it as 2026-11-22T07:30, 2026-11-22T07:30:00Z, 2026-11-22 or now",
		name, text)
}
