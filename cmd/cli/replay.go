package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/stationflow/stationflow/bridge/outlet"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/replay"
	"github.com/stationflow/stationflow/terraform"
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
	streams  Streams
	clock    mailbox.Clock
	request  replay.Request
	url      string
	maxBytes int64
	asJSON   bool
}

// replayTool is the command, with the clock that it tells progress by.
type replayTool struct{ clock mailbox.Clock }

func (t replayTool) run(ctx context.Context, args []string, streams Streams) error {
	c := &replayCall{streams: streams, clock: t.clock}
	if len(args) > 0 {
		c.request.Source = args[0]
	}
	switch verb := c.request.Source; {
	case isHelp(verb):
		fmt.Fprint(streams.Out, replayUsage, "\nkafka, lake and deadletters each list their flags with --help.\n")
		return flag.ErrHelp
	case verb == "deadletters":
		return deadLetters(t).run(ctx, append([]string{"resend"}, args[1:]...), streams)
	case verb != replay.FromKafka && verb != replay.FromLake:
		return program.Mistakef("say kafka, lake or deadletters: stationflow replay --help explains them")
	}
	if err := c.parse(args[1:]); err != nil {
		return err
	}
	worker, end, err := c.worker(ctx)
	if err != nil {
		return err
	}
	defer end()
	report, err := worker.Run(ctx, c.request)
	return c.end(report, explainTooMuch(err))
}

func (c *replayCall) parse(args []string) (err error) {
	r := &c.request
	flags := flag.NewFlagSet("stationflow replay "+r.Source, flag.ContinueOnError)
	flags.Var((*texts)(&r.Topics), "topic", "records of this `TOPIC`; may be given more than once; all topics where it is not given")
	period(flags, c.clock.Now(), &r.From, &r.To, "records")
	flags.BoolVar(&r.DryRun, "dry-run", false, "only count what would be replayed")
	flags.Int64Var(&c.maxBytes, "max-bytes", 1<<30, "the most that one statement may read of the warehouse, `N` bytes")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
	offsets := ""
	r.Partition = -1
	if r.Source == replay.FromKafka {
		flags.IntVar(&r.Partition, "partition", -1, "the partition of the offsets, `N`")
		flags.StringVar(&offsets, "offsets", "", "the first and last offset, `A-B`")
		flags.StringVar(&c.url, "url", "", urlUsage)
		flags.StringVar(&r.After, "resume-after", "", "go on behind this `TOPIC/PARTITION/OFFSET`, as an earlier call printed it")
	} else {
		flags.StringVar(&r.After, "resume-after", "", "go on behind this `TOPIC/DAY`, as an earlier call printed it")
	}
	if err := c.streams.parse(flags, args, replayUsage+"\n"); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	if err := checkPeriod(r.From, r.To); err != nil {
		return err
	}
	if r.First, r.Last, err = parseOffsets(offsets); err != nil {
		return err
	}
	if c.maxBytes < 1 {
		return program.Mistakef("--max-bytes is %d: it must be 1 or more", c.maxBytes)
	}
	return r.Check(c.clock.Now(), func(name string) string { return "--" + name })
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

// worker is what replays, by the environment; end ends its connections.
func (c *replayCall) worker(ctx context.Context) (w *replay.Worker, end func(), err error) {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return nil, nil, err
	}
	r := env.NewReader(c.streams.Getenv)
	told := progress{clock: c.clock, out: c.streams.Err}
	w = &replay.Worker{Warehouse: bqconfig.FromEnv(r), Bucket: r.String("LAKE_BUCKET", ""), MaxBytes: c.maxBytes,
		Told:    func(bytes int64) { fmt.Fprintf(c.streams.Err, "reading up to %s of the warehouse\n", sizeText(bytes)) },
		Arrived: func(records int64, last string) { told.tell("%d records replayed, up to %v", records, last) },
	}
	var way outlet.Way
	if c.request.Source == replay.FromKafka {
		w.Kafka, way = kafka.FromEnv(r), outlet.FromEnv(r, deployment, c.url)
	}
	if err := r.Err(); err != nil {
		return nil, nil, c.streams.advise(err)
	}
	if err := way.Check(); err != nil {
		return nil, nil, err
	}
	if err := reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return nil, nil, err
	}
	if c.request.Source == replay.FromLake || c.request.DryRun {
		return w, func() {}, nil
	}
	out, err := openOutlet(ctx, way)
	if err != nil {
		return nil, nil, err
	}
	w.Send = out.Send
	return w, func() { _ = out.Close() }, nil
}

// end prints the report, and how to go on after an error.
func (c *replayCall) end(report replay.Report, err error) error {
	if mistake := new(program.Mistake); errors.As(err, mistake) {
		return fmt.Errorf("--resume-after: %w", err)
	}
	if c.asJSON {
		err = errors.Join(err, printJSON(c.streams.Out, report))
	} else {
		fmt.Fprintln(c.streams.Out, c.summary(report))
	}
	if err != nil && report.Last != "" && !report.DryRun {
		fmt.Fprintf(c.streams.Err, "to go on from there, add --resume-after %s\n", report.Last)
	}
	return err
}

func (c *replayCall) summary(report replay.Report) string {
	done := "replayed"
	if c.request.Source == replay.FromLake {
		done = "put back into staging"
	}
	if report.DryRun {
		done = "would be " + done
	}
	if c.request.Source == replay.FromLake {
		return fmt.Sprintf("%s %s", counted(int(report.Records), "record"), done)
	}
	are := "are in quarantine and are judged again"
	if report.Retried == 1 {
		are = "is in quarantine and is judged again"
	}
	return fmt.Sprintf("%s %s in %s; %d of them %s", counted(int(report.Records), "record"), done, counted(int(report.Batches), "batch"), report.Retried, are)
}

// explainTooMuch says what to do about a query that would read too much.
func explainTooMuch(err error) error {
	var much *scan.TooMuch
	if !errors.As(err, &much) {
		return err
	}
	return fmt.Errorf("it would read %s of the warehouse, and may read %s: narrow it with --topic or --from, or raise --max-bytes", sizeText(much.Bytes), sizeText(much.Most))
}
