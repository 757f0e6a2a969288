package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/pause"
)

// putAside writes the value of a record that is too large for any batch into
// the lake, and leaves a record that says where. Its headers are dropped; its
// key goes to an object beside when it is too large as well. It tries until
// the objects are durable or work is done: the record is not passed over.
func (c *cutter) putAside(work context.Context, r *batch.Record) error {
	of := c.of
	of.Records = []batch.Record{*r}
	digest := lake.Digest(&of)
	name := lake.QuarantineObject(of.Topic, of.TopicID, of.Partition, r.Offset)
	if err := c.store(work, name, digest, r.Value); err != nil {
		return err
	}
	r.ValueURI, r.ValueSize = lake.URI(c.bridge.config.LakeBucket, name), int64(len(r.Value))
	r.Value, r.Headers = nil, nil
	var empty batch.Encoder
	if empty.Fits(r) {
		return nil
	}
	name = lake.QuarantineKeyObject(of.Topic, of.TopicID, of.Partition, r.Offset)
	if err := c.store(work, name, digest, r.Key); err != nil {
		return err
	}
	r.Key = nil
	return nil
}

// asideTimeout bounds one attempt to write an object, which may be as large as
// Kafka lets a record be.
const asideTimeout = time.Minute

func (c *cutter) store(work context.Context, name string, digest uint64, data []byte) error {
	for failed := 0; ; failed++ {
		err := c.create(work, name, digest, data)
		if err == nil {
			c.failing.Store(nil)
			return nil
		}
		if work.Err() != nil {
			return err
		}
		c.failAside(name, failed, err)
		if err := pause.For(work, backoff(failed, c.bridge.config.RetryMax)); err != nil {
			return err
		}
	}
}

func (c *cutter) create(work context.Context, name string, digest uint64, data []byte) error {
	if c.bridge.bucket == nil {
		return errors.New("a value is too large for a batch and there is no lake to put it: set LAKE_BUCKET to the bucket's name")
	}
	ctx, cancel := context.WithTimeout(work, asideTimeout)
	defer cancel()
	if _, err := lake.CreateOnce(ctx, c.bridge.bucket, lake.Object{Name: name, Digest: digest, Data: data}); err != nil {
		return fmt.Errorf("putting a large value aside: %w", err)
	}
	return nil
}
