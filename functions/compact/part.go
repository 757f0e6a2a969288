package compact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/pages"
	"github.com/stationflow/stationflow/internal/lake/parquetfile"
)

// A part is an object that is to be merged.
type part struct {
	object
	held   []byte // its contents; nil where they are fetched each time
	groups []*group
}

// A group is a row group of a part, which is what is read at a time.
type group struct {
	*part
	index int
	rows  int
	bytes int64 // uncompressed
	spans map[place]span
}

// A place is a partition of a topic id.
type place struct {
	topicID   string
	partition int64
}

// A span is the least and the greatest of so many offsets.
type span struct {
	first, last int64
	rows        int
}

func (s span) with(offset int64) span {
	if s.rows == 0 {
		return span{offset, offset, 1}
	}
	return span{min(s.first, offset), max(s.last, offset), s.rows + 1}
}

// A reader reads the files of a topic.
type reader struct {
	bucket *storage.BucketHandle
	topic  string
	prefix string // of the topic's id
	format *pages.Format
	types  map[string]string // of the columns, as a file of ours has them
}

func newReader(bucket *storage.BucketHandle, topic, prefix string) (*reader, error) {
	schema, ok := event.SchemaOf(topic)
	if !ok {
		return nil, fmt.Errorf("there is no topic %q", topic)
	}
	r := &reader{bucket: bucket, topic: topic, prefix: prefix, format: pages.NewFormat(topic, schema.StagingColumns()), types: map[string]string{}}
	var empty bytes.Buffer
	if err := r.format.NewWriter().WriteTo(&empty); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(bytes.NewReader(empty.Bytes()), int64(empty.Len()))
	if err != nil {
		return nil, fmt.Errorf("reading an empty file: %w", err)
	}
	for _, field := range file.Schema().Fields() {
		r.types[field.Name()] = field.Type().String()
	}
	return r, nil
}

// wholeBytes is up to what size an object is fetched at once.
const wholeBytes = 8 << 20

// fetch returns the contents of a part.
func (r *reader) fetch(ctx context.Context, p *part) (io.ReaderAt, error) {
	if p.held != nil {
		return bytes.NewReader(p.held), nil
	}
	object := r.bucket.Object(p.Name).Generation(p.Generation)
	if p.size > wholeBytes {
		return lake.NewBlocks(ctx, object, p.size), nil
	}
	reader, err := object.NewReader(ctx)
	var data []byte
	if err == nil {
		data, err = io.ReadAll(reader)
		err = errors.Join(err, reader.Close())
	}
	if err != nil {
		return nil, lake.Outage(fmt.Errorf("reading object %s: %w", p.Name, err))
	}
	return bytes.NewReader(data), nil
}

// scan reads which records a part holds. An error that lake.IsOutage does not know
// says that the part cannot be merged: it is damaged, of something else, or of a
// program that knows more columns.
func (r *reader) scan(ctx context.Context, p *part, hold bool) error {
	from, err := r.fetch(ctx, p)
	if err != nil {
		return err
	}
	if data, whole := from.(*bytes.Reader); hold && whole {
		p.held = make([]byte, data.Len())
		if _, err := data.ReadAt(p.held, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return guard(func() error {
		f, err := r.open(from, p.size)
		if err != nil {
			return err
		}
		for i, of := range f.RowGroups() {
			read := &group{part: p, index: i, rows: int(of.NumRows()), bytes: f.Metadata().RowGroups[i].TotalByteSize, spans: map[place]span{}}
			places, offsets, err := f.coordinates(i)
			if err != nil {
				return err
			}
			for row, at := range places {
				read.spans[at] = read.spans[at].with(offsets[row])
			}
			for at := range read.spans {
				if !strings.HasPrefix(at.topicID, r.prefix) {
					return fmt.Errorf("it holds records of topic id %q", at.topicID)
				}
			}
			if read.rows > 0 {
				p.groups = append(p.groups, read)
			}
		}
		return nil
	})
}

// guard turns a panic into an error: the library trusts what a file says of
// itself.
func guard(read func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("it cannot be read: %v", fault)
		}
	}()
	return read()
}

