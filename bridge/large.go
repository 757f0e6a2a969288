package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

// putAside writes the value of a record that is too large for any batch into
// the lake, and leaves a record that says where. Its headers go to an object of
// their own, and so does its key when it is too large as well; headers of the
// record that is left say where. It tries until the objects are durable or work
// is done: the record is not passed over.
func (c *claim) putAside(work context.Context, r *batch.Record) error {
	of := c.of
	of.Records = []batch.Record{*r}
	digest := lake.Digest(&of)
	put := func(name string, data []byte) (uri string, err error) {
		return lake.URI(c.bridge.config.LakeBucket, name), c.store(work, name, digest, data)
	}
	uri, err := put(lake.QuarantineObject(of.Topic, of.TopicID, c.number, r.Offset), r.Value)
	if err != nil {
		return err
	}
	own := r.Headers
	r.ValueURI, r.ValueSize, r.Value, r.Headers = uri, int64(len(r.Value)), nil, nil
	if len(own) > 0 {
		uri, err := put(lake.QuarantineHeadersObject(of.Topic, of.TopicID, c.number, r.Offset), headersJSON(own))
		if err != nil {
			return err
		}
		r.Headers = append(r.Headers, batch.Header{Key: batch.HeaderHeadersURI, Value: []byte(uri)})
	}
	var empty batch.Encoder
	if empty.Fits(r) {
		return nil
	}
	if uri, err = put(lake.QuarantineKeyObject(of.Topic, of.TopicID, c.number, r.Offset), r.Key); err != nil {
		return err
	}
	r.Key, r.Headers = nil, append(r.Headers, batch.Header{Key: batch.HeaderKeyURI, Value: []byte(uri)})
	return nil
}

// headersJSON is a record's headers as an object holds them.
func headersJSON(headers []batch.Header) []byte {
	type header struct {
		Key   string `json:"key"`
		Value []byte `json:"value"`
	}
	all := make([]header, len(headers))
	for i, h := range headers {
		all[i] = header(h)
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings and bytes always have a JSON form
	}
	return text
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
