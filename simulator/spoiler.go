package simulator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/stationflow/stationflow/event"
)

// A spoiler makes bad records of one topic's events. Each has one fault, so
// that the reason for which it is refused is known.
type spoiler struct {
	columns []event.Column
	reasons []event.Reason // that the topic allows, too_large left out
}

func newSpoiler(topic string) *spoiler {
	schema, ok := event.SchemaOf(topic)
	if !ok {
		panic("simulator: no events of topic " + topic)
	}
	s := &spoiler{columns: schema.Columns}
	for _, reason := range Reasons() {
		switch reason {
		case event.TooLarge:
			continue
		case event.UnknownValue:
			if len(s.named(func(c event.Column) bool { return c.OneOf != nil })) == 0 {
				continue
			}
		}
		s.reasons = append(s.reasons, reason)
	}
	return s
}

// Reasons returns the reasons for which a bad record may be refused: those that a
// producer of JSON can cause.
func Reasons() []event.Reason {
	return slices.DeleteFunc(event.Reasons(), func(r event.Reason) bool {
		return r == event.RefusedByWarehouse || r == event.NoRegistry || r == event.UnknownSchema || r == event.Undecodable
	})
}

// named returns the names of the columns which every event has and of which
// the condition holds.
func (s *spoiler) named(condition func(event.Column) bool) []string {
	var names []string
	for _, c := range s.columns {
		if !c.Nullable && condition(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

// spoil returns a record made from the event's value that is refused for the
// reason.
func (s *spoiler) spoil(value []byte, reason event.Reason, c chance) []byte {
	switch reason {
	case event.Tombstone:
		return nil
	case event.Empty:
		return []byte{}
	case event.Deleted: // as a change event says it
		return surround(`{"before":`, value, `,"after":null,"source":{},"op":"d"}`)
	case event.NotUTF8:
		// As a producer writes that takes its texts for Latin-1.
		return bytes.Replace(value, []byte(`","`), []byte("\xe9\",\""), 1)
	case event.NotJSON:
		return s.notJSON(value, c)
	case event.NotObject:
		text, _ := json.Marshal(string(value)) // a string never fails
		return pick(c, surround("[", value, "]"), text, []byte("null"), []byte("42"), []byte("true"), []byte("[]"))
	case event.TooLarge:
		note := bytes.Repeat([]byte("x"), oversizeBytes-len(value)-len(`,"note":""`))
		return surround(string(value[:len(value)-1])+`,"note":"`, note, `"}`)
	}
	return s.spoilField(value, reason, c)
}

func (s *spoiler) notJSON(value []byte, c chance) []byte {
	body := value[:len(value)-1]
	torn := body[:1+c.IntN(len(body))]
	for !utf8.Valid(torn) { // not within a character, which would be another reason
		torn = torn[:len(torn)-1]
	}
	return pick(c,
		torn,
		surround("", value, "}"),                           // more than one value
		surround("", body, `,}`),                           // a comma too many
		surround("", body, `,"id":"again"}`),               // a key twice
		surround("", body, `,"note":1,"note":2}`),          // one that is not known
		surround("", body, `,"note":NaN}`),                 // no number of JSON
		bytes.ReplaceAll(value, []byte{'"'}, []byte{'\''}), // another language's quotes
		[]byte("hello"),
	)
}

// spoilField changes one field.
func (s *spoiler) spoilField(value []byte, reason event.Reason, c chance) []byte {
	of := func(t event.Type) func(event.Column) bool {
		return func(c event.Column) bool { return c.Type == t }
	}
	switch reason {
	case event.MissingField:
		if c.happens(0.3) {
			return s.with(value, pick(c, s.named(func(c event.Column) bool { return c.NonEmpty })...), `""`)
		}
		return s.with(value, pick(c, s.named(func(event.Column) bool { return true })...), pick(c, "", "null"))
	case event.WrongType:
		if whole := s.named(of(event.Int64)); len(whole) > 0 && c.happens(0.3) {
			return s.with(value, pick(c, whole...), pick(c, `1.5`, `"12"`))
		}
		name := pick(c, s.named(func(event.Column) bool { return true })...)
		return s.with(value, name, pick(c, `true`, `{}`, `["x"]`))
	case event.OutOfRange:
		name := pick(c, s.named(func(c event.Column) bool { return c.Min != nil || c.Over != nil })...)
		return s.with(value, name, pick(c, `-1`, `-1000000`, `1e400`))
	case event.UnknownValue:
		name := pick(c, s.named(func(c event.Column) bool { return c.OneOf != nil })...)
		return s.with(value, name, pick(c, `"Unknown"`, `"minor"`, `"NORTH"`, `""`))
	case event.BadTimestamp:
		return s.with(value, pick(c, s.named(of(event.Timestamp))...),
			pick(c, `"yesterday"`, `""`, `"2026-02-30T07:30:00Z"`, `"22.11.2026 07:30"`, `"2026-11-22"`,
				`"2026-11-22T25:00:00Z"`))
	case event.AbsurdTimestamp:
		return s.with(value, pick(c, s.named(of(event.Timestamp))...),
			pick(c, `"1970-01-01T00:00:00Z"`, `"1999-12-31T23:59:59Z"`, `"2999-01-01T00:00:00Z"`))
	}
	panic("simulator: no record is made that is " + string(reason))
}

// with returns the event with another text for the field's value; "" takes the
// field out.
func (s *spoiler) with(value []byte, name, text string) []byte {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		panic("simulator: an event is not JSON: " + err.Error())
	}
	fields[name] = json.RawMessage(text)
	var changed []byte
	separator := byte('{')
	for _, c := range s.columns {
		if len(fields[c.Name]) > 0 {
			changed = append(strconv.AppendQuote(append(changed, separator), c.Name), ':')
			changed = append(changed, fields[c.Name]...)
			separator = ','
		}
	}
	return append(changed, '}')
}

// surround returns the text with something before and behind it, in memory of
// its own.
func surround(before string, text []byte, behind string) []byte {
	b := make([]byte, 0, len(before)+len(text)+len(behind))
	return append(append(append(b, before...), text...), behind...)
}
