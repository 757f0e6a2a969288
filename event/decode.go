package event

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxFields is how many fields a Decoder can keep track of.
const maxFields = 64

// A timestamp before earliest, 2000-01-01 UTC, or ahead of its record by more
// than the tolerance is absurd.
const (
	earliest  = 946_684_800 * microsPerSecond
	tolerance = 24 * time.Hour
)

// A Decoder turns the values of one topic's records into rows. It is not safe
// for concurrent use; what its rows hold is valid until Reset and as long as
// the values they were decoded from.
type Decoder struct {
	scanner
	fields   []field
	required uint64 // bit i is set when field i must be present
	clock    clock

	// Of the event being decoded:
	latest  int64    // the largest timestamp that is not absurd
	unknown []member // fields the schema does not know
	refused *Rejection
}

// A field is a column as the decoder needs it.
type field struct {
	Column
	quoted         string // the name as events usually have it
	min, max, over float64
}

// A member is a name with its value, as they stand in the record.
type member struct{ name, value []byte }

// NewDecoder returns a decoder for the schema's events. Timestamps without an
// offset are taken to be local to location; of a time that occurs twice there
// the earlier moment, and one that is skipped with the offset before the
// change. docs/events.md says for producers how values are read.
func NewDecoder(schema *Schema, location *time.Location) *Decoder {
	if len(schema.Columns) > maxFields {
		panic("event: more than 64 fields in " + schema.Topic)
	}
	d := &Decoder{clock: clock{location: location}}
	for i, column := range schema.Columns {
		d.fields = append(d.fields, field{
			Column: column,
			quoted: strconv.Quote(column.Name),
			min:    boundOr(column.Min, math.Inf(-1)),
			max:    boundOr(column.Max, math.Inf(1)),
			over:   boundOr(column.Over, math.Inf(-1)),
		})
		if !column.Nullable {
			d.required |= 1 << i
		}
	}
	return d
}

func boundOr(bound *float64, otherwise float64) float64 {
	if bound == nil {
		return otherwise
	}
	return *bound
}

// Reset forgets the rows decoded so far, so that their memory can be reused.
func (d *Decoder) Reset() { d.arena = d.arena[:0] }

// Decode fills row, which has room for the schema's columns and extra, from a
// record's value. It returns nil, or why the value is refused; row is then
// undefined. reference is what a Receipt makes of the record's Kafka
// timestamp: an event more than a day ahead of it is absurd.
//
// Every field is checked, and of several faults the reason declared first
// wins, so that a record's verdict does not depend on the order of its fields.
func (d *Decoder) Decode(row Row, value []byte, reference time.Time) *Rejection {
	switch {
	case value == nil:
		return &Rejection{Empty, "the value is null"}
	case len(value) == 0:
		return &Rejection{Empty, "the value has no bytes"}
	case !utf8.Valid(value):
		return rejectEncoding(value)
	}
	d.data, d.keys, d.unknown = value, d.keys[:0], d.unknown[:0]
	d.fault, d.refused = nil, nil
	d.latest = reference.Add(tolerance).UnixMicro()

	used := len(d.arena)
	d.decode(row)
	if d.fault != nil {
		d.refused = d.fault
	}
	if d.refused != nil {
		d.arena = d.arena[:used]
	}
	return d.refused
}

// decode reads the record's only JSON value into row.
func (d *Decoder) decode(row Row) {
	at := d.space(0)
	if kind := d.peek(at); kind != '{' {
		if at = d.skip(at, 0); at >= 0 {
			d.refuse(NotObject, "the value is %s, not an object", kindOf(kind))
		}
	} else {
		at = d.event(row, at)
	}
	if at < 0 {
		return
	}
	if at = d.space(at); at < len(d.data) {
		d.unexpected(at, "the value's end")
	}
}

// event reads the object at a position into row.
func (d *Decoder) event(row Row, at int) int {
	var seen uint64
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
			if seen&(1<<index) != 0 {
				return d.failRepeated([]byte(d.fields[index].Name))
			}
			seen |= 1 << index
			expected = index + 1
			at = d.value(&row[index], &d.fields[index], value)
		}
		if at < 0 {
			return failed
		}
		at, more = d.next(at)
	}
	if at < 0 || d.repeated(0) {
		return failed
	}
	d.absent(row, seen)
	row[len(d.fields)] = d.extra()
	return at
}

