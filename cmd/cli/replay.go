package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/program"
)

const replayUsage = `usage: stationflow replay kafka [FLAGS] --topic TOPIC --partition N --offsets A-B
       stationflow replay kafka [FLAGS] [--topic TOPIC] --from TIME [--to TIME]
       stationflow replay lake [FLAGS] [--topic TOPIC] --from TIME --to TIME
       stationflow replay deadletters [FLAGS] --all | ID ...

kafka sends records that Kafka still has to ingest again: offsets A to B of one
partition, or what was written between two times. lake puts records back into
staging that the lake has and neither staging nor the quarantine: those whose
own time is between the two. deadletters is stationflow deadletters resend.

Each record counts once however often it is replayed. --dry-run counts and sends
nothing. Replays go in a fixed order, and one that is stopped or killed goes on
with --resume-after and what it printed last; to begin again does no harm.
Times are 2026-11-22, 2026-11-22T07:30 (UTC) or 2026-11-22T07:30+01:00.

GOOGLE_CLOUD_PROJECT names the project, KAFKA_BOOTSTRAP_SERVERS the cluster.

Examples:
  stationflow replay kafka --topic incidents --partition 3 --offsets 1000-1499
  stationflow replay kafka --dry-run --from 2026-11-20T07:30 --to 2026-11-20T09:00
  stationflow replay lake --topic incidents --from 2026-11-20 --to 2026-11-22
`

// A replayCall is one call of stationflow replay kafka or lake.
type replayCall struct {
	streams Streams
	clock   clock
	verb    string

	topics      texts
	partition   int
	first, last int64 // offsets; -1 for none
	from, to    time.Time
	dryRun      bool
	after       string // where an earlier call had come to
	url         string
	maxBytes    int64
	asJSON      bool
}

// replayTool is the command, with the clock that it tells progress by.
type replayTool struct{ clock clock }

func (t replayTool) run(ctx context.Context, args []string, streams Streams) error {
	c := &replayCall{streams: streams, clock: t.clock}
	if len(args) > 0 {
		c.verb = args[0]
	}
	switch {
	case isHelp(c.verb):
		fmt.Fprint(streams.Out, replayUsage, "\nstationflow replay kafka --help, lake --help and deadletters --help list the flags.\n")
		return flag.ErrHelp
	case c.verb == "deadletters":
		return deadLetters(t).run(ctx, append([]string{"resend"}, args[1:]...), streams)
	case c.verb != "kafka" && c.verb != "lake":
		return program.Mistakef("say kafka, lake or deadletters: stationflow replay --help explains them")
	}
	if err := c.parse(args[1:]); err != nil {
		return err
	}
	if c.verb == "lake" {
		return c.lake(ctx)
	}
	return c.kafka(ctx)
}

func (c *replayCall) parse(args []string) error {
	flags := flag.NewFlagSet("stationflow replay "+c.verb, flag.ContinueOnError)
	flags.Var(&c.topics, "topic", "records of this `TOPIC`; may be given more than once; all topics where it is not given")
	from := flags.String("from", "", "records of this `TIME` or later")
	to := flags.String("to", "", "records before this `TIME`")
	flags.BoolVar(&c.dryRun, "dry-run", false, "only count what would be replayed")
	flags.Int64Var(&c.maxBytes, "max-bytes", 1<<30, "the most that one statement may read of the warehouse, `N` bytes")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
	offsets := ""
	if c.verb == "kafka" {
		flags.IntVar(&c.partition, "partition", -1, "the partition of the offsets, `N`")
		flags.StringVar(&offsets, "offsets", "", "the first and last offset, `A-B`")
		flags.StringVar(&c.url, "url", "", urlUsage)
		flags.StringVar(&c.after, "resume-after", "", "go on behind this `TOPIC/PARTITION/OFFSET`, as an earlier call printed it")
	} else {
		flags.StringVar(&c.after, "resume-after", "", "go on behind this `TOPIC/DAY`, as an earlier call printed it")
	}
	if err := c.streams.parse(flags, args, replayUsage+"\n"); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	var err error
	if c.from, c.to, err = parsePeriod(*from, *to); err != nil {
		return err
	}
	if c.first, c.last, err = parseOffsets(offsets); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if len(c.topics) == 0 {
		c.topics = event.Topics()
	}
	slices.Sort(c.topics)
	c.topics = slices.Compact(c.topics)
	return nil
}

