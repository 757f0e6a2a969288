package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/registry"
	"github.com/stationflow/stationflow/internal/values"
	"github.com/stationflow/stationflow/internal/vectors"
)

// A topic is what the function knows of one topic and keeps between calls. It
// is safe for concurrent use.
type topic struct {
	schema   *event.Schema
	table    *rows.Table      // of its good records
	reading  payload.Reading  // of timestamps
	registry *registry.Client // nil without one
}

func newTopic(config *Config, name string, client *registry.Client) *topic {
	schema, _ := event.SchemaOf(name)
	return &topic{schema: schema, table: rows.Staging(schema), registry: client,
		reading: payload.Reading{Location: config.Location, Epoch: config.EpochUnit}}
}

// newTopics returns all topics, by name.
func newTopics(config *Config) (map[string]*topic, error) {
	var client *registry.Client // nil where there is none
	if config.Registry != nil {
		var err error
		if client, err = registry.New(*config.Registry); err != nil {
			return nil, err
		}
	}
	topics := make(map[string]*topic)
	for _, name := range append(event.Topics(), event.CanaryTopic) {
		topics[name] = newTopic(config, name, client)
	}
	return topics, nil
}

// A decoded batch: the rows of its good records, and why the others are bad.
// Its memory is reused for the next batch, of any topic; the rows share no
// memory with the batch.
type decoded struct {
	body       []byte                    // of the request, where the records are
	memory     batch.Memory              // of the batch
	readers    map[string]*values.Reader // by topic
	reader     *values.Reader            // of the present topic
	received   event.Receipt
	block      []event.Value // rows that good gets next; behind them is the one that is decoded
	good       rows.Set
	vectors    vectors.Memory // of good
	texts      int            // the bytes that are in texts of good
	records    []int          // the index in the batch of each row's record
	rejections []rejection
	fields     map[string]int // how many rows have each field that has no column
	at         int            // the index in the batch of the record that is decided about
	crash      *fault.Crash   // the first while one was; nil for none
}

// maxFields bounds how many names of such fields are told apart in a batch.
const maxFields = 50

// A rejection is a record that goes to quarantine.
type rejection struct {
	record int // its index in the batch
	reason event.Reason
	detail string
}

func newDecoded() *decoded {
	return &decoded{readers: make(map[string]*values.Reader), fields: make(map[string]int)}
}

// open is the function of that name with the memory kept for the next batch.
func (d *decoded) open(e cloudevents.Event) (*batch.Batch, cloudevents.Event, error) {
	return open(&d.memory, e)
}

// decode decides about every record of the batch: each becomes one row or one
// rejection. now stands in for a timestamp that Kafka did not give, or that
// cannot be true. A record at which this program crashes is rejected, unless
// there are more than maxPoison. All other errors say that the schemas which
// the records name could not be had, and blame none of them.
func (d *decoded) decode(ctx context.Context, t *topic, b *batch.Batch, now time.Time) error {
	d.reader = d.readerOf(t)
	if err := d.reader.Open(ctx, b.Records); err != nil {
		return err
	}
	t.table.Begin(&d.good, b, len(b.Records), &d.vectors)
	d.block = slices.Grow(d.block[:0], blockRows*t.table.Width())
	d.records, d.rejections, d.crash, d.texts = d.records[:0], d.rejections[:0], nil, 0
	clear(d.fields)
	d.received = event.ReceivedAt(now)
	crashes := 0
	for d.at = 0; d.at < len(b.Records); {
		var crash *fault.Crash
		err := fault.Guard(func() error { d.decodeRest(b, len(t.schema.Columns)+1); return nil })
		if !errors.As(err, &crash) {
			break
		}
		if crashes++; crashes > maxPoison {
			return err
		}
		if d.crash == nil {
			d.crash = crash
		}
		d.rejections = append(d.rejections, rejection{record: d.at, reason: event.Undecodable, detail: err.Error()})
		d.at++
		delete(d.readers, t.schema.Topic) // its state is unknown
		d.reader = d.readerOf(t)
		if err := d.reader.Open(ctx, b.Records); err != nil {
			return err
		}
	}
	d.takeBlock()
	return nil
}

