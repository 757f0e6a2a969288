// Package batchtest makes, for tests, the events that earlier bridges sent.
package batchtest

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/hamba/avro/v2/ocf"

	"github.com/stationflow/stationflow/batch"
)

const schema = `{"type":"record","name":"Record","namespace":"io.stationflow","fields":[
	{"name":"offset","type":"long"},
	{"name":"timestamp","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
	{"name":"key","type":["null","bytes"]},
	{"name":"value","type":["null","bytes"]},
	{"name":"headers","type":{"type":"array","items":{"type":"record","name":"Header","fields":[
		{"name":"key","type":"string"},{"name":"value","type":["null","bytes"]}]}}},
	{"name":"value_uri","type":["null","string"]},
	{"name":"value_size","type":["null","long"]}]}`

type record struct {
	Offset    int64      `avro:"offset"`
	Timestamp *time.Time `avro:"timestamp"`
	Key       *[]byte    `avro:"key"`
	Value     *[]byte    `avro:"value"`
	Headers   []header   `avro:"headers"`
	ValueURI  *string    `avro:"value_uri"`
	ValueSize *int64     `avro:"value_size"`
}

type header struct {
	Key   string  `avro:"key"`
	Value *[]byte `avro:"value"`
}

// V1 returns the event of batch.EventTypeV1 with the batch's records, which
// are of one partition.
func V1(t testing.TB, b *batch.Batch, at time.Time) cloudevents.Event {
	t.Helper()
	var file bytes.Buffer
	encoder, err := ocf.NewEncoder(schema, &file, ocf.WithBlockLength(len(b.Records)))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range b.Records {
		if err := encoder.Encode(recordOf(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	first, last := b.Records[0], b.Records[len(b.Records)-1]
	e := cloudevents.NewEvent()
	e.SetID(fmt.Sprintf("%s-%d-%d-%d", b.TopicID, first.Partition, first.Offset, last.Offset))
	e.SetSource(fmt.Sprintf("//kafka/%s/%s/%d", b.ClusterID, b.Topic, first.Partition))
	e.SetType(batch.EventTypeV1)
	e.SetSubject(b.Topic)
	e.SetTime(at)
	e.SetExtension("topicid", b.TopicID)
	e.SetExtension("firstoffset", strconv.FormatInt(first.Offset, 10))
	e.SetExtension("lastoffset", strconv.FormatInt(last.Offset, 10))
	e.SetExtension("recordcount", len(b.Records))
	if err := e.SetData(batch.ContentType, file.Bytes()); err != nil {
		t.Fatal(err)
	}
	return e
}

func recordOf(r batch.Record) record {
	own := record{Offset: r.Offset, Headers: []header{}}
	if r.Timestamp >= 0 {
		at := time.UnixMilli(r.Timestamp).UTC()
		own.Timestamp = &at
	}
	if r.Key != nil {
		own.Key = &r.Key
	}
	if r.Value != nil {
		own.Value = &r.Value
	}
	for i := range r.Headers {
		h := header{Key: r.Headers[i].Key}
		if r.Headers[i].Value != nil {
			h.Value = &r.Headers[i].Value
		}
		own.Headers = append(own.Headers, h)
	}
	if r.ValueURI != "" {
		own.ValueURI, own.ValueSize = &r.ValueURI, &r.ValueSize
	}
	return own
}
