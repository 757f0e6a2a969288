// Package rows is what ingest hands to its sinks: the rows of one batch that
// belong to one table.
package rows

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/vectors"
)

// IngestedAt is the column that a sink fills in while it writes a row.
const IngestedAt = "ingested_at"

// MaxRecordBytes bounds the key and the value of a record, together, that
// becomes a row of any table, in bytes. A row is never larger than the JSON it
// was made from and the columns of its origin, which take less than 64 KiB: no
// row has more than 3 MiB in any encoding.
const MaxRecordBytes = 3<<20 - 64<<10

// A Batch is the rows that one table gets of a batch.
type Batch struct {
	*batch.Batch        // the records that the rows are made from
	Table        *Table // where the rows belong
	Set
	// All returns the rows that the records of a batch, this one or a part of
	// it, have in the table, also those of records that it does not get.
	All func(context.Context, *batch.Batch) (Set, error)
	// Digest returns lake.Digest of the records, worked out once for all tables.
	Digest func() uint64
}

// A Set is rows of one table and one batch, column by column. It holds once
// what all of them have in common.
type Set struct {
	Shared event.Row         // by column; NULL where each row has its own value, and in IngestedAt
	Own    []*vectors.Vector // the other columns, of these rows and of others
	Rows   []int32           // which rows of the vectors these are, ascending
}

// Append adds rows of the set's own columns, the values of one behind those of
// the other, and keeps nothing of them. The set must have all rows of its
// vectors. Many rows at once cost less than each alone.
func (s *Set) Append(values []event.Value) {
	if len(values) == 0 {
		return
	}
	width := len(s.Own)
	for range len(values) / width {
		s.Rows = append(s.Rows, int32(len(s.Rows)))
	}
	for place, v := range s.Own {
		v.Append(values[place:], width)
	}
}

// Only returns the set with some of its rows.
func (s *Set) Only(rows []int32) Set { return Set{s.Shared, s.Own, rows} }

// Value returns what row i of the set has in the column of the table. Texts are
// in the set's memory.
func (b *Batch) Value(i, column int) event.Value {
	if at := b.Table.Own[column]; at >= 0 {
		return b.Own[at].Value(b.Rows[i])
	}
	return b.Shared[column]
}

// A Refusal is a row that a sink will never take.
type Refusal struct {
	Row    int // its index in Rows
	Detail string
}

// Stored is what a sink says of a batch that it has made durable.
type Stored struct {
	Refused    []Refusal // the rows left out
	Duplicates int64     // objects that an earlier delivery had made
}

// A Table is where rows belong: the staging table of a topic, or the
// quarantine.
type Table struct {
	Name string
	Layout
	Timestamp int // the place in a row of the event's timestamp; -1 in the quarantine
}

// Staging returns the table of a topic's good records.
func Staging(schema *event.Schema) *Table {
	layout := NewLayout(schema.StagingColumns())
	return &Table{Name: schema.Topic, Layout: layout, Timestamp: layout.Own[Position(layout.Columns, "timestamp")]}
}

// Quarantine returns the table of all other records.
func Quarantine() *Table {
	return &Table{Name: "quarantine", Layout: NewLayout(event.QuarantineColumns()), Timestamp: -1}
}

// Tables returns all tables: those of the topics and of the canary, then the
// quarantine.
func Tables() []*Table {
	var tables []*Table
	for _, topic := range append(event.Topics(), event.CanaryTopic) {
		schema, _ := event.SchemaOf(topic)
		tables = append(tables, Staging(schema))
	}
	return append(tables, Quarantine())
}

// A Layout says which columns of a table the rows of a batch share.
type Layout struct {
	Columns []event.Column
	Own     []int          // of each column, its place in a row; -1 when it is shared
	own     []event.Column // those that have a place, in its order
	Stamp   int            // the position of IngestedAt among the columns
}

// NewLayout returns the layout of a table with the columns, of which one is
// IngestedAt.
func NewLayout(columns []event.Column) Layout {
	l := Layout{Columns: columns, Own: make([]int, len(columns)), Stamp: Position(columns, IngestedAt)}
	for i := range columns {
		switch columns[i].Name {
		case "kafka_topic", "kafka_topic_id", IngestedAt, "batch_id":
			l.Own[i] = -1
		default:
			l.Own[i] = len(l.own)
			l.own = append(l.own, columns[i])
		}
	}
	return l
}

// Position returns the index of the column, which must be there.
func Position(columns []event.Column, name string) int {
	for i := range columns {
		if columns[i].Name == name {
			return i
		}
	}
	panic("ingest: no column " + name)
}

// Width is how many columns a row has for its own.
func (l *Layout) Width() int { return len(l.own) }

// Coordinates returns the rows' kafka_partition and kafka_offset, in their
// order.
func (l *Layout) Coordinates(of Set) iter.Seq2[int32, int64] {
	partition, offset := l.Own[Position(l.Columns, "kafka_partition")], l.Own[Position(l.Columns, "kafka_offset")]
	return func(yield func(int32, int64) bool) {
		for _, row := range of.Rows {
			if !yield(int32(of.Own[partition].Numbers[row]), of.Own[offset].Numbers[row]) {
				return
			}
		}
	}
}

// Begin makes the set one without rows, of the batch, with room for so many: in
// its own memory of rows, and in that of the vectors.
func (l *Layout) Begin(s *Set, b *batch.Batch, room int, memory *vectors.Memory) {
	*s = Set{Shared: l.Shared(b), Own: memory.Vectors(l.own, room), Rows: slices.Grow(s.Rows[:0], room)}
}

// Shared returns what the rows of the batch have in common.
func (l *Layout) Shared(b *batch.Batch) event.Row {
	row := make(event.Row, len(l.Columns))
	for i := range row {
		switch l.Columns[i].Name {
		case "kafka_topic":
			row[i] = event.StringValue([]byte(b.Topic))
		case "kafka_topic_id":
			row[i] = event.StringValue([]byte(b.TopicID))
		case "batch_id":
			row[i] = event.StringValue([]byte(b.ID()))
		}
	}
	return row
}

// AppendCoordinates adds the kafka_ columns that a record's row does not share.
func AppendCoordinates(values []event.Value, r *batch.Record) []event.Value {
	return append(values, event.IntValue(int64(r.Partition)), event.IntValue(r.Offset), kafkaTimestamp(r))
}

// LastMillis is the last millisecond of the year 9999, where BigQuery's
// TIMESTAMP ends. Producers may put any number into a record's timestamp.
var LastMillis = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli()

// kafkaTimestamp is what Kafka said, absurd or not; NULL where it said nothing
// or a TIMESTAMP cannot hold it.
func kafkaTimestamp(r *batch.Record) event.Value {
	if r.Timestamp < 0 || r.Timestamp > LastMillis {
		return event.Value{}
	}
	return event.TimeValue(r.Timestamp * 1000)
}
