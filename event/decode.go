package event

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// A Decoder turns the values of one topic's records, which are JSON, into
// rows. It is not safe for concurrent use; what its rows hold is valid until
// Reset and as long as the values they were decoded from.
type Decoder struct {
	scanner
	judge Judge
	habit habit
}

// ReadEpoch makes the decoder read timestamps that are numbers, in the unit.
func (d *Decoder) ReadEpoch(unit EpochUnit) { d.judge.ReadEpoch(unit) }

// NewDecoder returns a decoder for the schema's events. Timestamps without an
// offset are local to location, as NewJudge says. docs/events.md says for
// producers how values are read.
func NewDecoder(schema *Schema, location *time.Location) *Decoder {
	d := &Decoder{judge: *NewJudge(schema, location)}
	d.habit.moments.readDate([]byte("1970-01-01T"), 0)
	return d
}

// Reset forgets the rows decoded so far, so that their memory can be reused.
func (d *Decoder) Reset() {
	d.arena = d.arena[:0]
	d.judge.Reset()
}

// Decode fills row, which has room for the schema's columns and extra, from a
// record's value. It returns nil, or why the value is refused; row is then
// undefined. reference is what a Receipt makes of the record's Kafka
// timestamp: an event more than a day ahead of it is absurd. A value that is
// not one JSON text is refused for that alone; else the Judge decides.
func (d *Decoder) Decode(row Row, value []byte, reference time.Time) *Rejection {
	if d.byHabit(row, value, reference) {
		return nil
	}
	refused := d.plain(row, value, reference)
	if refused == nil {
		d.learn(value)
	}
	return refused
}

// plain is Decode without the shortcut of shape.go.
func (d *Decoder) plain(row Row, value []byte, reference time.Time) *Rejection {
	switch {
	case value == nil:
		return &Rejection{Tombstone, "the value is null"}
	case len(value) == 0:
		return &Rejection{Empty, "the value has no bytes"}
	case !isASCII(value) && !utf8.Valid(value):
		return rejectEncoding(value)
	}
	refused := d.read(row, value, reference)
	if len(d.keys) > 0 && d.marked() {
		return d.unwrap(row, value, reference, refused)
	}
	return refused
}

// read is Decode for a value that is UTF-8, and as it stands.
func (d *Decoder) read(row Row, value []byte, reference time.Time) *Rejection {
	d.data, d.keys, d.fault = value, d.keys[:0], nil
	used := len(d.arena)
	d.judge.Begin(row, reference)
	d.decode()
	refused := d.judge.End()
	if d.fault != nil {
		refused = d.fault
		if encoding := wide(value); encoding != "" {
			refused = &Rejection{NotJSON, "the value is in " + encoding + ": write it in UTF-8"}
		}
	}
	if refused != nil {
		d.arena = d.arena[:used]
	}
	return refused
}

// mark is the byte order mark in UTF-8, which some programs begin a text with.
const mark = "\ufeff"

// decode reads the record's only JSON value.
func (d *Decoder) decode() {
	at := 0
	if len(d.data) > len(mark) && string(d.data[:len(mark)]) == mark {
		at = len(mark)
	}
	at = d.space(at)
	if kind := d.peek(at); kind != '{' {
		if at = d.skip(at, 0); at >= 0 {
			d.judge.refuse(NotObject, "the value is %s, not an object", kindOf(kind))
		}
	} else {
		at = d.event(at)
	}
	if at < 0 {
		return
	}
	if at = d.space(at); at < len(d.data) {
		d.unexpected(at, "the value's end")
	}
}

// event reads the object at a position.
func (d *Decoder) event(at int) int {
	expected := 0
	at, more := d.open(at)
	for more {
		name := at
		index, value := d.name(name, expected)
		if value < 0 {
			return failed
		}
		if index < 0 {
			at = d.keep(name, value)
		} else {
			if d.judge.seen&(1<<index) != 0 {
				return d.failRepeated([]byte(d.judge.fields[index].Name))
			}
			expected = index + 1
			at = d.value(index, value)
		}
		if at < 0 {
			return failed
		}
		at, more = d.next(at)
	}
	if at < 0 || d.repeated(0) {
		return failed
	}
	return at
}

// name reads the name of a member and returns the field it is, or -1 for an
// unknown one, and the position of its value. Fields mostly come in declared
// order, therefore it tries the expected one first.
func (d *Decoder) name(at, expected int) (index, value int) {
	fields := d.judge.fields
	if expected < len(fields) {
		quoted := fields[expected].quoted
		if end := at + len(quoted); end <= len(d.data) && string(d.data[at:end]) == quoted {
			return expected, d.space(end)
		}
	}
	key, value := d.key(at)
	if value < 0 {
		return -1, failed
	}
	for i := range fields {
		if string(key) == fields[i].Name {
			return i, value
		}
	}
	d.keys = append(d.keys, key)
	return -1, value
}

// keep notes an unknown field, whose name and value begin at the positions.
func (d *Decoder) keep(name, value int) int {
	end := d.skip(value, 1)
	if end >= 0 {
		d.judge.Unknown(memberName(d.data[name:value]), d.data[value:end])
	}
	return end
}

// memberName returns the name, in quotes, of what comes before a value.
func memberName(before []byte) []byte { return bytes.TrimRight(before, ": \t\r\n") }

// value reads the value of a field and has it judged.
func (d *Decoder) value(index, at int) int {
	switch c := d.peek(at); {
	case c == '"':
		text, end := d.text(at)
		if end >= 0 {
			d.judge.Text(index, text)
		}
		return end
	case startsNumber(c):
		end := d.number(at)
		if end >= 0 {
			d.judge.Number(index, d.data[at:end])
		}
		return end
	default:
		end := d.skip(at, 1)
		if end >= 0 && c == 'n' {
			d.judge.Null(index)
		} else if end >= 0 {
			d.judge.Wrong(index, kindOf(c))
		}
		return end
	}
}
