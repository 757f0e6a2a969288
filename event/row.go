package event

import (
	"math"
	"time"
	"unsafe"
)

// A Value is one column of a decoded event. The zero Value is NULL. It is kept
// small, because a batch has tens of thousands of them.
type Value struct {
	text *byte  // where a text begins
	num  uint64 // a number, or the length of the text

	// Type is 0 for NULL.
	Type Type
}

// A Row holds an event's columns: those of Schema.Columns, then extra.
type Row []Value

// StringValue returns a STRING; it keeps text, it does not copy it.
func StringValue(text []byte) Value {
	return Value{Type: String, text: unsafe.SliceData(text), num: uint64(len(text))}
}

// IntValue returns an INT64.
func IntValue(n int64) Value { return Value{Type: Int64, num: uint64(n)} }

// FloatValue returns a FLOAT64.
func FloatValue(f float64) Value { return Value{Type: Float64, num: math.Float64bits(f)} }

// TimeValue returns a TIMESTAMP of microseconds since 1970-01-01 UTC.
func TimeValue(micros int64) Value { return Value{Type: Timestamp, num: uint64(micros)} }

// Null reports whether the value is NULL.
func (v *Value) Null() bool { return v.Type == 0 }

// Text returns the bytes of a STRING or BYTES, nil for any other value.
func (v *Value) Text() []byte {
	if v.text == nil {
		return nil
	}
	return unsafe.Slice(v.text, v.num)
}

// Int returns an INT64, or a TIMESTAMP as microseconds since 1970-01-01 UTC.
func (v *Value) Int() int64 { return int64(v.num) }

// Float returns a FLOAT64.
func (v *Value) Float() float64 { return math.Float64frombits(v.num) }

// Time returns a TIMESTAMP, in UTC.
func (v *Value) Time() time.Time { return time.UnixMicro(v.Int()).UTC() }

// JSON returns what encoding/json writes for the value: nil, an int64, a
// float64, a time.Time or a string. It keeps none of the row's memory. BYTES
// are nil: no field of an event has them.
func (v *Value) JSON() any {
	switch v.Type {
	case Int64:
		return v.Int()
	case Float64:
		return v.Float()
	case Timestamp:
		return v.Time()
	case String:
		return string(v.Text())
	}
	return nil
}

// A Reason says why a record is quarantined. The set is closed; it is part of
// the contract with those who read the quarantine table.
type Reason string

// The reasons, in the order in which they win when a record has several
// faults.
const (
	Tombstone          Reason = "tombstone"
	Empty              Reason = "empty"
	NoRegistry         Reason = "no_registry"
	UnknownSchema      Reason = "unknown_schema"
	Undecodable        Reason = "undecodable"
	NotUTF8            Reason = "not_utf8"
	NotJSON            Reason = "not_json"
	NotObject          Reason = "not_object"
	Deleted            Reason = "deleted"
	MissingField       Reason = "missing_field"
	WrongType          Reason = "wrong_type"
	OutOfRange         Reason = "out_of_range"
	UnknownValue       Reason = "unknown_value"
	BadTimestamp       Reason = "bad_timestamp"
	AbsurdTimestamp    Reason = "absurd_timestamp"
	TooLarge           Reason = "too_large"
	RefusedByWarehouse Reason = "refused_by_warehouse"
)

// Reasons returns all reasons in the order in which they win.
func Reasons() []Reason {
	return []Reason{Tombstone, Empty, NoRegistry, UnknownSchema, Undecodable, NotUTF8, NotJSON, NotObject, Deleted,
		MissingField, WrongType, OutOfRange, UnknownValue, BadTimestamp, AbsurdTimestamp, TooLarge, RefusedByWarehouse}
}

// A Rejection says why a record is not an event of its topic. Detail is for
// people and names the field.
type Rejection struct {
	Reason Reason
	Detail string
}