// name reads the name of a member and returns the field it is, or -1 for an
// unknown one, and the position of its value. Fields mostly come in declared
// order, therefore it tries the expected one first.
func (d *Decoder) name(at, expected int) (index, value int) {
	if expected < len(d.fields) {
		quoted := d.fields[expected].quoted
		if end := at + len(quoted); end <= len(d.data) && string(d.data[at:end]) == quoted {
			return expected, d.colon(end)
		}
	}
	key, value := d.key(at)
	if value < 0 {
		return -1, failed
	}
	for i := range d.fields {
		if string(key) == d.fields[i].Name {
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
		d.unknown = append(d.unknown, member{
			name:  bytes.TrimRight(d.data[name:value], ": \t\r\n"),
			value: d.data[value:end],
		})
	}
	return end
}

// extra returns the unknown fields as a JSON object, or NULL without any.
func (d *Decoder) extra() Value {
	if len(d.unknown) == 0 {
		return Value{}
	}
	used := len(d.arena)
	separator := byte('{')
	for _, m := range d.unknown {
		d.arena = append(d.arena, separator)
		d.arena = append(d.arena, m.name...)
		d.arena = append(d.arena, ':')
		d.arena = append(d.arena, m.value...)
		separator = ','
	}
	d.arena = append(d.arena, '}')
	return StringValue(d.arena[used:len(d.arena):len(d.arena)])
}

// absent deals with the fields that the record does not have.
func (d *Decoder) absent(row Row, seen uint64) {
	if missing := d.required &^ seen; missing != 0 {
		d.refuse(MissingField, "field %q is absent", d.fields[bits.TrailingZeros64(missing)].Name)
	}
	for i := range d.fields {
		if seen&(1<<i) == 0 {
			row[i] = Value{}
		}
	}
}

// value reads the value of a field, checks it and puts it into v.
func (d *Decoder) value(v *Value, f *field, at int) int {
	c := d.peek(at)
	switch {
	case c == '"' && f.Type == String:
		text, end := d.text(at)
		if end >= 0 {
			d.checkText(f, text)
			*v = StringValue(text)
		}
		return end
	case c == '"' && f.Type == Timestamp:
		text, end := d.text(at)
		if end >= 0 {
			*v = TimeValue(d.timestamp(f, text))
		}
		return end
	case startsNumber(c) && (f.Type == Int64 || f.Type == Float64):
		end := d.number(at)
		if end >= 0 {
			*v = d.numeric(f, d.data[at:end])
		}
		return end
	}
	end := d.skip(at, 1)
	switch {
	case end < 0:
	case c != 'n':
		d.refuse(WrongType, "field %q is %s, not %s", f.Name, kindOf(c), f.Type.kind())
	case !f.Nullable:
		d.refuse(MissingField, "field %q is null", f.Name)
	default:
		*v = Value{}
	}
	return end
}

func (d *Decoder) checkText(f *field, text []byte) {
	if f.NonEmpty && len(text) == 0 {
		d.refuse(MissingField, "field %q is empty", f.Name)
	}
	if f.OneOf == nil {
		return
	}
	for _, allowed := range f.OneOf {
		if string(text) == allowed {
			return
		}
	}
	d.refuse(UnknownValue, "field %q is %s, not one of %s", f.Name, quote(text), strings.Join(f.OneOf, ", "))
}

func (d *Decoder) timestamp(f *field, text []byte) (micros int64) {
	micros, ok := d.clock.parse(text)
	switch {
	case !ok:
		d.refuse(BadTimestamp, "field %q is %s, not an ISO 8601 date and time", f.Name, quote(text))
	case micros < earliest:
		d.refuse(AbsurdTimestamp, "field %q is %s, before the year 2000", f.Name, quote(text))
	case micros > d.latest:
		d.refuse(AbsurdTimestamp, "field %q is %s, more than a day ahead of %s, when its record was written or received",
			f.Name, quote(text), time.UnixMicro(d.latest).Add(-tolerance).UTC().Format(time.RFC3339Nano))
	}
	return micros
}

func (d *Decoder) numeric(f *field, text []byte) Value {
	if f.Type == Float64 {
		x, fits := parseFloat(text)
		d.checkRange(f, x, fits, text)
		return FloatValue(x)
	}
	n, whole, fits := parseInt(text)
	if !whole {
		d.refuse(WrongType, "field %q is %s, not a whole number", f.Name, shorten(text))
		return Value{}
	}
	d.checkRange(f, float64(n), fits, text)
	return IntValue(n)
}

// checkRange checks a number against a field's bounds. Those of whole numbers
// are so small that a float64 is on the same side as the number itself.
func (d *Decoder) checkRange(f *field, x float64, fits bool, text []byte) {
	switch {
	case !fits:
		d.refuse(OutOfRange, "field %q is %s, which is beyond %s", f.Name, shorten(text), f.Type)
	case x < f.min:
		d.refuse(OutOfRange, "field %q is %s, less than %v", f.Name, shorten(text), f.min)
	case x <= f.over:
		d.refuse(OutOfRange, "field %q is %s, not more than %v", f.Name, shorten(text), f.over)
	case x > f.max:
		d.refuse(OutOfRange, "field %q is %s, more than %v", f.Name, shorten(text), f.max)
	}
}