func parseOffsets(text string) (first, last int64, err error) {
	if text == "" {
		return -1, -1, nil
	}
	_, err = fmt.Sscanf(text, "%d-%d", &first, &last)
	if err != nil || text != fmt.Sprintf("%d-%d", first, last) || first < 0 || last < first {
		return -1, -1, program.Mistakef("--offsets is %q: write the first and the last offset as A-B, such as 1000-1499", text)
	}
	return first, last, nil
}

// check reports what cannot be meant.
func (c *replayCall) check() error {
	for _, topic := range c.topics {
		if !slices.Contains(event.Topics(), topic) {
			return program.Mistakef("there is no topic %q: the topics are %s", topic, strings.Join(event.Topics(), ", "))
		}
	}
	offsets, times := c.first >= 0, !c.from.IsZero() || !c.to.IsZero()
	switch {
	case c.maxBytes < 1:
		return program.Mistakef("--max-bytes is %d: it must be 1 or more", c.maxBytes)
	case c.verb == "lake" && (c.from.IsZero() || c.to.IsZero()):
		return program.Mistakef("say of which time: --from TIME --to TIME")
	case c.verb == "lake":
		return nil
	case offsets == times:
		return program.Mistakef("say what to replay: --topic TOPIC --partition N --offsets A-B, or --from TIME --to TIME")
	case offsets && (len(c.topics) != 1 || c.partition < 0):
		return program.Mistakef("--offsets are of one partition: name it by --topic TOPIC --partition N")
	case times && c.partition >= 0:
		return program.Mistakef("--partition goes with --offsets; --from and --to are of all partitions")
	case times && c.from.IsZero():
		return program.Mistakef("say from when on: --from TIME")
	case !c.from.IsZero() && c.from.After(c.clock.Now()):
		return program.Mistakef("--from is in the future: nothing was written then")
	}
	return nil
}

// A replayReport is what a replay did, as --json prints it; fields may be added.
type replayReport struct {
	DryRun  bool   `json:"dry_run"` // nothing was sent
	Bytes   int64  `json:"bytes_read"`
	Records int64  `json:"records"`
	Retried int64  `json:"retried"`           // those of the records that are in quarantine, and are judged again
	Batches int64  `json:"batches,omitempty"` // that were sent to ingest
	Last    string `json:"last"`              // how far it came, for --resume-after; "" where nothing was done
}

// end prints the report, and how to go on after an error.
func (c *replayCall) end(report replayReport, done string, err error) error {
	if c.asJSON {
		err = errors.Join(err, printJSON(c.streams.Out, report))
	} else {
		fmt.Fprintln(c.streams.Out, done)
	}
	if err != nil && report.Last != "" && !c.dryRun {
		fmt.Fprintf(c.streams.Err, "to go on from there, add --resume-after %s\n", report.Last)
	}
	return err
}

// limits are those of what is read of the warehouse.
func (c *replayCall) limits(report *replayReport) scan.Limits {
	return scan.Limits{MaxBytes: c.maxBytes, Told: func(bytes int64) {
		report.Bytes += bytes
		fmt.Fprintf(c.streams.Err, "reading up to %s of the warehouse\n", sizeText(bytes))
	}}
}

// explainTooMuch says what to do about a query that would read too much.
func explainTooMuch(err error) error {
	var much *scan.TooMuch
	if !errors.As(err, &much) {
		return err
	}
	return fmt.Errorf("it would read %s of the warehouse, and may read %s: narrow it with --topic or --from, or raise --max-bytes", sizeText(much.Bytes), sizeText(much.Most))
}
