package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/stationflow/stationflow/event"
)

// DecodeJSON decodes a value in Avro's JSON encoding, which Apicurio's
// serializers write where told to: by the same schema, a value of a union within
// an object that names its type.
func (a *Avro) DecodeJSON(row event.Row, value []byte, reference time.Time) *event.Rejection {
	of := a.root
	if of.kind != record {
		return undecodable("its JSON is not a record's")
	}
	if !utf8.Valid(value) { // which encoding/json takes, and leaves as it is in what is kept
		return undecodable("its JSON is not UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		return undecodable(err.Error())
	}
	if fault := event.CheckJSON(value); fault != nil { // of two equal names encoding/json takes the last, of half a surrogate pair U+FFFD
		return undecodable("its JSON: " + fault.Detail)
	}
	if len(fields) > len(of.fields) {
		return undecodable("its JSON has fields that the schema does not have")
	}
	a.room = maxKept(value)
	a.judge.Begin(row, reference)
	for i := range of.fields {
		f := &of.fields[i]
		text, there := fields[f.name]
		if !there {
			return undecodable(fmt.Sprintf("its JSON lacks the field %s", f.name))
		}
		text, branch := unwrapUnion(text, f.of)
		switch {
		case branch == nil:
			return undecodable(fmt.Sprintf("the union %s cannot be told from its JSON", f.name))
		case f.column < 0:
			if a.room -= len(f.quoted) + len(text); a.room < 0 {
				return undecodable(keptTooLarge)
			}
			a.judge.Unknown(f.quoted, text)
		case !a.tellJSON(f.column, branch, text):
			return undecodable(fmt.Sprintf("the field %s is of another type in its JSON", f.name))
		}
	}
	return a.judge.End()
}

// unwrapUnion returns a value and its type; of a union that is known only where
// there is one type besides null.
func unwrapUnion(text json.RawMessage, of *node) (json.RawMessage, *node) {
	if of.kind != union {
		return text, of
	}
	var other *node
	others := 0
	for _, branch := range of.branches {
		if branch.kind == null && string(text) == "null" {
			return text, branch
		}
		if branch.kind != null {
			other = branch
			others++
		}
	}
	var wrapped map[string]json.RawMessage
	if others != 1 || json.Unmarshal(text, &wrapped) != nil || len(wrapped) != 1 {
		return text, nil
	}
	for _, inner := range wrapped {
		text = inner
	}
	return text, other
}

// tellJSON has the value of a column judged, and reports whether it is of the
// type.
func (a *Avro) tellJSON(column int, of *node, value json.RawMessage) bool {
	switch of.kind {
	case null:
		a.judge.Null(column)
		return string(value) == "null"
	case text, enum:
		var s string
		if json.Unmarshal(value, &s) != nil || !bytes.HasPrefix(value, []byte{'"'}) {
			return false
		}
		a.judge.Text(column, []byte(s))
	case integer, float, double:
		var n json.Number
		if json.Unmarshal(value, &n) != nil || value[0] == '"' || n == "" {
			return false
		}
		a.judge.Number(column, value)
	case millis, micros, nanos, localMillis, localMicros, localNanos:
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return false
		}
		if at := inMicros(of.kind, n); of.kind >= localMillis {
			a.judge.LocalTime(column, at)
		} else {
			a.judge.Time(column, at)
		}
	default:
		a.judge.Wrong(column, names[of.kind])
	}
	return true
}
