package lake

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/tracing"
)

// A Bucket is the lake's. It is safe for concurrent use.
type Bucket struct {
	name    string
	client  *storage.Client
	handle  *storage.BucketHandle
	timeout time.Duration // of one attempt
}

// Open returns the bucket of the name, without contacting it. The spans of what
// it does are ours: the client's own would cost more than they tell. life bounds its
// connections, which Close ends as well; timeout bounds one attempt.
func Open(life context.Context, name string, timeout time.Duration, options ...option.ClientOption) (*Bucket, error) {
	client, err := storage.NewClient(life, append([]option.ClientOption{storage.WithJSONReads(), option.WithTelemetryDisabled()}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Cloud Storage: %w", err)
	}
	return &Bucket{name: name, client: client, handle: client.Bucket(name), timeout: timeout}, nil
}

// Close ends the connections to the bucket. Calls that run then fail.
func (b *Bucket) Close() error { return b.client.Close() }

// SetAsideValue makes the value of the batch's record durable as an object of
// its own, for a quarantine row that has no room for it, and returns its URI.
func (b *Bucket) SetAsideValue(ctx context.Context, of *batch.Batch, r *batch.Record) (string, error) {
	return b.setAside(ctx, of, r, lake.QuarantineObject(of.Topic, of.TopicID, r.Partition, r.Offset), r.Value)
}

// SetAsideKey is SetAsideValue for the record's key.
func (b *Bucket) SetAsideKey(ctx context.Context, of *batch.Batch, r *batch.Record) (string, error) {
	return b.setAside(ctx, of, r, lake.QuarantineKeyObject(of.Topic, of.TopicID, r.Partition, r.Offset), r.Key)
}

func (b *Bucket) setAside(ctx context.Context, of *batch.Batch, r *batch.Record, name string, data []byte) (string, error) {
	alone := *of
	alone.Records = []batch.Record{*r}
	_, err := b.create(ctx, lake.Object{Name: name, Digest: lake.Digest(&alone), Data: data})
	return lake.URI(b.name, name), err
}

// create makes the object durable.
func (b *Bucket) create(ctx context.Context, object lake.Object) (duplicate bool, err error) {
	ctx, span := tracing.Begin(ctx, "write object")
	defer func() {
		span.SetString("stationflow.object", object.Name)
		span.SetInt("stationflow.bytes", int64(len(object.Data)))
		if duplicate {
			span.SetString("stationflow.found", "an earlier delivery wrote it")
		}
		span.End(err)
	}()
	err = b.try(ctx, func(ctx context.Context) error {
		duplicate, err = lake.CreateOnce(ctx, b.handle, object)
		return err
	})
	return duplicate, err
}

func (b *Bucket) read(ctx context.Context, name string) (data []byte, err error) {
	err = b.try(ctx, func(ctx context.Context) error {
		data, err = lake.Read(ctx, b.handle, name)
		return err
	})
	return data, err
}

// try makes an attempt within the time limit, and again while it may help.
func (b *Bucket) try(ctx context.Context, attempt func(context.Context) error) error {
	return fault.Retry(ctx, Fault, func() error {
		limited, cancel := context.WithTimeout(ctx, b.timeout)
		defer cancel()
		return attempt(limited)
	})
}
