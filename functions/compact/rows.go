package compact

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
)

// Rows are in memory column by column.
type rows struct {
	of      []event.Column
	columns [][]event.Value
	places  []place
	offsets []int64
	sources []string // the object that each row is from
	texts   arena
}

func newRows(of []event.Column) *rows { return &rows{of: of, columns: make([][]event.Value, len(of))} }

func (r *rows) count() int { return len(r.offsets) }

// load adds those rows of a row group that are in the window.
func (r *rows) load(f *file, g *group, in window) error {
	places, offsets, err := f.coordinates(g.index)
	if err != nil {
		return err
	}
	keep := make([]bool, len(offsets))
	kept := 0
	for i := range offsets {
		if keep[i] = in.has(places[i], offsets[i]); keep[i] {
			kept++
			r.places, r.offsets, r.sources = append(r.places, places[i]), append(r.offsets, offsets[i]), append(r.sources, g.Name)
		}
	}
	if kept == 0 {
		return nil
	}
	for c := range r.of {
		column := slices.Grow(r.columns[c], kept)
		if f.at[c] < 0 {
			r.columns[c] = append(column, make([]event.Value, kept)...)
			continue
		}
		row := 0
		err := f.each(g.index, c, func(v *parquet.Value) error {
			if row == len(keep) {
				return fmt.Errorf("column %s has more values than there are rows", r.of[c].Name)
			}
			if row++; !keep[row-1] {
				return nil
			}
			value := r.value(r.of[c].Type, v)
			if value.Null() && !r.of[c].Nullable {
				return fmt.Errorf("a row has no %s", r.of[c].Name)
			}
			column = append(column, value)
			return nil
		})
		if err == nil && row != len(keep) {
			err = fmt.Errorf("column %s has %d values for %d rows", r.of[c].Name, row, len(keep))
		}
		if err != nil {
			return err
		}
		r.columns[c] = column
	}
	return nil
}

func (r *rows) value(kind event.Type, v *parquet.Value) event.Value {
	if v.IsNull() {
		return event.Value{}
	}
	switch kind {
	case event.String, event.Bytes:
		value := event.StringValue(r.texts.keep(v.ByteArray()))
		value.Type = kind
		return value
	case event.Float64:
		return event.FloatValue(v.Double())
	case event.Timestamp:
		return event.TimeValue(v.Int64())
	}
	return event.IntValue(v.Int64())
}

// earliest returns the rows by place and offset, of each record the one that
// arrived first: as sql/views/records.sql chooses.
func (r *rows) earliest() []int32 {
	order := make([]int32, r.count())
	for i := range order {
		order[i] = int32(i)
	}
	at := func(name string) []event.Value {
		return r.columns[slices.IndexFunc(r.of, func(c event.Column) bool { return c.Name == name })]
	}
	arrived, batches := at("ingested_at"), at("batch_id")
	record := func(a, b int32) int {
		return cmp.Or(cmp.Compare(r.places[a].topicID, r.places[b].topicID), cmp.Compare(r.places[a].partition, r.places[b].partition),
			cmp.Compare(r.offsets[a], r.offsets[b]))
	}
	slices.SortFunc(order, func(a, b int32) int {
		if by := record(a, b); by != 0 {
			return by
		}
		return cmp.Or(cmp.Compare(arrived[a].Int(), arrived[b].Int()), bytes.Compare(batches[a].Text(), batches[b].Text()),
			cmp.Compare(r.sources[a], r.sources[b]), cmp.Compare(a, b))
	})
	return slices.CompactFunc(order, func(a, b int32) bool { return record(a, b) == 0 })
}

// digest is the sum of a fingerprint of each row: it depends on every value, and
// not on the order of the rows. It guards against accidents, not against people.
func (r *rows) digest(some []int32) (sum uint64) {
	const prime = 0x9E3779B185EBCA87
	for _, row := range some {
		h := uint64(len(r.columns))
		for c := range r.columns {
			v := &r.columns[c][row]
			x := uint64(v.Type)
			switch {
			case v.Null():
			case v.Type == event.String, v.Type == event.Bytes:
				x ^= xxhash.Sum64(v.Text())
			default:
				x ^= bits.RotateLeft64(uint64(v.Int())*prime, 31)
			}
			h = bits.RotateLeft64(h^x*prime, 27)*prime + 1
		}
		sum += h
	}
	return sum
}

// An arena keeps copies of texts in large pieces of memory.
type arena struct{ free []byte }

const arenaBytes = 256 << 10

func (a *arena) keep(text []byte) []byte {
	if len(text) > len(a.free) {
		if len(text) > arenaBytes/4 {
			return bytes.Clone(text)
		}
		a.free = make([]byte, arenaBytes)
	}
	kept := a.free[:len(text):len(text)]
	copy(kept, text)
	a.free = a.free[len(text):]
	return kept
}
