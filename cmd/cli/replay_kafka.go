package cli

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/storage"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/quarantine"
	"github.com/stationflow/stationflow/internal/replay"
	"github.com/stationflow/stationflow/terraform"
)

// A kafkaReplay is what a replay from Kafka needs of the environment.
type kafkaReplay struct {
	kafka      kafka.Config
	warehouse  bqconfig.Config
	bucket     string
	to         way
	deployment terraform.Deployment
}

func (c *replayCall) kafkaSettings() (s kafkaReplay, err error) {
	if s.deployment, err = terraform.ReadDeployment(); err != nil {
		return s, err
	}
	r := env.NewReader(c.streams.Getenv)
	transport := ""
	s.kafka, s.warehouse, s.bucket = kafka.FromEnv(r), bqconfig.FromEnv(r), r.String("LAKE_BUCKET", "")
	s.to, transport = wayFrom(r, s.deployment, c.url)
	if err := r.Err(); err != nil {
		return s, localAdvice(c.streams.Getenv, err)
	}
	return s, s.to.check(transport)
}

// kafka replays what Kafka still has.
func (c *replayCall) kafka(ctx context.Context) error {
	s, err := c.kafkaSettings()
	if err != nil {
		return err
	}
	if err := reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return err
	}
	source, err := replay.OpenSource(ctx, s.kafka, c.topics)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	spans, err := c.spans(source)
	if err != nil {
		return err
	}
	report := replayReport{DryRun: c.dryRun}
	quarantined, err := c.quarantined(ctx, s.warehouse, source, &report)
	if err != nil {
		return err
	}
	send, end, err := c.replaySender(ctx, &s, &report)
	if err != nil {
		return err
	}
	defer end()
	told := progress{clock: c.clock, out: c.streams.Err}
	work := replay.Replay{
		Source: source, Plain: replay.Packer{Send: send}, Retry: replay.Packer{Send: send}, Quarantined: quarantined,
		Aside: c.aside(s.bucket),
	}
	work.Arrived = func(last quarantine.Place) {
		report.Last = last.String()
		told.tell("%d records replayed, up to %v", work.Records, last)
	}
	for _, span := range spans {
		if err = work.Span(ctx, span); err != nil {
			break
		}
	}
	report.Records, report.Retried = work.Records, work.Retried
	said := "replayed"
	if c.dryRun {
		said = "would be replayed"
	}
	done := fmt.Sprintf("%d records %s in %d batches; %d of them are in quarantine and are judged again", report.Records, said, report.Batches, report.Retried)
	return c.end(report, done, err)
}

// spans returns the offsets to replay, in order.
func (c *replayCall) spans(source *replay.Source) (spans []replay.Span, err error) {
	var lacks *replay.NotHeld
	if c.first >= 0 {
		var span replay.Span
		span, err = source.Offsets(kafka.Partition{Topic: c.topics[0], Number: int32(c.partition)}, c.first, c.last)
		spans = []replay.Span{span}
		if errors.As(err, &lacks) {
			err = fmt.Errorf("%w, not all of %d to %d: what is gone there the lake may have (stationflow replay lake)", err, c.first, c.last)
		}
	} else {
		spans, err = source.Times(c.from, c.to)
	}
	if err != nil || c.after == "" {
		return spans, err
	}
	place, err := quarantine.ParsePlace(c.after)
	if err == nil {
		spans, err = replay.After(spans, place)
	}
	if err != nil {
		return nil, program.Mistakef("--resume-after: %v", err)
	}
	return spans, nil
}

// quarantined returns whether a record is in quarantine.
func (c *replayCall) quarantined(ctx context.Context, config bqconfig.Config, source *replay.Source, report *replayReport) (func(quarantine.Place) bool, error) {
	table, err := quarantine.Open(ctx, config, c.limits(report))
	if err != nil {
		return nil, err
	}
	all, err := table.Coordinates(ctx, quarantine.Filter{Topics: c.topics})
	if err = errors.Join(err, table.Close()); err != nil {
		return nil, explainTooMuch(err)
	}
	return func(p quarantine.Place) bool {
		return all[quarantine.Coordinate{TopicID: source.Origin(p.Topic).TopicID, Partition: int64(p.Partition), Offset: p.Offset}]
	}, nil
}

// replaySender returns what becomes of each batch: it is sent, or only counted.
func (c *replayCall) replaySender(ctx context.Context, s *kafkaReplay, report *replayReport) (send func(context.Context, cloudevents.Event, int) error, end func(), err error) {
	count := func(ctx context.Context, _ cloudevents.Event, _ int) error { report.Batches++; return ctx.Err() }
	if c.dryRun {
		return count, func() {}, nil
	}
	outlet, err := s.to.open(ctx, s.deployment)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, e cloudevents.Event, records int) error {
		if err := outlet.send(ctx, e); err != nil {
			return fmt.Errorf("sending %d records of %s: %w", records, e.Subject(), err)
		}
		return count(ctx, e, records)
	}, func() { _ = outlet.close() }, nil
}

// aside writes what fits no batch into the lake, where the bridge has put it
// before. A dry run writes nothing.
func (c *replayCall) aside(bucket string) func(context.Context, *batch.Batch, *batch.Record) error {
	return func(ctx context.Context, of *batch.Batch, r *batch.Record) error {
		if c.dryRun {
			return lake.PutAside(bucket, of, r, func(string, uint64, []byte) error { return nil })
		}
		if bucket == "" {
			return errors.New("a value is too large for a batch and there is no lake to put it: set LAKE_BUCKET to the bucket's name")
		}
		client, err := storage.NewClient(ctx)
		if err != nil {
			return fmt.Errorf("connecting to Cloud Storage: %w", err)
		}
		err = lake.PutAside(bucket, of, r, func(name string, digest uint64, data []byte) error {
			_, err := lake.CreateOnce(ctx, client.Bucket(bucket), lake.Object{Name: name, Digest: digest, Data: data})
			return err
		})
		return errors.Join(err, client.Close())
	}
}
