// Package vectors holds rows of tables column by column: a number takes eight
// bytes, a text its length and four to eight more, and nothing points anywhere.
// The memory is used again for the rows of another table.
package vectors

import (
	"encoding/binary"
	"slices"

	"github.com/stationflow/stationflow/event"
)

// A Kind is how a vector holds its values.
type Kind uint8

// The kinds. Numbers are also timestamps.
const (
	Numbers Kind = iota
	Texts
	Words // texts that repeat: each distinct one is held once
	kinds
)

// KindOf returns the kind for a column: Words where a batch has few distinct
// texts, so that a dictionary is worth its price.
func KindOf(c *event.Column) Kind {
	switch {
	case c.Type != event.String && c.Type != event.Bytes:
		return Numbers
	case c.Type == event.Bytes || c.Name == "id" || c.Name == "train_id" || c.Name == "extra":
		return Texts
	}
	return Words
}

// A Vector holds the values of one column, those of each row behind the one
// before. It copies what it is given, at most 4 GiB of texts. It is for one
// goroutine at a time, or for several that only read. Its exported fields are
// for reading.
type Vector struct {
	Kind  Kind
	Type  event.Type // of what Value returns
	Rows  int
	Nulls int // of the rows

	Levels  []byte     // of each row: 0 for NULL, else 1; of no use where none is NULL
	Numbers []int64    // of each row, a FLOAT64 by its bits; anything for NULL
	Texts   []byte     // those of all rows but the NULLs, each behind its length in four bytes: PLAIN in Parquet
	Words   Dictionary // has an id for each row, any for NULL
	at      []uint32   // where in Texts each row's begins
}

// Reset takes all rows out. There is room for so many then, but for texts.
func (v *Vector) Reset(room int) {
	v.Rows, v.Nulls, v.Levels, v.Texts = 0, 0, v.Levels[:0], v.Texts[:0]
	v.Numbers, v.at = v.Numbers[:0], v.at[:0]
	v.Words.reset()
	switch v.Kind {
	case Numbers:
		v.Numbers = slices.Grow(v.Numbers, room)
	case Texts:
		v.at = slices.Grow(v.at, room)
	default:
		v.Words.IDs = slices.Grow(v.Words.IDs, room)
	}
}

// Append adds a row for the first of so many values each, and keeps nothing of
// them: with 1 for all values, with the width of a row for one of its columns.
// Many rows at once cost less than each alone.
func (v *Vector) Append(values []event.Value, of int) {
	nulls := 0
	switch v.Kind {
	case Numbers:
		nulls = v.appendNumbers(values, of)
	case Texts:
		nulls = v.appendTexts(values, of)
	default:
		nulls = v.Words.appendAll(values, of)
	}
	if nulls > 0 || v.Nulls > 0 {
		for v.Nulls == 0 && len(v.Levels) < v.Rows { // these are the first
			v.Levels = append(v.Levels, level(false))
		}
		for i := 0; i < len(values); i += of {
			v.Levels = append(v.Levels, level(values[i].Null()))
		}
	}
	v.Rows += (len(values) + of - 1) / of
	v.Nulls += nulls
}

func (v *Vector) appendNumbers(values []event.Value, of int) (nulls int) {
	numbers := v.Numbers
	for i := 0; i < len(values); i += of {
		if values[i].Null() {
			nulls++
		}
		numbers = append(numbers, values[i].Int())
	}
	v.Numbers = numbers
	return nulls
}

func (v *Vector) appendTexts(values []event.Value, of int) (nulls int) {
	texts, at := v.Texts, v.at
	for i := 0; i < len(values); i += of {
		at = append(at, uint32(len(texts)))
		if values[i].Null() {
			nulls++
		} else {
			texts = appendText(texts, values[i].Text())
		}
	}
	v.Texts, v.at = texts, at
	return nulls
}

func level(null bool) byte {
	if null {
		return 0
	}
	return 1
}

// Pick has the vector, which has no rows, hold those of another of its kind, in
// that order.
func (v *Vector) Pick(from *Vector, rows []int32) {
	if v.Rows = len(rows); from.Nulls > 0 {
		for _, row := range rows {
			v.Levels = append(v.Levels, from.Levels[row])
			v.Nulls += 1 - int(from.Levels[row])
		}
	}
	switch v.Kind {
	case Numbers:
		for _, row := range rows {
			v.Numbers = append(v.Numbers, from.Numbers[row])
		}
	case Texts:
		for _, row := range rows {
			v.at = append(v.at, uint32(len(v.Texts)))
			if !from.Null(row) {
				v.Texts = appendText(v.Texts, from.Text(row))
			}
		}
	default:
		v.Words.pick(from, rows)
	}
}

// Null reports whether the row's value is NULL.
func (v *Vector) Null(row int32) bool { return v.Nulls > 0 && v.Levels[row] == 0 }

// Text returns the row's STRING or BYTES, which is not NULL. It is in the
// vector's memory.
func (v *Vector) Text(row int32) []byte {
	if v.Kind == Words {
		return v.Words.entry(v.Words.IDs[row])
	}
	return textAt(v.Texts, v.at[row])
}

// Value returns the row's value. A text is in the vector's memory.
func (v *Vector) Value(row int32) event.Value {
	switch {
	case v.Null(row):
		return event.Value{}
	case v.Kind == Numbers:
		value := event.IntValue(v.Numbers[row])
		value.Type = v.Type
		return value
	}
	value := event.StringValue(v.Text(row))
	value.Type = v.Type
	return value
}

func appendText(dst, text []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(text))), text...)
}

func textAt(texts []byte, at uint32) []byte {
	size := binary.LittleEndian.Uint32(texts[at:])
	return texts[at+4:][:size:size]
}

// A Memory has vectors for the rows of one table after the other. It is not
// safe for concurrent use.
type Memory struct {
	vectors [kinds][]*Vector
}

// Vectors returns an empty one for each column, with room for so many rows.
// Those that it returned before are used again.
func (m *Memory) Vectors(columns []event.Column, room int) []*Vector {
	all := make([]*Vector, len(columns))
	var used [kinds]int
	for i := range columns {
		kind := KindOf(&columns[i])
		of := &m.vectors[kind]
		if used[kind] == len(*of) {
			*of = append(*of, &Vector{Kind: kind})
		}
		all[i] = (*of)[used[kind]]
		used[kind]++
		all[i].Type = columns[i].Type
		all[i].Reset(room)
	}
	return all
}
