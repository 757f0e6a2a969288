package event

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// maxFields is how many fields a Judge can keep track of.
const maxFields = 64

// A timestamp before earliest, 2000-01-01 UTC, or ahead of its record by more
// than the tolerance is absurd.
const (
	earliest  = 946_684_800 * microsPerSecond
	tolerance = 24 * time.Hour
)

// A Judge decides whether the typed values of a record are an event of its
// topic, whatever format they were written in, and puts them into a row.
//
// Begin starts with a record. Then each of its fields is reported once, in any
// order: a known one with its position in the schema, by the method for what
// it was written as (Null, Text, Int, Float, Number, Time, or Wrong for
// anything else), others by Unknown. End gives the verdict. Every field is
// checked, and of several faults the reason declared first wins, so that a
// verdict does not depend on the order of the fields.
//
// It is not safe for concurrent use. The rows hold texts as they were given,
// and what they have in extra is valid until Reset.
type Judge struct {
	fields   []field
	required uint64 // bit i is set when field i must be present
	known    uint64 // bit i is set when there is a field i
	clock    clock
	epoch    EpochUnit

	// Of the record:
	row     Row
	seen    uint64 // bit i is set when field i was there
	latest  int64  // the largest timestamp that is not absurd
	refused *Rejection
	arena   []byte // holds extra of this row, from used on, and before that of others; once it is ended, it is among these
	used    int
}

// A field is a column as the judge needs it.
type field struct {
	Column
	quoted         string // the name as JSON usually has it, with the colon
	min, max, over float64
	words          []word // of OneOf
}

// NewJudge returns a judge of the schema's events. Timestamps without an
// offset are taken to be local to location. A local time that occurs twice is
// the earlier moment, and one that is skipped has the offset before the change.
func NewJudge(schema *Schema, location *time.Location) *Judge {
	if len(schema.Columns) > maxFields {
		panic("event: more than 64 fields in " + schema.Topic)
	}
	j := &Judge{clock: clock{location: location}}
	for i, column := range schema.Columns {
		j.fields = append(j.fields, field{
			Column: column,
			quoted: strconv.Quote(column.Name) + ":",
			min:    boundOr(column.Min, math.Inf(-1)),
			max:    boundOr(column.Max, math.Inf(1)),
			over:   boundOr(column.Over, math.Inf(-1)),
		})
		j.fields[i].words = j.wordsOf(&j.fields[i])
		j.known |= 1 << i
		if !column.Nullable {
			j.required |= 1 << i
		}
	}
	return j
}

func boundOr(bound *float64, otherwise float64) float64 {
	if bound == nil {
		return otherwise
	}
	return *bound
}

// Reset forgets the rows filled so far, so that their memory can be reused.
func (j *Judge) Reset() { j.arena, j.used = j.arena[:0], 0 }

// Begin starts with a record. row has room for the schema's columns and extra.
// reference is what a Receipt makes of the record's Kafka timestamp: an event
// more than a day ahead of it is absurd. What was kept of a record that was not
// brought to its End is forgotten.
func (j *Judge) Begin(row Row, reference time.Time) {
	j.arena = j.arena[:j.used]
	j.row, j.seen, j.refused = row, 0, nil
	j.latest = reference.UnixMicro() + tolerance.Microseconds()
}

// End fills in what the record did not have. It returns nil, or why the record
// is refused; the row is then undefined.
func (j *Judge) End() *Rejection {
	for absent := j.known &^ j.seen; absent != 0; absent &= absent - 1 {
		j.row[bits.TrailingZeros64(absent)] = Value{}
	}
	if missing := j.required &^ j.seen; missing != 0 {
		name := j.fields[bits.TrailingZeros64(missing)].Name
		j.refuse(MissingField, "field %q is absent%s", name, j.instead(name))
	}
	j.row[len(j.fields)] = j.extra()
	if j.refused != nil {
		j.arena = j.arena[:j.used]
	}
	j.used = len(j.arena)
	return j.refused
}

// Unknown keeps a field that the schema does not have: its name, as a JSON
// string, and its value, as JSON.
func (j *Judge) Unknown(name, value []byte) {
	separator := byte('{')
	if len(j.arena) > j.used {
		separator = ','
	}
	j.arena = append(j.arena, separator)
	j.arena = append(j.arena, name...)
	j.arena = append(j.arena, ':')
	j.arena = append(j.arena, value...)
}

// extra returns the unknown fields as a JSON object, or NULL without any.
func (j *Judge) extra() Value {
	if len(j.arena) == j.used {
		return Value{}
	}
	j.arena = append(j.arena, '}')
	return StringValue(j.arena[j.used:len(j.arena):len(j.arena)])
}

// Null says that field i is there without a value.
func (j *Judge) Null(i int) {
	j.seen |= 1 << i
	j.row[i] = Value{}
	if f := &j.fields[i]; !f.Nullable {
		j.refuse(MissingField, "field %q is null", f.Name)
	}
}

// Wrong says that field i is of a kind ("an object") that no column takes.
func (j *Judge) Wrong(i int, kind string) {
	j.seen |= 1 << i
	f := &j.fields[i]
	j.refuse(WrongType, "field %q is %s, not %s", f.Name, kind, f.Type.kind())
}

