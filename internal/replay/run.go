package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/storage"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/quarantine"
)

// A Worker replays what a Request asks for.
type Worker struct {
	Kafka     kafka.Config // for a replay from Kafka
	Warehouse bqconfig.Config
	Bucket    string // of the lake; "" where it is not known

	// Send makes a batch arrive, or fails; a dry run and the lake need none.
	Send func(context.Context, cloudevents.Event) error

	MaxBytes int64                            // the most that one statement may read of the warehouse; 0 for no limit
	Told     func(bytes int64)                // is told before each statement what it will read; nil to tell nobody
	Arrived  func(records int64, last string) // is told how far it came; nil likewise

	// Until is when no further step is begun: the error is ErrTime then. Zero
	// for never.
	Until time.Time
	Now   func() time.Time // nil for time.Now
}

// ErrTime is that Until has passed: what the report counts is done.
var ErrTime = errors.New("the time is up")

// Run replays what the request asks for, which Check has passed. After an error
// the report says what was done, and its Last where to go on: to replay more than
// once does no harm. A program.Mistake is one in Request.After.
func (w *Worker) Run(ctx context.Context, r Request) (Report, error) {
	report := Report{DryRun: r.DryRun}
	var err error
	if r.Source == FromLake {
		err = w.lake(ctx, r, &report)
	} else {
		err = w.kafka(ctx, r, &report)
	}
	return report, err
}

// limits are those of what is read of the warehouse.
func (w *Worker) limits(report *Report) scan.Limits {
	return scan.Limits{MaxBytes: w.MaxBytes, Told: func(bytes int64) {
		report.Bytes += bytes
		if w.Told != nil {
			w.Told(bytes)
		}
	}}
}

// arrived notes how far it came, and returns ErrTime where that was the last
// step.
func (w *Worker) arrived(report *Report, records int64, last string) error {
	report.Last = last
	if w.Arrived != nil {
		w.Arrived(records, last)
	}
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	if !w.Until.IsZero() && !now().Before(w.Until) {
		return ErrTime
	}
	return nil
}

// kafka replays what Kafka still has.
func (w *Worker) kafka(ctx context.Context, r Request, report *Report) error {
	source, err := OpenSource(ctx, w.Kafka, r.Topics)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	spans, err := r.spans(source)
	if err != nil {
		return err
	}
	quarantined, err := w.quarantined(ctx, r, source, report)
	if err != nil {
		return err
	}
	send := func(ctx context.Context, e cloudevents.Event, records int) error {
		if !r.DryRun {
			if err := w.Send(ctx, e); err != nil {
				return fmt.Errorf("sending %d records of %s: %w", records, e.Subject(), err)
			}
		}
		report.Batches++
		return ctx.Err()
	}
	work := Replay{Source: source, Plain: Packer{Send: send}, Retry: Packer{Send: send}, Quarantined: quarantined, Aside: w.aside(r.DryRun)}
	work.Arrived = func(last quarantine.Place) error { return w.arrived(report, work.Records, last.String()) }
	for _, span := range spans {
		if err = work.Span(ctx, span); err != nil {
			break
		}
	}
	if end := len(spans) - 1; errors.Is(err, ErrTime) && report.Last == spans[end].end().String() {
		err = nil // it was the last one
	}
	report.Records, report.Retried = work.Records, work.Retried
	return err
}

// spans returns the offsets to replay, in order.
func (r *Request) spans(source *Source) (spans []Span, err error) {
	var lacks *NotHeld
	if r.First >= 0 {
		var span Span
		span, err = source.Offsets(kafka.Partition{Topic: r.Topics[0], Number: int32(r.Partition)}, r.First, r.Last)
		spans = []Span{span}
		if errors.As(err, &lacks) {
			err = fmt.Errorf("%w, not all of %d to %d: what is gone there the lake may have, see stationflow replay lake --help", err, r.First, r.Last)
		}
	} else {
		spans, err = source.Times(r.From, r.To)
	}
	if err != nil || r.After == "" {
		return spans, err
	}
	place, err := quarantine.ParsePlace(r.After)
	if err == nil {
		spans, err = After(spans, place)
	}
	return spans, program.AsMistake(err)
}

// quarantined returns whether a record is in quarantine.
func (w *Worker) quarantined(ctx context.Context, r Request, source *Source, report *Report) (func(quarantine.Place) bool, error) {
	table, err := quarantine.Open(ctx, w.Warehouse, w.limits(report))
	if err != nil {
		return nil, err
	}
	all, err := table.Coordinates(ctx, quarantine.Filter{Topics: r.Topics})
	if err = errors.Join(err, table.Close()); err != nil {
		return nil, err
	}
	return func(p quarantine.Place) bool {
		return all[quarantine.Coordinate{TopicID: source.Origin(p.Topic).TopicID, Partition: int64(p.Partition), Offset: p.Offset}]
	}, nil
}

// aside writes what fits no batch into the lake, where the bridge has put it
// before. A dry run writes nothing.
func (w *Worker) aside(dryRun bool) func(context.Context, *batch.Batch, *batch.Record) error {
	return func(ctx context.Context, of *batch.Batch, r *batch.Record) error {
		if dryRun {
			return lake.PutAside(w.Bucket, of, r, func(string, uint64, []byte) error { return nil })
		}
		if w.Bucket == "" {
			return errors.New("a value is too large for a batch and there is no lake to put it: set LAKE_BUCKET to the bucket's name")
		}
		client, err := storage.NewClient(ctx)
		if err != nil {
			return fmt.Errorf("connecting to Cloud Storage: %w", err)
		}
		err = lake.PutAside(w.Bucket, of, r, func(name string, digest uint64, data []byte) error {
			_, err := lake.CreateOnce(ctx, client.Bucket(w.Bucket), lake.Object{Name: name, Digest: digest, Data: data})
			return err
		})
		return errors.Join(err, client.Close())
	}
}
