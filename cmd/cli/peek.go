package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/replay"
)

const peekHelp = `usage: stationflow peek [FLAGS] TOPIC

Shows the newest records of a topic in Kafka, the newest last, and what ingest
decides about each: it decodes and judges them by the same rules and settings,
through the schema registry where records name one. It joins no group and
changes nothing. Only what the warehouse alone refuses is not seen here.

Examples:
  stationflow peek incidents
  stationflow peek ticket_validations --bad -n 3   refused among the newest 10000
  stationflow peek incidents --json | jq '.records[].event.station'

`

// A peekCall is one call of stationflow peek.
type peekCall struct {
	streams   Streams
	topic     string
	n         int
	partition int
	bad       bool
	look      int // how many of the newest are judged with bad
	asJSON    bool
}

func runPeek(ctx context.Context, args []string, streams Streams) error {
	c := peekCall{streams: streams}
	if err := c.parse(args); err != nil {
		return err
	}
	config, err := read(&c.streams, kafka.FromEnv)
	if err != nil {
		return err
	}
	rules, err := ingest.RulesFromEnv(c.streams.Getenv)
	if err != nil {
		return c.streams.advise(err)
	}
	judge, err := ingest.NewJudge(rules)
	if err != nil {
		return err
	}
	var found peeked
	err = c.streams.during("reading "+c.topic+" and judging its newest records", func() error {
		source, err := replay.OpenSource(ctx, config, []string{c.topic})
		if err != nil {
			return err
		}
		defer func() { _ = source.Close() }()
		found, err = c.peek(ctx, source, judge)
		return err
	})
	if err != nil {
		return err
	}
	return c.print(found)
}

func (c *peekCall) parse(args []string) error {
	flags := flag.NewFlagSet("stationflow peek", flag.ContinueOnError)
	flags.IntVar(&c.n, "n", 10, "so many records at most, `N`")
	flags.IntVar(&c.partition, "partition", -1, "only partition `N` (default: all)")
	flags.BoolVar(&c.bad, "bad", false, "only records that ingest would refuse")
	flags.IntVar(&c.look, "look", 10_000, "with --bad: look among so many of the newest, `N`")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
	if err := c.streams.parse(flags, args, peekHelp); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return program.Mistakef("name one topic: %s", strings.Join(event.Topics(), ", "))
	}
	c.topic = flags.Arg(0)
	if err := event.CheckTopic(c.topic); err != nil {
		return program.AsMistake(err)
	}
	switch {
	case c.partition < -1:
		return program.Mistakef("--partition is %d: it must be 0 or more", c.partition)
	case c.n < 1 || c.n > 10_000:
		return program.Mistakef("-n is %d: it must be from 1 to 10000", c.n)
	case c.look < 1 || c.look > 1_000_000:
		return program.Mistakef("--look is %d: it must be from 1 to 1000000", c.look)
	}
	return nil
}

// A peeked is what was found, as --json prints it; fields may be added.
type peeked struct {
	Topic   string       `json:"topic"`
	TopicID string       `json:"topic_id"`
	Looked  int          `json:"looked_at"` // records that were judged
	Refused int          `json:"refused"`   // of these
	Records []peekRecord `json:"records"`   // the newest last
}

type peekRecord struct {
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Timestamp *time.Time     `json:"kafka_timestamp"` // null when Kafka has none
	Reason    event.Reason   `json:"reason"`          // for which it would be refused; "" for accepted
	Detail    string         `json:"detail"`
	Key       contentJSON    `json:"key"`
	Value     contentJSON    `json:"value"`
	Event     map[string]any `json:"event"` // null where it is refused
}

