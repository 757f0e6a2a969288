package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/simulator"
)

// options say what to simulate, how fast, and where the events go.
type options struct {
	network simulator.Config
	run     simulator.RunConfig
	folder  string        // of the JSON-lines files; "" for none
	kafka   *kafka.Config // nil for none
}

const usage = `usage: simulator [FLAGS]

Plays four railway stations, one step of five simulated minutes at a time, and
writes their events to Kafka. KAFKA_BOOTSTRAP_SERVERS and the other KAFKA_
variables say how Kafka is reached, STATION_TIMEZONE is the stations' time
zone. A TIME is 2026-11-22T07:30, local to the stations, or with an offset, or
a date, or now.

`

// parse reads the command line and the environment, and reports all faults of
// the environment at once. flag.ErrHelp means that the usage was printed.
func parse(args []string, getenv func(string) string, stderr io.Writer, now time.Time) (options, error) {
	var o options
	flags := flag.NewFlagSet("simulator", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Uint64Var(&o.network.Seed, "seed", 1, "`number` that decides every event; the same gives the same bytes")
	flags.Float64Var(&o.run.Speed, "speed", 1, "`times` as fast as a step each 180 s; 60 is a step each 3 s")
	start := flags.String("start", "now", "first simulated `TIME`")
	catchUp := flags.String("catch-up", "", "simulated `TIME` before which steps are produced without pause")
	flags.IntVar(&o.run.Steps, "steps", 0, "end after this `number` of steps; 0 is no limit")
	flags.DurationVar(&o.run.For, "for", 0, "end after this `duration`, such as 60s; 0 is no limit")
	flags.StringVar(&o.folder, "json", "", "append the events to files in this `folder`, one per topic")
	brokers := flags.String("kafka", "", "Kafka's `host:port`, instead of KAFKA_BOOTSTRAP_SERVERS")
	noKafka := flags.Bool("no-kafka", false, "write no events to Kafka")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
			flags.SetOutput(stderr)
			flags.PrintDefaults()
			return o, err
		}
		return o, fmt.Errorf("%w (simulator --help lists the flags)", err)
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("there is no argument %q: all settings are flags, see simulator --help", flags.Arg(0))
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
	if err := r.Err(); err != nil {
		return o, err
	}
	return o, o.check(*start, *catchUp, now)
}

// check reads the two moments and refuses what makes no sense.
func (o *options) check(start, catchUp string, now time.Time) (err error) {
	if o.network.Start, err = moment("start", start, o.network.Location, now); err != nil {
		return err
	}
	if catchUp != "" {
		if o.run.CatchUp, err = moment("catch-up", catchUp, o.network.Location, now); err != nil {
			return err
		}
	}
	switch {
	case o.kafka == nil && o.folder == "":
		return errors.New("with --no-kafka the events go nowhere: name a folder for them with --json")
	case !(o.run.Speed >= simulator.MinSpeed):
		return fmt.Errorf("--speed is %v: set it to %v or more", o.run.Speed, simulator.MinSpeed)
	case o.run.Steps < 0:
		return fmt.Errorf("--steps is %d: set it to the number of steps, or 0 for no limit", o.run.Steps)
	case o.run.For < 0:
		return fmt.Errorf("--for is %v: set it to how long to run, or 0 for no limit", o.run.For)
	}
	return nil
}

// moment reads a TIME. Events before 2000 would be refused as absurd.
func moment(name, text string, location *time.Location, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	for _, format := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		t, err := time.ParseInLocation(format, text, location)
		if err != nil {
			continue
		}
		if t.Year() < 2000 {
			return t, fmt.Errorf("--%s is %s: set it to a moment in 2000 or later, earlier events would be quarantined", name, text)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("--%s is %q: write it as 2026-11-22T07:30, 2026-11-22T07:30:00Z, 2026-11-22 or now", name, text)
}
