package event

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"time"
	"unicode/utf8"
)

// maxEnvelopes is how many envelopes may be around an event: a CloudEvent of
// Kafka Connect's of Debezium's is three.
const maxEnvelopes = 4

// A member is a name with its value, which is JSON.
type member struct{ name, value []byte }

// members returns those of a JSON object that is known to be valid, up to one
// that only a value of another format can have: with a key twice, or too deep.
func members(object []byte) []member {
	var all []member
	s := scanner{data: object}
	at, more := s.open(s.space(0))
	for more {
		name, value := s.key(at)
		end := s.skip(value, 1)
		if end < 0 {
			break
		}
		all = append(all, member{name, object[value:end]})
		at, more = s.next(end)
	}
	return all
}

// An envelope is what some programs put around each event.
type envelope struct {
	name    string     // for a person
	event   []byte     // what is in it
	verdict *Rejection // or why there is none
}

// marked reports whether one of the unknown names that were read may belong to
// an envelope. Only then the value is looked at again.
func (d *Decoder) marked() bool {
	for _, key := range d.keys {
		switch string(key) {
		case "payload", "op", "specversion", "__deleted":
			return true
		}
	}
	return false
}

// open returns the envelope that a valid JSON object is, or nil. An object is
// one only where nothing else can be meant: it has all that makes the envelope.
func open(object []byte) *envelope {
	has := map[string][]byte{}
	for _, m := range members(object) {
		has[string(m.name)] = m.value
	}
	if e := openConnect(has); e != nil {
		return e
	}
	if e := openDebezium(has); e != nil {
		return e
	}
	return openCloudEvent(has)
}

// openConnect opens what Kafka Connect's JsonConverter writes with its schema.
func openConnect(has map[string][]byte) *envelope {
	schema, payload := has["schema"], has["payload"]
	if len(has) != 2 || payload == nil || !isObject(schema) && string(schema) != "null" {
		return nil
	}
	const name = "Kafka Connect's payload"
	if string(payload) == "null" {
		return &envelope{verdict: &Rejection{Tombstone, name + " is null"}}
	}
	return &envelope{name: name, event: payload}
}

// openDebezium opens a change event, in its envelope or flattened with
// delete.tombstone.handling.mode=rewrite.
func openDebezium(has map[string][]byte) *envelope {
	if deleted := string(has["__deleted"]); deleted == "true" || deleted == `"true"` {
		return &envelope{verdict: &Rejection{Deleted, "Debezium says by __deleted that the row was deleted"}}
	}
	for name := range has {
		switch name {
		case "before", "after", "source", "op", "ts_ms", "ts_us", "ts_ns", "transaction":
		default:
			return nil
		}
	}
	switch op := string(has["op"]); {
	case (op == `"c"` || op == `"r"` || op == `"u"`) && isObject(has["after"]):
		return &envelope{name: "Debezium's after", event: has["after"]}
	case op == `"d"`:
		return &envelope{verdict: &Rejection{Deleted, "Debezium's op is d: the row was deleted"}}
	case op == `"t"`:
		return &envelope{verdict: &Rejection{Deleted, "Debezium's op is t: the table was emptied"}}
	}
	return nil
}

// openCloudEvent opens a structured CloudEvent (https://cloudevents.io, JSON
// format 1.0). Its id, type and time are its own, never the event's.
func openCloudEvent(has map[string][]byte) *envelope {
	for _, required := range []string{"specversion", "id", "source", "type"} {
		if !bytes.HasPrefix(has[required], []byte(`"`)) {
			return nil
		}
	}
	const name = "the CloudEvent's data"
	data, encoded := has["data"], has["data_base64"]
	switch {
	case data != nil && encoded == nil:
		return &envelope{name: name, event: data}
	case data == nil && bytes.HasPrefix(encoded, []byte(`"`)):
		s := scanner{data: encoded}
		text, _ := s.text(0)
		decoded, err := base64.StdEncoding.AppendDecode([]byte{}, text)
		if err != nil {
			return &envelope{verdict: &Rejection{NotJSON, "the CloudEvent's data_base64 is not base64"}}
		}
		return &envelope{name: name, event: decoded}
	}
	return nil
}

func isObject(value []byte) bool { return bytes.HasPrefix(value, []byte("{")) }

// unwrap decodes what is in the value where that is an envelope. refused is
// the verdict on the value as it stands, which else stays.
func (d *Decoder) unwrap(row Row, value []byte, reference time.Time, refused *Rejection) *Rejection {
	value = bytes.TrimPrefix(value, []byte(mark))
	for range maxEnvelopes {
		if d.fault != nil || !d.marked() {
			break
		}
		e := open(value)
		if e == nil {
			break
		}
		if e.verdict != nil {
			return e.verdict
		}
		value = e.event
		if !utf8.Valid(value) {
			return rejectEncoding(value)
		}
		if refused = d.read(row, value, reference); refused != nil {
			refused = &Rejection{refused.Reason, fmt.Sprintf("in %s: %s", e.name, refused.Detail)}
		}
	}
	return refused
}
