package ingest

import (
	"context"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// A topic is what the function knows of one topic and keeps between calls. It
// is safe for concurrent use.
type topic struct {
	schema   *event.Schema
	table    *rows.Table     // of its good records
	location *time.Location  // of timestamps without an offset
	epoch    event.EpochUnit // of timestamps that are numbers
}

func newTopic(config *Config, name string) *topic {
	schema, _ := event.SchemaOf(name)
	return &topic{schema: schema, table: rows.Staging(schema), location: config.Location, epoch: config.EpochUnit}
}

// A decoded batch: the rows of its good records, and why the others are bad.
// Its memory is reused for the next batch, of any topic; the rows also share
// the memory of the batch.
type decoded struct {
	memory     batch.Memory              // of the batch
	decoders   map[string]*event.Decoder // by topic
	values     []event.Value
	received   event.Receipt
	good       rows.Set
	records    []int // the index in the batch of each row's record
	rejections []rejection
}

// A rejection is a record that goes to quarantine.
type rejection struct {
	record int // its index in the batch
	reason event.Reason
	detail string
}

func newDecoded() *decoded { return &decoded{decoders: make(map[string]*event.Decoder)} }

// open is the function of that name with the memory kept for the next batch.
func (d *decoded) open(e cloudevents.Event) (*batch.Batch, cloudevents.Event, error) {
	return open(&d.memory, e)
}

// decode decides about every record of the batch: each becomes one row or one
// rejection. now stands in for a timestamp that Kafka did not give, or that
// cannot be true.
func (d *decoded) decode(t *topic, b *batch.Batch, now time.Time) {
	decoder := d.decoder(t)
	width, fields := t.table.Width, len(t.schema.Columns)+1
	if size := len(b.Records) * width; cap(d.values) < size {
		d.values = make([]event.Value, size)
	}
	d.good = rows.Set{Shared: t.table.Shared(b), Own: d.good.Own[:0]}
	d.records, d.rejections = d.records[:0], d.rejections[:0]
	d.received = event.ReceivedAt(now)
	values := d.values[:cap(d.values)]
	for i := range b.Records {
		row := event.Row(values[:width:width])
		if refused := judge(decoder, row[:fields], &b.Records[i], d.received); refused != nil {
			d.rejections = append(d.rejections, rejection{record: i, reason: refused.Reason, detail: refused.Detail})
			continue
		}
		rows.AppendCoordinates(row[:fields], &b.Records[i])
		d.good.Own, d.records = append(d.good.Own, row), append(d.records, i)
		values = values[width:]
	}
}

// judge fills row with the event that the record is, or returns why it is
// none.
func judge(decoder *event.Decoder, row event.Row, r *batch.Record, received event.Receipt) *event.Rejection {
	if r.ValueURI != "" {
		return &event.Rejection{Reason: event.TooLarge, Detail: whereAside(r)}
	}
	refused := judgeValue(decoder, row, r, received)
	if refused == nil && len(r.Key)+len(r.Value) > rows.MaxRecordBytes {
		// No quarantine row could hold it if the warehouse refused it. Its
		// detail will be where its bytes are.
		return &event.Rejection{Reason: event.RefusedByWarehouse}
	}
	return refused
}

// judgeValue is where formats come in, and the one place that knows in which
// one a value is written: JSON.
func judgeValue(decoder *event.Decoder, row event.Row, r *batch.Record, received event.Receipt) *event.Rejection {
	return decoder.Decode(row, r.Value, received.Reference(r.Timestamp))
}

// decoder returns the topic's, with nothing decoded.
func (d *decoded) decoder(t *topic) *event.Decoder {
	decoder, known := d.decoders[t.schema.Topic]
	if !known {
		decoder = event.NewDecoder(t.schema, t.location)
		decoder.ReadEpoch(t.epoch)
		d.decoders[t.schema.Topic] = decoder
	}
	decoder.Reset()
	return decoder
}

// refuse turns rows that a sink refuses into rejections of their records, each
// once, whichever and how many sinks refuse it.
func (d *decoded) refuse(refused []rows.Refusal) {
	known := make(map[int]bool, len(refused))
	for _, r := range refused {
		if !known[r.Row] {
			known[r.Row] = true
			d.rejections = append(d.rejections, rejection{record: d.records[r.Row], reason: event.RefusedByWarehouse, detail: r.Detail})
		}
	}
}

// longAfter is later than any time of receipt: nothing that was accepted once
// is too far ahead of it.
var longAfter = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// all returns the rows of all records of the batch that can be good.
func (t *topic) all(_ context.Context, b *batch.Batch) (rows.Set, error) {
	d := newDecoded()
	d.decode(t, b, longAfter)
	return d.good, nil
}
