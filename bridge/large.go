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
func (b *batcher) putAside(work context.Context, r *batch.Record) error {
	of := b.of
	of.Records = []batch.Record{*r}
	digest := lake.Digest(&of)
	put := func(name string, data []byte) (uri string, err error) {
		return lake.URI(b.bridge.config.LakeBucket, name), b.store(work, name, digest, data)
	}
	uri, err := put(lake.QuarantineObject(of.Topic, of.TopicID, r.Partition, r.Offset), r.Value)
	if err != nil {
		return err
	}
	own := r.Headers
	r.ValueURI, r.ValueSize, r.Value, r.Headers = uri, int64(len(r.Value)), nil, nil
	if len(own) > 0 {
		uri, err := put(lake.QuarantineHeadersObject(of.Topic, of.TopicID, r.Partition, r.Offset), headersJSON(own))
		if err != nil {
			return err
		}
		r.Headers = append(r.Headers, batch.Header{Key: batch.HeaderHeadersURI, Value: []byte(uri)})
	}
	var empty batch.Encoder
	if empty.Fits(r) {
		return nil
	}
	if uri, err = put(lake.QuarantineKeyObject(of.Topic, of.TopicID, r.Partition, r.Offset), r.Key); err != nil {
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

func (b *batcher) store(work context.Context, name string, digest uint64, data []byte) error {
	for failed := 0; ; failed++ {
		err := b.create(work, name, digest, data)
		if err == nil {
			b.failing.Store(nil)
			return nil
		}
		if work.Err() != nil {
			return err
		}
		b.failAside(name, failed, err)
		if err := b.bridge.config.retries().Wait(work, failed); err != nil {
			return err
		}
	}
}

func (b *batcher) create(work context.Context, name string, digest uint64, data []byte) error {
	if b.bridge.bucket == nil {
		return errors.New("a value is too large for a batch and there is no lake to put it: set LAKE_BUCKET to the bucket's name")
	}
	ctx, cancel := context.WithTimeout(work, asideTimeout)
	defer cancel()
	object := lake.Object{Name: name, Digest: digest, Data: data}
	if _, err := lake.CreateOnce(ctx, b.bridge.bucket, object); err != nil {
		return fmt.Errorf("putting a large value aside: %w", err)
	}
	return nil
}
