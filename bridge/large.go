package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

// putAside writes the value of a record that is too large for any batch into
// the lake, and leaves a record that says where, as lake.PutAside does. It tries
// until the objects are durable or work is done: the record is not passed over.
func (c *claim) putAside(work context.Context, r *batch.Record) error {
	return lake.PutAside(c.bridge.config.LakeBucket, &c.of, r, func(name string, digest uint64, data []byte) error {
		return c.store(work, name, digest, data)
	})
}

// asideTimeout bounds one attempt to write an object, which may be as large as
// Kafka lets a record be.
const asideTimeout = time.Minute

func (c *claim) store(work context.Context, name string, digest uint64, data []byte) error {
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
		if err := c.bridge.config.retries().Wait(work, failed); err != nil {
			return err
		}
	}
}

func (c *claim) create(work context.Context, name string, digest uint64, data []byte) error {
	if c.bridge.bucket == nil {
		return errors.New("a value is too large for a batch and there is no lake to put it: set LAKE_BUCKET to the bucket's name")
	}
	ctx, cancel := context.WithTimeout(work, asideTimeout)
	defer cancel()
	object := lake.Object{Name: name, Digest: digest, Data: data}
	if _, err := lake.CreateOnce(ctx, c.bridge.bucket, object); err != nil {
		return fmt.Errorf("putting a large value aside: %w", err)
	}
	return nil
}
