// Package values decodes the values of a topic's records, in whichever format
// they were written: JSON, or what a schema registry's serializers write.
package values

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/framing"
	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/internal/registry"
)

// A Reader decodes batches of one topic, one after the other: Open, and then
// Decode for each record. It is not safe for concurrent use. What its rows hold
// is valid until the next Open or Forget and as long as the batch.
type Reader struct {
	topic    *event.Schema
	reading  payload.Reading
	registry *registry.Client // nil without one
	json     *event.Decoder
	schemas  map[string]*schema // by what records have for their ids, also of earlier batches

	used    []*writer // since the last Forget
	records []batch.Record
	framed  []framed               // of each record; empty where none is framed
	by      map[framing.Framer]int // how many messages were read as whose
	ways    []framing.Message      // memory
}

// NewReader returns a reader of the topic's values. client may be nil.
func NewReader(topic *event.Schema, reading payload.Reading, client *registry.Client) *Reader {
	r := &Reader{topic: topic, reading: reading, registry: client, json: event.NewDecoder(topic, reading.Location),
		schemas: map[string]*schema{}, by: map[framing.Framer]int{}}
	r.json.ReadEpoch(reading.Epoch)
	return r
}

// A schema is one that records name.
type schema struct {
	id     string
	named  bool             // in the present batch, by a framing without a fault
	known  *registry.Schema // nil where the registry does not have it
	writer *writer          // of known; nil before it is needed
}

// A framed value, and its schema.
type framed struct {
	framing.Framed
	of *schema
}

// schemaOf returns what is known of the schema that a value names.
func (r *Reader) schemaOf(f *framing.Framed) *schema {
	var number [8]byte
	key := f.GUID
	if key == nil {
		binary.BigEndian.PutUint64(number[:], uint64(f.ID))
		key = number[:]
	}
	s := r.schemas[string(key)]
	if s == nil {
		s = &schema{id: f.SchemaID()}
		r.schemas[string(key)] = s
	}
	return s
}

// maxSchemas bounds of how many schemas the decoders are kept from batch to batch.
const maxSchemas = 64

// Open begins with the records of a batch, and has at hand every schema that they
// name. An error is the registry's or the context's: none of the records is to
// blame.
func (r *Reader) Open(ctx context.Context, records []batch.Record) error {
	r.records, r.framed = records, r.framed[:0]
	r.Forget()
	clear(r.by)
	if len(r.schemas) > maxSchemas {
		clear(r.schemas)
	}
	for _, s := range r.schemas {
		s.named, s.known = false, nil
	}
	named := r.frame()
	if len(named) == 0 || r.registry == nil {
		return nil
	}
	ids := make([]string, len(named))
	for i, s := range named {
		ids[i] = s.id
	}
	known, err := r.registry.Resolve(ctx, ids)
	if err != nil {
		return fmt.Errorf("decoding the records: %w", err)
	}
	for _, s := range named {
		s.known = known[s.id]
	}
	return nil
}

// Forget ends the rows decoded so far, so that their memory is used again: names
// and symbols that a schema has make them much larger than the records.
func (r *Reader) Forget() {
	r.json.Reset()
	for _, w := range r.used {
		w.reset()
	}
	r.used = r.used[:0]
}

// frame reads the framing of all records where one is framed, and returns the
// schemas that they name, each once.
func (r *Reader) frame() (named []*schema) {
	for i := range r.records {
		if len(r.records[i].Headers) == 0 && !framing.Begins(r.records[i].Value) {
			continue
		}
		f := frame(&r.records[i])
		if f.Form == framing.Plain {
			continue
		}
		if len(r.framed) == 0 {
			r.framed = slices.Grow(r.framed, len(r.records))[:len(r.records)]
			clear(r.framed)
		}
		s := r.schemaOf(&f)
		r.framed[i] = framed{f, s}
		if f.Fault == "" && !s.named {
			s.named = true
			named = append(named, s)
		}
	}
	return named
}

// SchemaID is how a record names its schema; "" for one that does not.
func SchemaID(record *batch.Record) string {
	f := frame(record)
	return f.SchemaID()
}

// frame reads the framing of a record's value.
func frame(record *batch.Record) framing.Framed {
	switch {
	case record.Value == nil:
		return framing.Framed{}
	case len(record.Headers) == 0:
		return framing.Prefixed(record.Value)
	}
	return framing.Of(record.Value, record.Header)
}

// SchemaID is how record i names its schema; "" for one that does not.
func (r *Reader) SchemaID(i int) string {
	if len(r.framed) == 0 || r.framed[i].of == nil {
		return ""
	}
	return r.framed[i].of.id
}

// Framers are how many messages of Protobuf in the batch were taken to be framed
// as whose serializers do, where that is not Confluent's.
func (r *Reader) Framers() map[framing.Framer]int { return r.by }

// Decode decodes record i of those that were opened, as event.Decoder says.
func (r *Reader) Decode(row event.Row, i int, reference time.Time) *event.Rejection {
	if len(r.framed) == 0 || r.framed[i].Form == framing.Plain {
		return r.json.Decode(row, r.records[i].Value, reference)
	}
	f := &r.framed[i]
	switch {
	case f.Fault != "":
		return &event.Rejection{Reason: event.Undecodable, Detail: f.Fault}
	case r.registry == nil:
		return r.unregistered(row, f, reference)
	}
	known := f.of.known
	switch {
	case known == nil:
		return &event.Rejection{Reason: event.UnknownSchema, Detail: "the schema registry does not have schema " + f.of.id}
	case known.Fault != nil:
		return &event.Rejection{Reason: event.Undecodable, Detail: fmt.Sprintf("schema %s cannot be used: %v", f.of.id, known.Fault)}
	}
	return r.registered(row, f, reference)
}

// unregistered decodes a framed value without a registry, which JSON needs none
// for.
func (r *Reader) unregistered(row event.Row, f *framed, reference time.Time) *event.Rejection {
	refused := r.json.Decode(row, f.Body, reference)
	if refused == nil || opens(f.Body) {
		return refused
	}
	switch refused.Reason {
	case event.Empty, event.NotUTF8, event.NotJSON:
		return &event.Rejection{Reason: event.NoRegistry, Detail: fmt.Sprintf(
			"the value names schema %s of a registry and is not JSON: set SCHEMA_REGISTRY_URL to the registry's address", f.of.id)}
	}
	return refused
}

// opens reports whether a body begins as an object of JSON does. Neither Avro
// nor Protobuf that fits an event does: a text's length would be negative, a
// field's type unknown.
func opens(body []byte) bool { return len(body) > 0 && body[0] == '{' }

func (r *Reader) registered(row event.Row, f *framed, reference time.Time) *event.Rejection {
	parsed := f.of.known.Parsed
	if parsed.Format == payload.JSONFormat {
		return r.json.Decode(row, f.Body, reference)
	}
	w := f.of.writer
	if w == nil || w.schema != parsed {
		w = newWriter(parsed)
		f.of.writer = w
	}
	if !w.used {
		w.used, r.used = true, append(r.used, w)
	}
	if parsed.Format == payload.AvroFormat {
		decoder := w.decoder(r)
		refused := decoder.Decode(row, f.Body, reference)
		if refused != nil && refused.Reason == event.Undecodable && opens(f.Body) {
			return decoder.DecodeJSON(row, f.Body, reference)
		}
		return refused
	}
	r.ways = f.Messages(r.ways[:0])
	return w.message(r, row, reference)
}
