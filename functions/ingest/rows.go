package ingest

import (
	"iter"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
)

// Rows are those of one table and one batch. What all of them have in common
// they hold once.
type rows struct {
	shared event.Row   // by column; NULL where each has its own, or where the table's writers fill it in
	own    []event.Row // of each, the other columns in their order
}

// A layout says which columns of a table are shared by the rows of a batch.
type layout struct {
	columns []event.Column
	own     []int // of each column, its place in a row; -1 when it is shared
	width   int   // of a row
}

func newLayout(columns []event.Column) layout {
	l := layout{columns: columns, own: make([]int, len(columns))}
	for i := range columns {
		switch columns[i].Name {
		case "kafka_topic", "kafka_topic_id", "kafka_partition", ingestedAt, "batch_id":
			l.own[i] = -1
		default:
			l.own[i] = l.width
			l.width++
		}
	}
	return l
}

// offsets returns the rows' kafka_offset, in their order.
func (l *layout) offsets(own []event.Row) iter.Seq[int64] {
	at := l.own[position(l.columns, "kafka_offset")]
	return func(yield func(int64) bool) {
		for _, row := range own {
			if !yield(row[at].Int()) {
				return
			}
		}
	}
}

// shared returns what the rows of the batch have in common. ingested_at is
// filled in when they are written.
func (l *layout) shared(b *batch.Batch) event.Row {
	row := make(event.Row, len(l.columns))
	for i := range row {
		switch l.columns[i].Name {
		case "kafka_topic":
			row[i] = event.StringValue([]byte(b.Topic))
		case "kafka_topic_id":
			row[i] = event.StringValue([]byte(b.TopicID))
		case "kafka_partition":
			row[i] = event.IntValue(int64(b.Partition))
		case "batch_id":
			row[i] = event.StringValue([]byte(b.ID()))
		}
	}
	return row
}

// appendCoordinates adds the kafka_ columns that a record's row does not share.
func appendCoordinates(values []event.Value, r *batch.Record) []event.Value {
	return append(values, event.IntValue(r.Offset), kafkaTimestamp(r))
}

// lastMillis is the last millisecond of the year 9999, where BigQuery's
// TIMESTAMP ends. Producers may put any number into a record's timestamp.
var lastMillis = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli()

// kafkaTimestamp is what Kafka said, absurd or not; NULL where it said nothing
// or a TIMESTAMP cannot hold it.
func kafkaTimestamp(r *batch.Record) event.Value {
	if r.Timestamp < 0 || r.Timestamp > lastMillis {
		return event.Value{}
	}
	return event.TimeValue(r.Timestamp * 1000)
}

// bytesOrNull returns a BYTES, NULL for nil.
func bytesOrNull(b []byte) event.Value {
	if b == nil {
		return event.Value{}
	}
	v := event.StringValue(b)
	v.Type = event.Bytes
	return v
}

// A decoded batch: the rows of its good records, and why the others are bad.
// Its memory is reused, for whichever topic comes next; the rows also share
// that of the batch.
type decoded struct {
	memory     []batch.Record            // of the batch
	decoders   map[string]*event.Decoder // by topic
	values     []event.Value
	received   event.Receipt
	good       rows
	records    []int // the index in the batch of each row's record
	rejections []rejection
}

// open is the function of that name with the memory kept for the next batch,
// however small this one is.
func (d *decoded) open(e cloudevents.Event) (*batch.Batch, cloudevents.Event, error) {
	b, e, err := open(d.memory, e)
	if err == nil && cap(b.Records) > cap(d.memory) {
		d.memory = b.Records
	}
	return b, e, err
}

func newDecoded() *decoded { return &decoded{decoders: make(map[string]*event.Decoder)} }

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

// decode decides about every record of the batch: each becomes one row or one
// rejection. now stands in for a timestamp that Kafka did not give, or that
// cannot be true.
func (d *decoded) decode(t *topic, b *batch.Batch, now time.Time) {
	decoder := d.decoder(t)
	width, fields := t.width, len(t.schema.Columns)+1
	if size := len(b.Records) * width; cap(d.values) < size {
		d.values = make([]event.Value, size)
	}
	d.good = rows{shared: t.shared(b), own: d.good.own[:0]}
	d.records, d.rejections = d.records[:0], d.rejections[:0]
	d.received = event.ReceivedAt(now)
	values := d.values[:cap(d.values)]
	for i := range b.Records {
		row := event.Row(values[:width:width])
		if refused := decodeRecord(decoder, row[:fields], &b.Records[i], d.received); refused != nil {
			d.rejections = append(d.rejections, rejection{record: i, reason: refused.Reason, detail: refused.Detail})
			continue
		}
		own := appendCoordinates(row[:fields], &b.Records[i])
		_ = append(own, bytesOrNull(b.Records[i].Key), event.Value{})
		d.good.own, d.records = append(d.good.own, row), append(d.records, i)
		values = values[width:]
	}
}

func decodeRecord(decoder *event.Decoder, row event.Row, r *batch.Record, received event.Receipt) *event.Rejection {
	if r.ValueURI != "" {
		return &event.Rejection{Reason: event.TooLarge, Detail: whereAside(r)}
	}
	refused := decoder.Decode(row, r.Value, received.Reference(r.Timestamp))
	if refused == nil && len(r.Key)+len(r.Value) > maxRecordBytes {
		// No quarantine row could hold it if the warehouse refused it. Its
		// detail will be where its bytes are.
		return &event.Rejection{Reason: event.RefusedByWarehouse}
	}
	return refused
}

// A topic is what the function knows of one topic and keeps between calls. It
// is safe for concurrent use.
type topic struct {
	schema    *event.Schema
	*table                    // of its good records
	timestamp int             // the place of the event's timestamp in a row
	location  *time.Location  // of timestamps without an offset
	epoch     event.EpochUnit // of timestamps that are numbers
}

// A table is where rows go that have its columns: to Parquet files in the
// lake, to a stream of the warehouse, or both.
type table struct {
	layout
	parquet *parquetFormat
	stream  *stream
}