// peek judges the newest records of each partition, and keeps the newest of
// all.
func (c *peekCall) peek(ctx context.Context, source *replay.Source, judge *ingest.Judge) (peeked, error) {
	spans, err := source.Times(time.Time{}, time.Time{})
	if err != nil {
		return peeked{}, err
	}
	if c.partition >= 0 {
		all, err := source.Partitions(c.topic)
		if err != nil {
			return peeked{}, err
		}
		if !slices.Contains(all, int32(c.partition)) {
			return peeked{}, program.Mistakef("%s has no partition %d: they are %d to %d", c.topic, c.partition, all[0], all[len(all)-1])
		}
	}
	of := source.Origin(c.topic)
	found := peeked{Topic: c.topic, TopicID: of.TopicID, Records: []peekRecord{}}
	want := c.n
	if c.bad {
		want = c.look
	}
	var newest []*batch.Record
	for _, span := range spans {
		if c.partition >= 0 && int(span.Number) != c.partition {
			continue
		}
		some, err := tail(ctx, source, span, want)
		if err != nil {
			return found, err
		}
		newest = append(newest, some...)
		slices.SortStableFunc(newest, func(a, b *batch.Record) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
		newest = newest[max(len(newest)-want, 0):]
	}
	for some := range slices.Chunk(newest, 1000) {
		if err := c.judge(ctx, judge, *of, some, &found); err != nil {
			return found, err
		}
	}
	found.Records = found.Records[max(len(found.Records)-c.n, 0):]
	return found, nil
}

// tail returns the last n records of the span, fewer where it has not as many.
// Offsets without a record, as compaction and transactions leave them, make it
// look further back.
func tail(ctx context.Context, source *replay.Source, span replay.Span, n int) (last []*batch.Record, err error) {
	part := span
	for back := int64(n); ; back *= 2 {
		part.First = max(part.Next-back, span.First)
		var some []*batch.Record
		err := source.Read(ctx, part, func(r *batch.Record) error {
			some = append(some, r)
			some = some[max(len(some)-n, 0):]
			return nil
		})
		if err != nil {
			return nil, err
		}
		last = append(some, last...)
		last = last[max(len(last)-n, 0):]
		if len(last) == n || part.First == span.First {
			return last, nil
		}
		part.Next = part.First
	}
}

// judge adds what is decided about records.
func (c *peekCall) judge(ctx context.Context, judge *ingest.Judge, of batch.Batch, records []*batch.Record, found *peeked) error {
	schema, _ := event.SchemaOf(c.topic)
	events := map[int]map[string]any{}
	for _, r := range records {
		one := *r
		if !new(batch.Encoder).Fits(r) { // as the bridge leaves it
			one.Value, one.Headers, one.ValueURI = nil, nil, "its bytes go to the lake: they fit no batch"
		}
		of.Records = append(of.Records, one)
	}
	refused, err := judge.Decided(ctx, &of, func(i int, row event.Row) {
		fields := make(map[string]any, len(row))
		for at, column := range schema.Columns {
			fields[column.Name] = row[at].JSON()
		}
		if extra := row[len(schema.Columns)].JSON(); extra != nil {
			fields["extra"] = extra
		}
		events[i] = fields
	})
	if err != nil {
		return err
	}
	for i, r := range records {
		why, bad := refused[i]
		found.Looked++
		if bad {
			found.Refused++
		} else if c.bad {
			continue
		}
		one := peekRecord{Partition: r.Partition, Offset: r.Offset, Reason: why.Reason, Detail: why.Detail,
			Key: contentOf(r.Key), Value: contentOf(r.Value), Event: events[i]}
		if r.Timestamp >= 0 {
			at := time.UnixMilli(r.Timestamp).UTC()
			one.Timestamp = &at
		}
		found.Records = append(found.Records, one)
	}
	return nil
}

// print writes a line for each record, and how many would be refused.
func (c *peekCall) print(found peeked) error {
	if c.asJSON {
		return printJSON(c.streams.Out, found)
	}
	width, onTerminal := c.streams.terminal()
	for i := range found.Records {
		r := &found.Records[i]
		written := "-"
		if r.Timestamp != nil {
			written = r.Timestamp.Format("2006-01-02T15:04:05Z")
		}
		line := fmt.Sprintf("%-8s %s  %s", fmt.Sprintf("%d/%d", r.Partition, r.Offset), written, r.verdict())
		if onTerminal {
			line = cut(line, width)
		}
		fmt.Fprintln(c.streams.Out, line)
	}
	switch {
	case len(found.Records) == 0 && c.bad && found.Looked > 0:
		fmt.Fprintf(c.streams.Err, "none of the newest %d records would be refused\n", found.Looked)
	case found.Looked == 0:
		fmt.Fprintf(c.streams.Err, "%s holds no records\n", c.topic)
	default:
		fmt.Fprintf(c.streams.Err, "%d of the newest %d records would be refused\n", found.Refused, found.Looked)
	}
	return nil
}

// verdict is one line: the event, or why there is none, with what was sent.
func (r *peekRecord) verdict() string {
	if r.Reason == "" {
		text, err := jsonLine(r.Event)
		if err != nil {
			return "accepted"
		}
		return "accepted  " + oneLine(text)
	}
	return oneLine(fmt.Sprintf("%s: %s; %v", r.Reason, r.Detail, r.Value))
}
