package payload

import (
	"fmt"

	"github.com/hamba/avro/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Format is what a schema describes, as registries name it.
type Format string

// The formats.
const (
	AvroFormat     Format = "AVRO"
	ProtobufFormat Format = "PROTOBUF"
	JSONFormat     Format = "JSON"
)

// A Source is a schema as a registry has it.
type Source struct {
	Format  Format
	Text    string
	Imports []Import // what it refers to; each behind those that it refers to itself
}

// An Import is a schema that others refer to by its name.
type Import struct{ Name, Text string }

// Size is how many bytes the texts have together.
func (s *Source) Size() int {
	size := len(s.Text)
	for _, other := range s.Imports {
		size += len(other.Text)
	}
	return size
}

// Has reports whether an import has the name.
func (s *Source) Has(name string) bool {
	for _, other := range s.Imports {
		if other.Name == name {
			return true
		}
	}
	return false
}

// A Schema is one by which values were written. It is safe for concurrent use.
type Schema struct {
	Format Format
	avro   avro.Schema
	file   protoreflect.FileDescriptor
}

// Parse reads a schema. What a JSON Schema says is not looked at: the rules of
// an event hold in any case. An error says what is wrong with the schema.
func Parse(source Source) (*Schema, error) {
	if size := source.Size(); size > maxSchemaBytes {
		return nil, fmt.Errorf("reading the schema: it has %d bytes, more than %d", size, maxSchemaBytes)
	}
	s := &Schema{Format: source.Format}
	var err error
	switch source.Format {
	case AvroFormat:
		s.avro, err = parseAvro(source.Text, source.Imports)
	case ProtobufFormat:
		s.file, err = parseProtobuf(source.Text, source.Imports)
	case JSONFormat:
	default:
		err = fmt.Errorf("its type %q is not known", source.Format)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the schema as %s: %w", source.Format, err)
	}
	return s, nil
}
