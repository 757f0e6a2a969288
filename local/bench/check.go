package bench

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/stationflow/stationflow/event"
)

// A tally compares the rows of one sink with the ledger: every record once,
// with its values, good ones in their topic's table and bad ones in
// quarantine with their reason and bytes.
type tally struct {
	sink    string
	ledger  *ledger
	layouts map[string]layout
	digest  fingerprint

	seen        map[place][]uint8 // how often each record was found
	valid       int
	quarantined map[event.Reason]int
	faults      map[string]fault
}

// A fault is one kind of disagreement.
type fault struct {
	records int
	first   string // where it was found first
}

func newTally(sink string, l *ledger, made *load) *tally {
	t := &tally{sink: sink, ledger: l, layouts: made.layouts, digest: fingerprint{seed: made.seed},
		seen: map[place][]uint8{}, quarantined: map[event.Reason]int{}, faults: map[string]fault{}}
	for at, s := range l.partitions {
		t.seen[at] = make([]uint8, len(s.entries))
	}
	return t
}

func (t *tally) fault(what string, at place, offset int64) {
	f := t.faults[what]
	if f.records++; f.records == 1 {
		f.first = fmt.Sprintf("%s/%d offset %d", at.topic, at.partition, offset)
	}
	t.faults[what] = f
}

// A reader finds in rows of one shape the columns that matter.
type reader struct {
	*tally
	topic   string // "" for quarantine
	width   int
	wanted  []int // the columns that the digest covers
	null    int   // a column that must be NULL, or -1
	origin  [5]int
	cells   []cell
	scratch []cell
}

// reader returns one for rows with the columns; topic is "" for quarantine.
func (t *tally) reader(topic string, columns []string) (*reader, error) {
	r := &reader{tally: t, topic: topic, width: len(columns), null: -1, cells: make([]cell, len(columns))}
	wanted := []string{"key", "value", "reason"}
	if topic != "" {
		wanted = t.layouts[topic].names
		r.null = slices.Index(columns, "extra")
	}
	find := func(name string) int { return slices.Index(columns, name) }
	for _, name := range wanted {
		r.wanted = append(r.wanted, find(name))
	}
	for i, name := range []string{"kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset", "kafka_timestamp"} {
		r.origin[i] = find(name)
	}
	if slices.Contains(append(r.wanted, r.origin[:]...), -1) {
		return nil, fmt.Errorf("its columns are %s", strings.Join(columns, ", "))
	}
	return r, nil
}

// row compares the row in cells with the record it comes from.
func (r *reader) row() {
	at := place{string(r.cells[r.origin[0]].bytes), int32(r.cells[r.origin[2]].num)}
	offset := int64(r.cells[r.origin[3]].num)
	if at.partition > probePartition-maxInstances {
		return
	}
	e := r.ledger.partitions[at].at(offset, false)
	if e == nil || !e.sent || string(r.cells[r.origin[1]].bytes) != r.ledger.topicIDs[at.topic] {
		r.fault("are of no record that this run sent", at, offset)
		return
	}
	if seen := &r.seen[at][offset-r.ledger.partitions[at].first]; *seen < math.MaxUint8 {
		*seen++
	}
	r.scratch = r.scratch[:0]
	for _, c := range r.wanted {
		r.scratch = append(r.scratch, r.cells[c])
	}
	switch {
	case (e.reason == "") != (r.topic != "") || r.topic != "" && r.topic != at.topic:
		r.fault("are in another table than they belong to", at, offset)
	case r.digest.of(r.scratch) != e.digest || r.null >= 0 && r.cells[r.null].set:
		r.fault("have other values than were sent", at, offset)
	case int64(r.cells[r.origin[4]].num) != e.kafka*1000:
		r.fault("have another Kafka timestamp", at, offset)
	case e.reason == "":
		r.valid++
	default:
		r.quarantined[e.reason]++
	}
}

// err says what is wrong with the sink. Only records for which counts is true
// must be in it.
func (t *tally) err(counts func(*entry) bool) error {
	t.ledger.each(func(at place, offset int64, e *entry) {
		switch seen := t.seen[at][offset-t.ledger.partitions[at].first]; {
		case seen == 0 && counts(e):
			t.fault("are missing", at, offset)
		case seen > 1:
			t.fault("are there more than once", at, offset)
		}
	})
	var faults []error
	for what, f := range t.faults {
		faults = append(faults, fmt.Errorf("checking the %s: %d records %s, first %s", t.sink, f.records, what, f.first))
	}
	return errors.Join(faults...)
}

// parquetFile reads a file of rows; topic is "" for quarantine.
func (t *tally) parquetFile(path, topic string) error {
	return withParquet(path, func(f *parquet.File) error {
		r, err := t.reader(topic, columnsOf(f))
		if err != nil {
			return err
		}
		for _, group := range f.RowGroups() {
			if err := r.rowGroup(group); err != nil {
				return err
			}
		}
		return nil
	})
}

// withParquet opens a file for as long as read runs.
func withParquet(path string, read func(*parquet.File) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return read(f)
}

// columnsOf are the names of a file's columns, those of groups with dots.
func columnsOf(f *parquet.File) (names []string) {
	for _, path := range f.Schema().Columns() {
		names = append(names, strings.Join(path, "."))
	}
	return names
}

func (r *reader) rowGroup(group parquet.RowGroup) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	buffer := make([]parquet.Row, 512)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			for _, v := range row {
				r.cells[v.Column()] = parquetCell(v)
			}
			r.row()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func parquetCell(v parquet.Value) cell {
	switch {
	case v.IsNull():
		return cell{}
	case v.Kind() == parquet.ByteArray:
		return cell{set: true, bytes: present(v.ByteArray())}
	case v.Kind() == parquet.Double:
		return cell{set: true, num: math.Float64bits(v.Double())}
	}
	return cell{set: true, num: uint64(v.Int64())}
}

// present is b, and not nil where it is empty.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// table reads what the warehouse was given for a table.
func (t *tally) table(name string, rows *rowsFile) error {
	columns := make([]string, len(rows.schema.GetField()))
	for _, field := range rows.schema.GetField() {
		columns[field.GetNumber()-1] = field.GetName()
	}
	topic := name
	if name == "quarantine" {
		topic = ""
	}
	r, err := t.reader(topic, columns)
	if err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	return rows.rows(func(row []byte) error {
		if err := r.message(row, rows.schema); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		r.row()
		return nil
	})
}

// message reads a row of the Storage Write API, a protocol buffer.
func (r *reader) message(row []byte, schema *descriptorpb.DescriptorProto) error {
	clear(r.cells)
	for len(row) > 0 {
		number, wire, n := protowire.ConsumeTag(row)
		if n < 0 || int(number) > len(r.cells) {
			return errors.New("a row is not a message of its schema")
		}
		row = row[n:]
		c := cell{set: true}
		switch wire {
		case protowire.VarintType:
			c.num, n = protowire.ConsumeVarint(row)
		case protowire.Fixed64Type:
			c.num, n = protowire.ConsumeFixed64(row)
		case protowire.BytesType:
			c.bytes, n = protowire.ConsumeBytes(row)
			c.bytes = present(c.bytes)
		default:
			n = -1
		}
		if n < 0 {
			return errors.New("a row is not a message of its schema")
		}
		row = row[n:]
		r.cells[number-1] = c
	}
	for _, field := range schema.GetField() {
		if field.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED && !r.cells[field.GetNumber()-1].set {
			return fmt.Errorf("a row lacks %s", field.GetName())
		}
	}
	return nil
}
