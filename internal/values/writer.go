package values

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/framing"
	"github.com/stationflow/stationflow/event/payload"
)

// A writer decodes what was written with one schema of Avro or Protobuf.
type writer struct {
	schema   *payload.Schema
	used     bool // since it was reset
	avro     *payload.Avro
	messages map[string]payload.Decoder // of Protobuf, by full name
	first    payload.Decoder            // of the file's first message
	named    map[string]payload.Decoder // by what records have for the name
	indexed  map[string]payload.Decoder // by what they have for the indexes
}

func newWriter(schema *payload.Schema) *writer {
	return &writer{schema: schema, messages: map[string]payload.Decoder{},
		named: map[string]payload.Decoder{}, indexed: map[string]payload.Decoder{}}
}

// maxAliases bounds how many ways to name a message are remembered.
const maxAliases = 64

func (w *writer) reset() {
	w.used = false
	if w.avro != nil {
		w.avro.Reset()
	}
	for _, decoder := range w.messages {
		decoder.Reset()
	}
}

// decoder returns that of an Avro schema.
func (w *writer) decoder(r *Reader) *payload.Avro {
	if w.avro == nil {
		w.avro = w.schema.Avro(r.topic, r.reading)
	}
	return w.avro
}

// message decodes a Protobuf body in the first of the ways whose message the
// schema has and whose bytes fit that message.
func (w *writer) message(r *Reader, row event.Row, reference time.Time) *event.Rejection {
	var refused *event.Rejection // for the first way
	for i := range r.ways {
		way := &r.ways[i]
		decoder, err := w.messageDecoder(r, way)
		if err != nil {
			continue
		}
		verdict := decoder.Decode(row, way.Body, reference)
		if verdict == nil || verdict.Reason != event.Undecodable {
			return taken(r, way.By, verdict)
		}
		if refused == nil {
			refused = verdict
		}
	}
	if refused == nil {
		return &event.Rejection{Reason: event.Undecodable, Detail: "the value names no message of its schema"}
	}
	return refused
}

// taken notes whose framing was followed, and says so where the value is refused.
func taken(r *Reader, by framing.Framer, verdict *event.Rejection) *event.Rejection {
	if by == framing.Confluent {
		return verdict
	}
	r.by[by]++
	if verdict == nil {
		return nil
	}
	return &event.Rejection{Reason: verdict.Reason, Detail: verdict.Detail + " (read as " + string(by) + " frames Protobuf)"}
}

// messageDecoder returns that of the message which a way names.
func (w *writer) messageDecoder(r *Reader, way *framing.Message) (payload.Decoder, error) {
	if len(way.Which) == 0 {
		if w.first == nil {
			first, err := w.newDecoder(r, way)
			if err != nil {
				return nil, err
			}
			w.first = first
		}
		return w.first, nil
	}
	aliases := w.indexed
	if way.Named {
		aliases = w.named
	}
	if decoder := aliases[string(way.Which)]; decoder != nil {
		return decoder, nil
	}
	decoder, err := w.newDecoder(r, way)
	if err != nil {
		return nil, err
	}
	if len(aliases) == maxAliases {
		clear(aliases)
	}
	aliases[string(way.Which)] = decoder
	return decoder, nil
}

// newDecoder finds the message in the schema. Each has one decoder.
func (w *writer) newDecoder(r *Reader, way *framing.Message) (payload.Decoder, error) {
	var message protoreflect.MessageDescriptor
	var err error
	if way.Named {
		message, err = w.schema.MessageNamed(string(way.Which))
	} else {
		message, err = w.schema.MessageAt(way.Indexes())
	}
	if err != nil {
		return nil, err
	}
	decoder := w.messages[string(message.FullName())]
	if decoder == nil {
		if decoder, err = payload.NewProtobuf(r.topic, message, r.reading); err != nil {
			return nil, err
		}
		w.messages[string(message.FullName())] = decoder
	}
	return decoder, nil
}
