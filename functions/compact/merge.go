package compact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/merged"
	"github.com/stationflow/stationflow/internal/lake/pages"
)

// parallel is how many objects are fetched, or deleted, at a time.
const parallel = 8

// merge makes the objects that replace the live ones of an hour.
func (c *Compactor) merge(ctx context.Context, t *task, result *Result) error {
	if result.DryRun {
		result.Hours = append(result.Hours, Hour{Topic: t.topic, Hour: t.start, Objects: len(t.live), Bytes: sizeOf(t.live)})
		return nil
	}
	reader, err := newReader(c.bucket, t.topic, t.topicID)
	if err != nil {
		return err
	}
	parts, err := c.scan(ctx, reader, t.live, result)
	if err != nil {
		return err
	}
	parts, generation := c.generation(t, parts)
	some := make([]object, len(parts))
	for i, p := range parts {
		some[i] = p.object
	}
	if t.isMerged(some) {
		return nil
	}
	m := &merging{Compactor: c, task: t, reader: reader, writer: reader.format.NewWriter(), parts: parts, generation: generation}
	m.writer.Groups()
	if err := m.run(ctx); err != nil {
		return err
	}
	done := Hour{t.topic, t.start, len(parts), len(m.made), m.records, int64(m.taken) - m.records, sizeOf(some), m.bytes}
	result.Hours = append(result.Hours, done)
	c.config.Logger.Info("hour merged", "kafka_topic", done.Topic, "hour", done.Hour, "objects", done.Objects, "into", done.Into,
		"records", done.Records, "duplicates", done.Duplicates, "bytes", done.Bytes, "bytes_after", done.BytesAfter)
	return nil
}

func sizeOf(objects []object) (bytes int64) {
	for _, o := range objects {
		bytes += o.size
	}
	return bytes
}

