// Package ingest is the Cloud Function that takes micro-batches of Kafka
// records as CloudEvents, decides about every record, and makes it durable:
// good ones as Parquet objects in the lake and as rows in the topic's staging
// table, bad ones as rows in the quarantine table, with their bytes and a
// reason. Where the lake is the only sink both are Parquet objects alone.
//
// A call returns nil only when all of its batch is durable; any error has the
// event delivered again. Delivery is at least once and so are the rows, which
// readers keep one of for each Kafka coordinate; an object is created once,
// because its name is derived from the batch, and completed by another where a
// later delivery accepts records that it lacks. What can never succeed is
// refused with an error as well, and so ends among the dead letters, those of
// the subscription or of the bridge, never in nothing.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"cloud.google.com/go/storage"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake"
)

// A Function ingests batches. Its clients and streams are shared by all
// calls, which may run concurrently.
type Function struct {
	config      Config
	storage     *storage.Client
	bucket      *storage.BucketHandle
	topics      map[string]*topic
	quarantined *table
	turns       chan struct{} // holds one for each request that is worked on
	decoded     sync.Pool     // of *decoded
	counters    counters
}

// New connects a Function to the lake and the warehouse. It contacts neither
// before the first batch. life bounds the function's connections, which Close
// ends as well.
func New(life context.Context, config Config) (*Function, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	client, err := storage.NewClient(life, append([]option.ClientOption{storage.WithJSONReads()}, config.StorageOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("setting up ingest: connecting to Cloud Storage: %w", err)
	}
	f := &Function{config: config, storage: client, bucket: client.Bucket(config.Bucket), topics: make(map[string]*topic),
		turns: make(chan struct{}, config.Concurrency)}
	f.decoded.New = func() any { return newDecoded() }
	for _, name := range event.Topics() {
		f.topics[name] = newTopic(life, &config, name)
	}
	f.quarantined = newTable(life, &config, "quarantine", event.QuarantineColumns())
	return f, nil
}

func newTopic(life context.Context, config *Config, name string) *topic {
	schema, _ := event.SchemaOf(name)
	t := &topic{schema: schema, location: config.Location, epoch: config.EpochUnit, table: newTable(life, config, name, schema.StagingColumns())}
	t.timestamp = t.own[position(t.columns, "timestamp")]
	return t
}

// newTable returns what rows with the columns are written with.
func newTable(life context.Context, config *Config, name string, columns []event.Column) *table {
	t := &table{layout: newLayout(columns)}
	t.parquet = newParquetFormat(name, t.layout)
	t.stream = newStream(life, config.Warehouse, name, newRowEncoder(t.layout), config.AppendTimeout)
	return t
}

// Close ends the function's connections. Calls that run then fail.
func (f *Function) Close() error {
	errs := []error{f.storage.Close(), f.quarantined.stream.close()}
	for _, t := range f.topics {
		errs = append(errs, t.stream.close())
	}
	return errors.Join(errs...)
}

// Ingest makes the batch that the event carries durable. The error says what
// went wrong, for a log; it is logged by then, once. Concurrent deliveries of
// the same batch do no harm.
func (f *Function) Ingest(ctx context.Context, e cloudevents.Event) error {
	began := f.config.Now()
	ctx, cancel := context.WithTimeout(ctx, f.config.CallTimeout)
	defer cancel()
	var s summary
	err := guarded(func() error { return f.ingest(ctx, e, &s) })
	s.took = f.config.Now().Sub(began)
	f.report(e, &s, err)
	if err != nil {
		return &failure{batch: e.ID(), err: err}
	}
	return nil
}

// refuse counts and logs a delivery of which no event could be read.
func (f *Function) refuse(err error) error {
	f.reportFailure(cloudevents.Event{}, &summary{}, err)
	return &failure{err: err}
}

func (f *Function) ingest(ctx context.Context, e cloudevents.Event, s *summary) error {
	d := f.decoded.Get().(*decoded)
	b, e, err := d.open(e)
	if err != nil {
		return err
	}
	t, known := f.topics[b.Topic]
	if !known {
		return &foreignTopic{topic: b.Topic}
	}
	d.decode(t, b, f.config.Now())
	s.describe(b, e, d)
	if err := f.store(ctx, t, b, d, s); err != nil {
		return err
	}
	s.quarantined = len(d.rejections)
	s.durable = f.config.Now()
	f.decoded.Put(d) // not after a failure, which may have been a panic
	return nil
}

// store makes the decoded batch durable in the lake and, unless it is left
// out, in the warehouse.
// Neither waits for the other, since both can be done again without harm; nor
// does the failure of one stop the other, which leaves less to do again.
func (f *Function) store(ctx context.Context, t *topic, b *batch.Batch, d *decoded, s *summary) error {
	var inLake error
	var archiving sync.WaitGroup
	archiving.Go(func() {
		inLake = guarded(func() (err error) {
			s.duplicates, err = f.archive(ctx, t, b, lake.Digest(b), d.good)
			return err
		})
	})
	elsewhere := guarded(func() error {
		if f.config.LakeOnly {
			return f.quarantine(ctx, b, d.rejections)
		}
		return f.load(ctx, t, b, d)
	})
	archiving.Wait()
	return errors.Join(inLake, elsewhere)
}

// load appends the good records to the staging table and the bad ones to the
// quarantine, among them those that the staging table refuses.
func (f *Function) load(ctx context.Context, t *topic, b *batch.Batch, d *decoded) error {
	refusals, err := f.appendRows(ctx, t.stream, d.good)
	if err != nil {
		return err
	}
	for _, r := range refusals {
		d.rejections = append(d.rejections, rejection{
			record: d.records[r.row], reason: event.RefusedByWarehouse, detail: r.detail,
		})
	}
	return f.quarantine(ctx, b, d.rejections)
}
