package payload

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
)

// typical is an event of each topic, with all fields.
func typical(schema *event.Schema) map[string]any {
	fields := map[string]any{}
	for _, c := range schema.Columns {
		switch c.Type {
		case event.String:
			fields[c.Name] = c.Example
		case event.Int64:
			fields[c.Name] = int64(412)
		case event.Float64:
			fields[c.Name] = 0.85
		case event.Timestamp:
			fields[c.Name] = reference.Add(-5 * time.Minute)
		}
	}
	return fields
}

// The same events in each format: decoding and judging.
func BenchmarkDecode(b *testing.B) {
	for _, topic := range event.Topics() {
		schema := schemaOf(b, topic)
		fields := typical(schema)
		text, err := json.Marshal(fields)
		if err != nil {
			b.Fatal(err)
		}
		decode := func(format string, decoder Decoder, value []byte) {
			b.Run(topic+"/"+format, func(b *testing.B) {
				row := make(event.Row, len(schema.Columns)+1)
				b.ReportAllocs()
				for b.Loop() {
					if r := decoder.Decode(row, value, reference); r != nil {
						b.Fatal(*r)
					}
					decoder.Reset()
				}
			})
		}
		decode("json", event.NewDecoder(schema, time.UTC), ordered(schema, text))
		decode("avro", mustAvro(b, topic, avroOf(schema), Reading{}), encode(b, avroOf(schema), fields))
		message := messageOf(b, protoOf(schema))
		decode("protobuf", mustProtobuf(b, topic, message, Reading{}), write(b, message, schema, fields))
	}
}

// ordered returns an event with its fields in declared order, as producers
// write them.
func ordered(schema *event.Schema, text []byte) []byte {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		panic(err)
	}
	value := []byte{'{'}
	for i, c := range schema.Columns {
		if i > 0 {
			value = append(value, ',')
		}
		value = append(append(appendQuoted(value, []byte(c.Name)), ':'), fields[c.Name]...)
	}
	return append(value, '}')
}