// scan reads which records the objects hold. Those that cannot be merged stay as
// they are, and the result names them.
func (c *Compactor) scan(ctx context.Context, r *reader, live []object, result *Result) ([]*part, error) {
	hold := sizeOf(live) <= c.config.HeldBytes
	parts, faults := make([]*part, len(live)), make([]error, len(live))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, o := range live {
		group.Go(func() error {
			parts[i] = &part{object: o}
			faults[i] = r.scan(reading, parts[i], hold)
			if lake.IsOutage(faults[i]) {
				return faults[i]
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var good []*part
	for i, p := range parts {
		if faults[i] != nil {
			result.Left = append(result.Left, fmt.Sprintf("object %s: %v", p.Name, faults[i]))
			continue
		}
		good = append(good, p)
	}
	return good, nil
}

// generation stands for what is merged, and how. Objects that a merge of the
// same left behind, because it ended before its last one, are made again, and so
// found; those of others are merged like any.
func (c *Compactor) generation(t *task, parts []*part) ([]*part, string) {
	var whole, rest []*part
	for _, p := range parts {
		if _, _, ok := lake.ParseMerged(p.Name); ok && t.made[p.Name] == "" {
			rest = append(rest, p)
		} else {
			whole = append(whole, p)
		}
	}
	own := c.hash(whole)
	for _, p := range rest {
		if by, _, _ := lake.ParseMerged(p.Name); by != own {
			whole = append(whole, p)
		}
	}
	return whole, c.hash(whole)
}

// hash is that of the parts and of what else decides which records are in which
// object. Its number changes with the code that decides it.
func (c *Compactor) hash(parts []*part) string {
	lines := make([]string, len(parts))
	for i, p := range parts {
		lines[i] = fmt.Sprintf("%s %d\n", p.Name, p.Generation)
	}
	slices.Sort(lines)
	sum := sha256.New()
	fmt.Fprintf(sum, "1 %d %d %d\n", c.config.ObjectBytes, c.config.WindowRows, c.config.WindowBytes)
	for _, line := range lines {
		_, _ = io.WriteString(sum, line) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// A merging is a merge under way. A window of the records is in memory at a
// time, and one object that is being made.
type merging struct {
	*Compactor
	task       *task
	reader     *reader
	writer     *pages.Writer
	parts      []*part
	generation string

	output  output
	made    []string // names of the objects that are durable
	taken   int      // rows that were read
	records int64    // that are in objects
	bytes   int64    // of the objects
}

func (m *merging) run(ctx context.Context) error {
	var groups []*group
	all := 0
	for _, p := range m.parts {
		for _, g := range p.groups {
			groups, all = append(groups, g), all+g.rows
		}
	}
	for _, w := range plan(groups, m.config.WindowRows, m.config.WindowBytes) {
		if err := m.window(ctx, groups, w); err != nil {
			return err
		}
	}
	if m.taken != all {
		return fmt.Errorf("%d rows were taken of %d that there are", m.taken, all)
	}
	return m.finish(ctx, true)
}

// window merges the records of a window. One that turns out to be far larger
// than planned is halved.
func (m *merging) window(ctx context.Context, groups []*group, w window) error {
	some := slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return !w.meets(g) })
	has, n, size := map[place][]int64{}, 0, int64(0)
	if w.low != nil || w.high != nil {
		err := m.each(ctx, some, func(f *file, g *group) error {
			places, offsets, err := f.coordinates(g.index)
			before := n
			for i, offset := range offsets {
				if w.has(places[i], offset) {
					has[places[i]] = append(has[places[i]], offset)
					n++
				}
			}
			size += g.bytes * int64(n-before) / int64(g.rows)
			return err
		})
		if err != nil {
			return err
		}
	}
	if n > 2*m.config.WindowRows || size > 2*m.config.WindowBytes {
		if first, second, ok := w.halve(has); ok {
			clear(has)
			if err := m.window(ctx, some, first); err != nil {
				return err
			}
			return m.window(ctx, some, second)
		}
	}
	all := newRows(m.reader.format.Columns)
	if err := m.each(ctx, some, func(f *file, g *group) error { return all.load(f, g, w) }); err != nil {
		return err
	}
	m.taken += all.count()
	if all.count() == 0 {
		return nil
	}
	return m.write(ctx, all, all.earliest())
}

// each calls with every row group. Of the parts that are not held, a few are
// fetched at a time.
func (m *merging) each(ctx context.Context, groups []*group, call func(*file, *group) error) error {
	for len(groups) > 0 {
		var parts []*part
		end := 0
		for ; end < len(groups); end++ {
			if p := groups[end].part; len(parts) == 0 || parts[len(parts)-1] != p {
				if len(parts) == parallel {
					break
				}
				parts = append(parts, p)
			}
		}
		from := make([]io.ReaderAt, len(parts))
		group, fetching := errgroup.WithContext(ctx)
		for i, p := range parts {
			group.Go(func() (err error) {
				from[i], err = m.reader.fetch(fetching, p)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		at := -1
		var f *file
		for i, g := range groups[:end] {
			err := guard(func() (err error) {
				if i == 0 || groups[i-1].part != g.part {
					at++
					if f, err = m.reader.open(from[at], g.size); err != nil {
						return err
					}
				}
				return call(f, g)
			})
			if err != nil {
				return fmt.Errorf("reading object %s: %w", g.Name, err)
			}
		}
		groups = groups[end:]
	}
	return nil
}

// write adds rows, in the order, to the object that is being made, or to a
// further one.
func (m *merging) write(ctx context.Context, all *rows, order []int32) error {
	m.writer.Reset(len(order))
	values := make([]event.Value, 0, 256)
	for c, column := range all.columns {
		for some := range slices.Chunk(order, cap(values)) {
			values = values[:0]
			for _, row := range some {
				values = append(values, column[row])
			}
			m.writer.Add(c, values)
		}
	}
	var encoded bytes.Buffer
	group, err := m.writer.WriteGroup(&encoded, int64(len(pages.Magic)))
	if err != nil {
		return err
	}
	if len(m.output.groups) > 0 && m.output.size+int64(encoded.Len()) > m.config.ObjectBytes {
		if err := m.finish(ctx, false); err != nil {
			return err
		}
	}
	m.output.add(encoded.Bytes(), group)
	m.output.digest += all.digest(order)
	for _, row := range order {
		at := place{partition: all.places[row].partition}
		m.output.spans = spanned(m.output.spans, at, all.offsets[row])
	}
	return nil
}

func spanned(spans map[place]span, at place, offset int64) map[place]span {
	if spans == nil {
		spans = map[place]span{}
	}
	spans[at] = spans[at].with(offset)
	return spans
}

// record says what the objects of the merge replace.
func (m *merging) record() merged.Record {
	r := merged.Record{With: m.made}
	for _, p := range m.parts {
		r.Replaces = append(r.Replaces, p.Part)
	}
	return r
}

// arrived is when the records of the parts did.
func (m *merging) arrived() lake.Period {
	all := m.parts[0].arrived
	for _, p := range m.parts {
		if p.arrived.First.Before(all.First) {
			all.First = p.arrived.First
		}
		if p.arrived.Last.After(all.Last) {
			all.Last = p.arrived.Last
		}
	}
	return all
}
