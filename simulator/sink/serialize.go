package sink

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/event/schemas"
	"github.com/stationflow/stationflow/internal/registry"
	"github.com/stationflow/stationflow/simulator"
)

// A Format is how the values of events are written.
type Format string

// The formats. All but JSON are written as Confluent's serializers do, with the
// id of a schema in front. Mixed takes them in turn.
const (
	JSON       Format = "json"
	Avro       Format = "avro"
	Protobuf   Format = "protobuf"
	JSONSchema Format = "jsonschema"
	Mixed      Format = "mixed"
)

// Formats are all of them.
func Formats() []string {
	return []string{string(JSON), string(Avro), string(Protobuf), string(JSONSchema), string(Mixed)}
}

// each are those that an event can be written in.
var each = []Format{JSON, Avro, Protobuf, JSONSchema}

// A serializer is a sink that writes events in another format to the next one.
// Records that were spoiled stay as they are, since what is wrong with them is
// JSON's.
type serializer struct {
	next   simulator.Sink
	format Format
	topics map[string]*serialized
	turn   int
}

// A serialized topic has what its values are written with.
type serialized struct {
	schema  *event.Schema
	decoder *event.Decoder
	row     event.Row
	ids     map[Format]uint32
}

// Serialize registers the topics' schemas and returns a sink that writes events
// in the format to next.
func Serialize(ctx context.Context, next simulator.Sink, format Format, config registry.Config) (simulator.Sink, error) {
	api, err := registry.NewAPI(config)
	if err != nil {
		return nil, err
	}
	s := &serializer{next: next, format: format, topics: map[string]*serialized{}}
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		t := &serialized{schema: schema, decoder: event.NewDecoder(schema, time.UTC), row: make(event.Row, len(schema.Columns)+1), ids: map[Format]uint32{}}
		for _, one := range each {
			if one == JSON || format != Mixed && one != format {
				continue
			}
			if t.ids[one], err = register(ctx, api, topic, one); err != nil {
				return nil, err
			}
		}
		s.topics[topic] = t
	}
	return s, nil
}

// register returns the id of a topic's schema. Avro's is in the topic's subject,
// the others have subjects of their own: versions of one are all of one type.
func register(ctx context.Context, api *registry.API, topic string, format Format) (uint32, error) {
	kind := map[Format]payload.Format{Avro: payload.AvroFormat, Protobuf: payload.ProtobufFormat, JSONSchema: payload.JSONFormat}[format]
	text, err := schemas.Of(topic, kind)
	if err != nil {
		return 0, err
	}
	schema := sr.Schema{Schema: text}
	if err := schema.Type.UnmarshalText([]byte(kind)); err != nil {
		return 0, fmt.Errorf("registering the schema of %s: %w", topic, err)
	}
	subject := schemas.Subject(topic)
	if format != Avro {
		subject += "-" + string(format)
	}
	id, err := api.RegisterSchema(ctx, subject, schema, -1, -1)
	if err != nil {
		return 0, api.Explain(ctx, err, subject)
	}
	return uint32(id), nil
}

// Write writes the events.
func (s *serializer) Write(events []simulator.Event) error {
	written := slices.Clone(events)
	for i := range written {
		if !written[i].Fault.Bad() {
			written[i].Value = s.serialize(&written[i])
		}
	}
	return s.next.Write(written)
}

// serialize returns the event's value in its format. What has a field that the
// schema does not have stays JSON.
func (s *serializer) serialize(e *simulator.Event) []byte {
	format, t := s.format, s.topics[e.Topic]
	if format == Mixed {
		format = each[s.turn%len(each)]
		s.turn++
	}
	if format == JSON {
		return e.Value
	}
	prefix := binary.BigEndian.AppendUint32([]byte{0}, t.ids[format])
	if format == JSONSchema {
		return append(prefix, e.Value...)
	}
	t.decoder.Reset()
	fields := len(t.row) - 1
	if t.decoder.Decode(t.row, e.Value, e.Time) != nil || !t.row[fields].Null() {
		return e.Value
	}
	if format == Avro {
		return appendAvro(prefix, t.schema.Columns, t.row)
	}
	return appendProtobuf(append(prefix, 0), t.row[:fields]) // the file's first message
}

func appendAvro(b []byte, columns []event.Column, row event.Row) []byte {
	for i := range columns {
		v := &row[i]
		if columns[i].Nullable {
			if v.Null() {
				b = append(b, 0) // the union's first type
				continue
			}
			b = append(b, 2)
		}
		switch v.Type {
		case event.String:
			b = append(binary.AppendVarint(b, int64(len(v.Text()))), v.Text()...)
		case event.Float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Float()))
		default:
			b = binary.AppendVarint(b, v.Int())
		}
	}
	return b
}

func appendProtobuf(b []byte, row event.Row) []byte {
	for i := range row {
		v, number := &row[i], protowire.Number(i+1)
		switch v.Type {
		case 0:
		case event.String:
			b = protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), v.Text())
		case event.Float64:
			b = protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), math.Float64bits(v.Float()))
		case event.Timestamp:
			at := v.Time()
			moment := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(at.Unix()))
			if nanos := at.Nanosecond(); nanos > 0 {
				moment = protowire.AppendVarint(protowire.AppendTag(moment, 2, protowire.VarintType), uint64(nanos))
			}
			b = protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), moment)
		default:
			b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(v.Int()))
		}
	}
	return b
}
