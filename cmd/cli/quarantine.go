package cli

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/quarantine"
)

const quarantineUsage = `usage: stationflow quarantine list [FLAGS]
       stationflow quarantine show [FLAGS] TOPIC/PARTITION/OFFSET
       stationflow quarantine retry [FLAGS] --all | FILTERS | TOPIC/PARTITION/OFFSET ...

list counts the records in quarantine by topic and reason, with the newest
examples of each. show prints one record: its key and value, and why it was
refused each time. retry sends records to ingest, which judges them by its
present rules: what it accepts lands in staging and lake with where it came from
and leaves the quarantine, what it still refuses stays, with the newest reason.
To interrupt it or to run it twice loses and doubles nothing. --dry-run counts
what would be accepted by the rules of this program and this environment.

Each says first how many bytes of the warehouse it will read. GOOGLE_CLOUD_PROJECT
names the project.

Examples:
  stationflow quarantine list --topic incidents --from 2026-11-20
  stationflow quarantine show incidents/3/1042
  stationflow quarantine retry --dry-run --reason wrong_type
  stationflow quarantine list --json | jq '.groups[] | {topic, reason, records}'
`

// A quarantineCommand is one call of stationflow quarantine.
type quarantineCommand struct {
	streams Streams
	clock   mailbox.Clock

	filter   quarantine.Filter
	examples int
	maxBytes int64
	asJSON   bool
	retry    retryFlags
	read     int64 // bytes that were announced
}

// retryFlags are those of retry alone.
type retryFlags struct {
	all, dryRun bool
	url         string
	wait        time.Duration
}

// quarantineTool is the command, with the clock that it waits by.
type quarantineTool struct{ clock mailbox.Clock }

func (t quarantineTool) run(ctx context.Context, args []string, streams Streams) error {
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	if isHelp(verb) {
		fmt.Fprint(streams.Out, quarantineUsage, "\nlist, show and retry each list their flags with --help.\n")
		return flag.ErrHelp
	}
	c := &quarantineCommand{streams: streams, clock: t.clock}
	work, known := map[string]func(context.Context, *quarantine.Table) error{"list": c.list, "show": c.show, "retry": c.doRetry}[verb]
	if !known {
		return program.Mistakef("say list, show or retry: stationflow quarantine --help explains them")
	}
	if err := c.parse(verb, args[1:]); err != nil {
		return err
	}
	streams = c.streams // with where the system is
	r := env.NewReader(streams.Getenv)
	config := bqconfig.FromEnv(r)
	sinks := r.List("INGEST_SINKS", "warehouse")
	if err := r.Err(); err != nil {
		return streams.advise(err)
	}
	if !slices.Contains(sinks, "warehouse") {
		return program.Mistakef("INGEST_SINKS names no warehouse, so what was refused is in Parquet files of the lake, below quarantine/. " +
			"As long as Kafka has it, a replay has it judged again: stationflow replay kafka --help")
	}
	if err := reach(ctx, streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return err
	}
	table, err := quarantine.Open(ctx, config, scan.Limits{MaxBytes: c.maxBytes, Told: c.announce})
	if err != nil {
		return err
	}
	defer func() { _ = table.Close() }()
	if verb == "retry" { // which tells how far it is
		return explainTooMuch(work(ctx, table))
	}
	err = c.streams.during("asking the warehouse", func() error { return work(ctx, table) })
	return explainTooMuch(err)
}

// announce says what a statement will read, before it does.
func (c *quarantineCommand) announce(bytes int64) {
	c.read += bytes
	fmt.Fprintf(c.streams.Err, "reading up to %s of the warehouse\n", sizeText(bytes))
}

func (c *quarantineCommand) parse(verb string, args []string) error {
	flags := flag.NewFlagSet("stationflow quarantine "+verb, flag.ContinueOnError)
	var topics, reasons texts
	if verb != "show" {
		flags.Var(&topics, "topic", "records of this `TOPIC`; may be given more than once")
		flags.Var(&reasons, "reason", "records that were refused for this `REASON` last; may be given more than once")
		period(flags, time.Now(), &c.filter.From, &c.filter.To, "records that were refused")
	}
	switch verb {
	case "list":
		flags.IntVar(&c.examples, "examples", 3, "so many examples of each, `N`")
	case "retry":
		flags.BoolVar(&c.retry.all, "all", false, "every record of the quarantine")
		flags.BoolVar(&c.retry.dryRun, "dry-run", false, "only count what would be accepted now")
		flags.StringVar(&c.retry.url, "url", "", urlUsage)
		flags.DurationVar(&c.retry.wait, "wait", 2*time.Minute, "`DURATION` to wait after the last record of which it became known what became of it")
	}
	flags.Int64Var(&c.maxBytes, "max-bytes", 1<<30, "the most that one statement may read of the warehouse, `N` bytes")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
	if err := c.streams.parse(flags, args, quarantineUsage+"\n"); err != nil {
		return err
	}
	c.filter.Topics, c.filter.Reasons = topics, reasons
	if err := checkPeriod(c.filter.From, c.filter.To); err != nil {
		return err
	}
	for _, text := range flags.Args() {
		place, err := quarantine.ParsePlace(text)
		if err != nil {
			return program.AsMistake(err)
		}
		if err := event.CheckTopic(place.Topic); err != nil {
			return program.AsMistake(err)
		}
		c.filter.Places = append(c.filter.Places, place)
	}
	return c.check(verb)
}

// reasonNames are those for which records are refused.
func reasonNames() (names []string) {
	for _, reason := range event.Reasons() {
		names = append(names, string(reason))
	}
	return names
}

// check reports what cannot be meant.
func (c *quarantineCommand) check(verb string) error {
	for _, reason := range c.filter.Reasons {
		if !slices.Contains(event.Reasons(), event.Reason(reason)) {
			return program.Mistakef("there is no reason %q: the reasons are %s", reason, strings.Join(reasonNames(), ", "))
		}
	}
	for _, topic := range c.filter.Topics {
		if err := event.CheckTopic(topic); err != nil {
			return program.AsMistake(err)
		}
	}
	f := &c.filter
	chosen := len(f.Topics)+len(f.Reasons)+len(f.Places) > 0 || !f.From.IsZero() || !f.To.IsZero()
	switch {
	case c.maxBytes < 1:
		return program.Mistakef("--max-bytes is %d: it must be 1 or more", c.maxBytes)
	case verb == "list" && len(f.Places) > 0:
		return program.Mistakef("list takes flags only; to print a record: stationflow quarantine show TOPIC/PARTITION/OFFSET")
	case verb == "list" && (c.examples < 0 || c.examples > 100):
		return program.Mistakef("--examples is %d: it must be from 0 to 100", c.examples)
	case verb == "show" && len(f.Places) != 1:
		return program.Mistakef("show needs one TOPIC/PARTITION/OFFSET, such as incidents/3/1042")
	case verb == "retry" && c.retry.all == chosen:
		return program.Mistakef("retry needs either --all, or the topic, reason, time or places of those to try again")
	case c.retry.wait < 0:
		return program.Mistakef("--wait is %v: it must be 0 or more", c.retry.wait)
	}
	return nil
}

// sizeText writes a number of bytes for a person.
func sizeText(bytes int64) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	size, unit := float64(bytes), 0
	for ; size >= 1000 && unit < 4; unit++ {
		size /= 1000
	}
	return fmt.Sprintf("%.3g %s", size, []string{"", "kB", "MB", "GB", "TB"}[unit])
}
