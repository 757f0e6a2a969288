package main

import (
	"fmt"
	"strings"

	"github.com/stationflow/stationflow/event"
)

// addSchemas adds the schemas that producers register for a topic's values.
func (d *derivation) addSchemas(t topic) {
	d.add("event/schemas/"+t.Topic+".avsc", func() ([]byte, error) { return avroSchema(t.Schema) })
	d.add("event/schemas/"+t.Topic+".proto", func() ([]byte, error) { return protobufSchema(t.Schema), nil })
	d.add("event/schemas/"+t.Topic+".schema.json", func() ([]byte, error) { return jsonSchema(t.Schema) })
}

const namespace = "io.stationflow"

// typeName is what one event is called: TrainArrival.
func typeName(schema *event.Schema) string {
	var name strings.Builder
	for _, word := range strings.Split(schema.Singular, "_") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

func avroSchema(schema *event.Schema) ([]byte, error) {
	type field struct {
		Name string `json:"name"`
		Type any    `json:"type"`
		Doc  string `json:"doc"`
	}
	type optional struct {
		Name    string `json:"name"`
		Type    any    `json:"type"`
		Default any    `json:"default"` // null
		Doc     string `json:"doc"`
	}
	var fields []any
	for _, c := range schema.Columns {
		of := map[event.Type]any{event.String: "string", event.Int64: "long", event.Float64: "double",
			event.Timestamp: map[string]string{"type": "long", "logicalType": "timestamp-micros"}}[c.Type]
		if c.Nullable {
			fields = append(fields, optional{Name: c.Name, Type: []any{"null", of}, Doc: c.Description})
		} else {
			fields = append(fields, field{Name: c.Name, Type: of, Doc: c.Description})
		}
	}
	return indented(struct {
		Type      string `json:"type"`
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Doc       string `json:"doc"`
		Fields    []any  `json:"fields"`
	}{"record", typeName(schema), namespace, schema.Description, fields})
}

// protobufSchema has all fields optional, so that one that is absent can be told
// from one that is 0, and an event has the same verdict as in JSON.
func protobufSchema(schema *event.Schema) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s\n// Which fields must be there is in docs/events.md.\nsyntax = \"proto3\";\n\npackage %s;\n\n", notice, namespace)
	fmt.Fprintf(&b, "import \"google/protobuf/timestamp.proto\";\n\n// %s\nmessage %s {\n", schema.Description, typeName(schema))
	for i, c := range schema.Columns {
		of := map[event.Type]string{event.String: "optional string", event.Int64: "optional int64", event.Float64: "optional double",
			event.Timestamp: "google.protobuf.Timestamp"}[c.Type]
		fmt.Fprintf(&b, "  // %s\n  %s %s = %d;\n", c.Description, of, c.Name, i+1)
	}
	return []byte(b.String() + "}\n")
}

// jsonSchema gives timestamps no format: date-time refuses those without an
// offset, and some validators do not know it.
func jsonSchema(schema *event.Schema) ([]byte, error) {
	type property struct {
		Description string   `json:"description"`
		Type        any      `json:"type"`
		MinLength   int      `json:"minLength,omitempty"`
		Minimum     *float64 `json:"minimum,omitempty"`
		Over        *float64 `json:"exclusiveMinimum,omitempty"`
		Maximum     *float64 `json:"maximum,omitempty"`
		Enum        []string `json:"enum,omitempty"`
	}
	properties := members{}
	var required []string
	for _, c := range schema.Columns {
		p := property{Description: c.Description, Minimum: c.Min, Over: c.Over, Maximum: c.Max, Enum: c.OneOf}
		of := map[event.Type]string{event.String: "string", event.Int64: "integer", event.Float64: "number", event.Timestamp: "string"}[c.Type]
		p.Type = of
		if c.Nullable {
			p.Type = []string{of, "null"}
		} else {
			required = append(required, c.Name)
		}
		if c.NonEmpty {
			p.MinLength = 1
		}
		properties = append(properties, member{c.Name, p})
	}
	return indented(struct {
		Schema      string   `json:"$schema"`
		Title       string   `json:"title"`
		Description string   `json:"description"`
		Type        string   `json:"type"`
		Properties  members  `json:"properties"`
		Required    []string `json:"required"`
	}{"http://json-schema.org/draft-07/schema#", typeName(schema), schema.Description, "object", properties, required})
}

// members are those of a JSON object, in their order.
type members []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (m members) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, one := range m {
		value, err := indented(one.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%q:%s", one.name, value)
	}
	return append(b, '}'), nil
}
