package pages

import (
	"encoding/binary"

	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/event"
)

// A column holds the values of a file's rows until they are written.
type column struct {
	Column
	levels  []byte // of a nullable column: 1 for each value, 0 for each NULL
	values  int    // those that are not NULL
	repeats int    // times that the one value stands for; 0 where each was added

	numbers []int64 // of all types but texts; a FLOAT64 by its bits
	plain   []byte  // texts, each behind its length in 4 bytes, where no dictionary is wanted
	words   dictionary

	// Once they are written as one page: their blocks, and what bounds them.
	blocks     []byte
	statistics format.Statistics
}

func (c *column) reset() {
	c.levels, c.values, c.repeats = c.levels[:0], 0, 0
	c.numbers, c.plain, c.blocks = c.numbers[:0], c.plain[:0], c.blocks[:0]
	c.words.reset()
}

// rows is how many rows the column has a value or a NULL for.
func (c *column) rows() int {
	switch {
	case c.repeats > 0:
		return c.repeats
	case c.Nullable:
		return len(c.levels)
	}
	return c.values
}

func (c *column) isText() bool { return c.Type == event.String || c.Type == event.Bytes }

func (c *column) addRows(rows []event.Row, place int) {
	if c.Nullable {
		nulls := 0
		for i := range rows {
			if rows[i][place].Null() {
				nulls++
			}
		}
		if 0 < nulls && nulls < len(rows) {
			c.addNullable(rows, place)
			return
		}
		level := byte(1)
		if nulls > 0 {
			level = 0
		}
		for range rows {
			c.levels = append(c.levels, level)
		}
		if nulls > 0 {
			return
		}
	}
	c.values += len(rows)
	switch {
	case c.Dictionary:
		for i := range rows {
			c.words.add(rows[i][place].Text())
		}
	case c.isText():
		for i := range rows {
			c.addText(rows[i][place].Text())
		}
	default:
		for i := range rows {
			c.numbers = append(c.numbers, rows[i][place].Int())
		}
	}
}

func (c *column) addNullable(rows []event.Row, place int) {
	for i := range rows {
		v := &rows[i][place]
		if v.Null() {
			c.levels = append(c.levels, 0)
			continue
		}
		c.levels = append(c.levels, 1)
		c.add(v)
	}
}

func (c *column) addValues(values []event.Value) {
	for i := range values {
		v := &values[i]
		if c.Nullable {
			if v.Null() {
				c.levels = append(c.levels, 0)
				continue
			}
			c.levels = append(c.levels, 1)
		}
		c.add(v)
	}
}

// add adds a value that is not NULL, without its level.
func (c *column) add(v *event.Value) {
	c.values++
	switch {
	case c.Dictionary:
		c.words.add(v.Text())
	case c.isText():
		c.addText(v.Text())
	default:
		c.numbers = append(c.numbers, v.Int())
	}
}

func (c *column) addText(text []byte) {
	c.plain = binary.LittleEndian.AppendUint32(c.plain, uint32(len(text)))
	c.plain = append(c.plain, text...)
}

func (c *column) repeat(value event.Value, rows int) {
	if rows == 0 {
		return
	}
	c.repeats = rows
	if value.Null() {
		return
	}
	c.values = 1
	if c.isText() {
		c.words.add(value.Text())
	} else {
		c.numbers = append(c.numbers, value.Int())
	}
}