// decodeRest decides about the records from d.at on, which remains that of the
// present one.
func (d *decoded) decodeRest(b *batch.Batch, fields int) {
	for ; d.at < len(b.Records); d.at++ {
		i, row := d.at, event.Row(d.block[len(d.block):][:fields])
		if refused := d.judge(row, i, &b.Records[i]); refused != nil {
			d.rejections = append(d.rejections, rejection{record: i, reason: refused.Reason, detail: refused.Detail})
			continue
		}
		if extra := &row[fields-1]; !extra.Null() {
			event.ExtraNames(extra.Text(), d.countField)
		}
		row = rows.AppendCoordinates(row, &b.Records[i])
		row = append(row, bytesOrNull(b.Records[i].Key), textOrNull(d.reader.SchemaID(i)))
		d.block, d.records = d.block[:len(d.block)+len(row)], append(d.records, i)
		if len(d.block)+len(row) > cap(d.block) {
			d.takeBlock()
		}
	}
}

// blockRows is how many rows become columns at once: few enough that they stay
// in the processor's cache meanwhile.
const blockRows = 32

func (d *decoded) takeBlock() {
	d.good.Append(d.block)
	d.block = d.block[:0]
	d.reader.Forget()
}

func (d *decoded) countField(name []byte) {
	if _, known := d.fields[string(name)]; known || len(d.fields) < maxFields {
		d.fields[clean(string(name))]++
	}
}

// judge fills row with the event that record i is, or returns why it is none.
// Formats come in here: the reader knows in which one a value is written.
func (d *decoded) judge(row event.Row, i int, r *batch.Record) *event.Rejection {
	if r.ValueURI != "" {
		return &event.Rejection{Reason: event.TooLarge, Detail: whereAside(r)}
	}
	refused := d.reader.Decode(row, i, d.received.Reference(r.Timestamp))
	if refused != nil {
		return refused
	}
	size := len(r.Key)
	for i := range row {
		size += len(row[i].Text())
	}
	// Either size may be the larger one: the event's has names and symbols that
	// the value leaves to its schema.
	if max(size, len(r.Key)+len(r.Value)) > rows.MaxRecordBytes {
		// No quarantine row could hold it if the warehouse refused it. Where it
		// is the record that is too large, the detail will be where its bytes are.
		return &event.Rejection{Reason: event.RefusedByWarehouse, Detail: "by its schema the record has more than 3 MiB"}
	}
	if d.texts+size > maxTexts {
		return &event.Rejection{Reason: event.RefusedByWarehouse, Detail: "with it the rows of its batch have more than 128 MiB"}
	}
	d.texts += size
	return nil
}

// maxTexts bounds the texts of a batch's rows, in bytes. Those of the batch
// have 8 MiB: only schemas with very long names come near. What is refused can
// be accepted in another batch.
const maxTexts = 128 << 20

// reusable reports whether the memory may be kept for the next batch: after a
// crash its state is unknown, and where schemas made more of a batch than any has
// in JSON it would stay as large for as long as batches come.
func (d *decoded) reusable() bool { return d.crash == nil && d.texts <= batch.MaxEncodedBytes }

// readerOf returns the topic's.
func (d *decoded) readerOf(t *topic) *values.Reader {
	reader, known := d.readers[t.schema.Topic]
	if !known {
		reader = values.NewReader(t.schema, t.reading, t.registry)
		d.readers[t.schema.Topic] = reader
	}
	return reader
}

// textOrNull returns a STRING, NULL for "".
func textOrNull(text string) event.Value {
	if text == "" {
		return event.Value{}
	}
	return event.StringValue([]byte(text))
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
func (t *topic) all(ctx context.Context, b *batch.Batch) (rows.Set, error) {
	d := newDecoded()
	err := d.decode(ctx, t, b, longAfter)
	return d.good, err
}