// Text says that field i is a string. One that is to be a timestamp is read as
// docs/events.md says.
func (j *Judge) Text(i int, text []byte) {
	j.seen |= 1 << i
	switch f := &j.fields[i]; f.Type {
	case String:
		j.checkText(f, text)
		j.row[i] = StringValue(text)
	case Timestamp:
		micros, ok := j.clock.parse(text)
		if !ok {
			j.refuse(BadTimestamp, "field %q is %s, not an ISO 8601 date and time", f.Name, quote(text))
		} else if !j.plausible(micros) {
			j.refuseMoment(f, micros, quote(text))
		}
		j.row[i] = TimeValue(micros)
	default:
		if isNumber(text) {
			j.refuse(WrongType, "field %q is a string, not %s, but %s is in it: write it without quotes", f.Name, f.Type.kind(), shorten(text))
			return
		}
		j.Wrong(i, "a string")
	}
}

func (j *Judge) checkText(f *field, text []byte) {
	if f.NonEmpty && len(text) == 0 {
		j.refuse(MissingField, "field %q is empty", f.Name)
	}
	if f.OneOf == nil {
		return
	}
	for _, allowed := range f.OneOf {
		if string(text) == allowed {
			return
		}
	}
	j.refuse(UnknownValue, "field %q is %s, not one of %s", f.Name, quote(text), strings.Join(f.OneOf, ", "))
}

// Number says that field i is a number, written in decimal as in JSON.
func (j *Judge) Number(i int, text []byte) {
	j.seen |= 1 << i
	switch f := &j.fields[i]; f.Type {
	case Float64:
		x, fits := parseFloat(text)
		j.checkRange(f, x, fits, text)
		j.row[i] = FloatValue(x)
	case Int64:
		n, whole, fits := parseInt(text)
		if !whole {
			j.refuse(WrongType, "field %q is %s, not a whole number", f.Name, shorten(text))
			return
		}
		j.checkRange(f, float64(n), fits, text)
		j.row[i] = IntValue(n)
	case Timestamp:
		j.row[i] = j.count(f, text)
	default:
		j.Wrong(i, "a number")
	}
}

// Int says that field i is a whole number.
func (j *Judge) Int(i int, n int64) {
	if f := &j.fields[i]; f.Type == Int64 && float64(n) >= f.min && float64(n) > f.over && float64(n) <= f.max {
		j.seen |= 1 << i
		j.row[i] = IntValue(n)
		return
	}
	j.Number(i, strconv.AppendInt(nil, n, 10))
}

// Float says that field i is a binary number, which may be infinite or NaN.
func (j *Judge) Float(i int, x float64) {
	f := &j.fields[i]
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		j.seen |= 1 << i
		j.refuse(OutOfRange, "field %q is %v, which is not a number", f.Name, x)
	case f.Type == Float64 && x >= f.min && x > f.over && x <= f.max:
		j.seen |= 1 << i
		j.row[i] = FloatValue(x)
	default:
		j.Number(i, strconv.AppendFloat(nil, x, 'g', -1, 64))
	}
}

// Time says that field i is a moment, in microseconds since 1970-01-01 UTC.
func (j *Judge) Time(i int, micros int64) {
	j.seen |= 1 << i
	f := &j.fields[i]
	if f.Type != Timestamp {
		j.Wrong(i, "a timestamp")
		return
	}
	if !j.plausible(micros) {
		j.refuseMoment(f, micros, date(micros))
	}
	j.row[i] = TimeValue(micros)
}

// LocalTime says that field i is a time on the clocks of the location, in
// microseconds since 1970-01-01 as if they showed UTC.
func (j *Judge) LocalTime(i int, micros int64) {
	seconds := micros / microsPerSecond
	if micros%microsPerSecond < 0 {
		seconds--
	}
	if seconds > -maxMicros/microsPerSecond && seconds < maxMicros/microsPerSecond { // else absurd in any zone
		micros -= j.clock.offsetAt(seconds) * microsPerSecond
	}
	j.Time(i, micros)
}

// plausible reports whether an event can have happened at a moment.
func (j *Judge) plausible(micros int64) bool { return earliest <= micros && micros <= j.latest }

// refuseMoment refuses a moment that is not plausible, shown as it was written.
func (j *Judge) refuseMoment(f *field, micros int64, shown string) {
	if micros < earliest {
		j.refuse(AbsurdTimestamp, "field %q is %s, before the year 2000", f.Name, shown)
		return
	}
	j.refuse(AbsurdTimestamp, "field %q is %s, more than a day ahead of %s, when its record was written or received",
		f.Name, shown, date(j.latest-tolerance.Microseconds()))
}

// date writes a moment for a person.
func date(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }

// checkRange checks a number against a field's bounds. Those of whole numbers
// are so small that a float64 is on the same side as the number itself.
func (j *Judge) checkRange(f *field, x float64, fits bool, text []byte) {
	switch {
	case !fits:
		j.refuse(OutOfRange, "field %q is %s, which is beyond %s", f.Name, shorten(text), f.Type)
	case x < f.min:
		j.refuse(OutOfRange, "field %q is %s, less than %v", f.Name, shorten(text), f.min)
	case x <= f.over:
		j.refuse(OutOfRange, "field %q is %s, not more than %v", f.Name, shorten(text), f.over)
	case x > f.max:
		j.refuse(OutOfRange, "field %q is %s, more than %v", f.Name, shorten(text), f.max)
	}
}

// refuse notes that the record breaks a rule, unless it has a fault that wins.
func (j *Judge) refuse(reason Reason, format string, args ...any) {
	if j.refused == nil || rank(reason) < rank(j.refused.Reason) {
		j.refused = &Rejection{reason, fmt.Sprintf(format, args...)}
	}
}