// A file is a Parquet file of a topic.
type file struct {
	*parquetfile.File
	reader *reader
	at     []int // of each column of the format, its place in the file; -1 where there is none
}

// open looks at the footer of a file. Each of its columns must be the format's,
// of the same type, or rows would lose something.
func (r *reader) open(from io.ReaderAt, size int64) (*file, error) {
	opened, _, err := parquetfile.Open(from, size)
	if err != nil {
		return nil, err
	}
	f := &file{File: opened, reader: r, at: make([]int, len(r.format.Columns))}
	for i := range f.at {
		f.at[i] = -1
	}
	for at, field := range opened.Schema().Fields() {
		i := slices.IndexFunc(r.format.Columns, func(c event.Column) bool { return c.Name == field.Name() })
		if i < 0 {
			return nil, fmt.Errorf("it has a column %s, which this program does not know", field.Name())
		}
		if !field.Leaf() || field.Repeated() || field.Type().String() != r.types[field.Name()] {
			return nil, fmt.Errorf("its column %s is %v, not %s", field.Name(), field.Type(), r.types[field.Name()])
		}
		f.at[i] = at
	}
	for i, c := range r.format.Columns {
		if f.at[i] < 0 && !c.Nullable {
			return nil, fmt.Errorf("it has no column %s", c.Name)
		}
	}
	return f, nil
}

// place of a column of the format, by name.
func (r *reader) column(name string) int {
	return slices.IndexFunc(r.format.Columns, func(c event.Column) bool { return c.Name == name })
}

// coordinates returns those of each row of the row group.
func (f *file) coordinates(group int) (places []place, offsets []int64, err error) {
	rows := int(f.RowGroups()[group].NumRows())
	places, offsets = make([]place, 0, rows), make([]int64, 0, rows)
	var ids []string
	last := ""
	text := func(v *parquet.Value) string {
		if b := v.ByteArray(); string(b) != last {
			last = string(b)
		}
		return last
	}
	for _, column := range []struct {
		name string
		add  func(v *parquet.Value) error
	}{
		{"kafka_topic", func(v *parquet.Value) error {
			if topic := text(v); topic != f.reader.topic {
				return fmt.Errorf("it holds records of topic %q", topic)
			}
			return nil
		}},
		{"kafka_topic_id", func(v *parquet.Value) error { ids = append(ids, text(v)); return nil }},
		{"kafka_partition", func(v *parquet.Value) error {
			if len(places) == len(ids) {
				return errTooMany
			}
			places = append(places, place{ids[len(places)], v.Int64()})
			return nil
		}},
		{"kafka_offset", func(v *parquet.Value) error { offsets = append(offsets, v.Int64()); return nil }},
	} {
		read := 0
		err := f.each(group, f.reader.column(column.name), func(v *parquet.Value) error {
			if read++; v.IsNull() {
				return fmt.Errorf("a row has no %s", column.name)
			}
			return column.add(v)
		})
		if err == nil && read != rows {
			err = fmt.Errorf("column %s has %d values for %d rows", column.name, read, rows)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return places, offsets, nil
}

var errTooMany = errors.New("it has more partitions than topic ids")

// each calls with every value of a column of the format; the value is the
// callee's only until it returns.
func (f *file) each(group, column int, call func(v *parquet.Value) error) (err error) {
	read, err := f.Pages(group, f.at[column])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, read.Close()) }()
	some := make([]parquet.Value, 256)
	for {
		page, err := read.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for values := page.Values(); ; {
			n, err := values.ReadValues(some)
			for i := range some[:n] {
				if err := call(&some[i]); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) || n == 0 && err == nil {
				break
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(page)
	}
}
