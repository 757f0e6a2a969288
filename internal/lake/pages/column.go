package pages

import (
	"bytes"
	"encoding/binary"

	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/vectors"
)

// A column is what a file gets of one column.
type column struct {
	Column
	held    *vectors.Vector // what it gets: of the caller, or own
	own     vectors.Vector  // its memory
	repeats int             // rows that the one value stands for; 0 where each has its own

	// Once texts are written as one page: their blocks, and what bounds them.
	blocks     []byte
	statistics format.Statistics
}

func (c *column) reset() {
	c.own.Reset(0)
	c.held, c.repeats, c.blocks = &c.own, 0, c.blocks[:0]
}

// rows is how many rows the column has a value or a NULL for.
func (c *column) rows() int { return max(c.repeats, c.held.Rows) }

func (c *column) nulls() int { return c.held.Nulls * max(c.repeats, 1) }

func (c *column) isText() bool { return c.own.Kind != vectors.Numbers }

// take has the column be the rows, ascending, of the vector, which is of its
// kind: all of them as they are there, some as copies.
func (c *column) take(v *vectors.Vector, rows []int32) {
	if len(rows) == v.Rows {
		c.held = v
		return
	}
	c.own.Pick(v, rows)
}

func (c *column) repeat(value event.Value, rows int) {
	if rows > 0 {
		c.repeats = rows
		c.own.Append([]event.Value{value}, 1)
	}
}

// texts are the distinct texts of a column that has a dictionary, else all,
// each behind its length in four bytes.
func (c *column) texts() []byte {
	if c.own.Kind == vectors.Words {
		return c.held.Words.Entries
	}
	return c.held.Texts
}

// numbersOf returns the numbers of all rows but the NULLs.
func (k *chunk) numbersOf(c *column) []int64 {
	if c.held.Nulls == 0 {
		return c.held.Numbers
	}
	k.present = appendPresent(k.present[:0], c.held.Numbers, c.held.Levels)
	return k.present
}

// idsOf returns the ids of the texts of all rows but the NULLs.
func (k *chunk) idsOf(c *column) []uint32 {
	if c.held.Nulls == 0 {
		return c.held.Words.IDs
	}
	k.ids = appendPresent(k.ids[:0], c.held.Words.IDs, c.held.Levels)
	return k.ids
}

func appendPresent[T int64 | uint32](dst, values []T, levels []byte) []T {
	for i, v := range values {
		if levels[i] == 1 {
			dst = append(dst, v)
		}
	}
	return dst
}

// appendLevels adds the definition levels of the column's rows from first and
// before end, where it is nullable.
func (c *column) appendLevels(dst []byte, first, end int) []byte {
	switch {
	case !c.Nullable:
		return dst
	case c.held.Nulls == 0:
		return appendLevelRun(dst, 1, end-first)
	}
	return appendLevels(dst, c.held.Levels[first:end])
}

// boundsOf returns the least and the greatest of texts behind their lengths.
func boundsOf(texts []byte) (least, greatest []byte) {
	for rest := texts; len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest)
		text := rest[4:][:size]
		if least == nil {
			least, greatest = text, text
		}
		least, greatest = widen(least, greatest, text)
		rest = rest[4+size:]
	}
	return least, greatest
}

// widen takes a text into the bounds. Most come in order: the greatest is
// compared first.
func widen(least, greatest, text []byte) (newLeast, newGreatest []byte) {
	if bytes.Compare(text, greatest) > 0 {
		return least, text
	}
	if bytes.Compare(text, least) < 0 {
		return text, greatest
	}
	return least, greatest
}
