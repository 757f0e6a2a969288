package warehouse

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	bigquery "google.golang.org/api/bigquery/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// writer reads a client's rows for one table: it finds the faults that BigQuery refuses and the emulator would take,
// answer as its own failure, or crash on.
type writer struct {
	schema   *descriptorpb.DescriptorProto
	table    *table
	fields   map[protowire.Number]field
	required []protowire.Number
}

// field is one top-level field of a row and its column.
type field struct {
	column string
	kind   columnKind
	wire   protowire.Type
	list   bool
}

// columnKind is what check looks at in a column's values.
type columnKind int

const (
	anyValue columnKind = iota
	text
	jsonText
	instant
)

// The instants that a TIMESTAMP holds, in microseconds since 1970: 0001-01-01 to 9999-12-31, see BigQuery's data types.
const (
	minInstant = -62_135_596_800_000_000
	maxInstant = 253_402_300_799_999_999
)

// newWriter matches a writer schema with a table, or fails with InvalidArgument.
func newWriter(schema *descriptorpb.DescriptorProto, t *table) (*writer, error) {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("row.proto"), MessageType: []*descriptorpb.DescriptorProto{schema},
	}, nil)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid proto schema: %v", err)
	}
	message := file.Messages().Get(0)
	w := &writer{schema: schema, table: t, fields: map[protowire.Number]field{}}
	written := map[string]bool{}
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		name := strings.ToLower(string(f.Name()))
		column := t.columns[name]
		if column == nil {
			return nil, streamFault(codes.InvalidArgument, storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS, t.name,
				fmt.Sprintf("Input schema has more fields than BigQuery schema, extra fields: '%s'", f.Name()))
		}
		if err := w.add(f, column); err != nil {
			return nil, err
		}
		written[name] = true
	}
	for name, column := range t.columns {
		if column.Mode == "REQUIRED" && !written[name] {
			return nil, status.Errorf(codes.InvalidArgument, "the required column %s of %s is not in the writer schema", column.Name, t.name)
		}
	}
	return w, nil
}

func (w *writer) add(f protoreflect.FieldDescriptor, column *bigquery.TableFieldSchema) error {
	if !fits(f.Kind(), column.Type) {
		return status.Errorf(codes.InvalidArgument,
			"Proto field %s of type %s cannot be converted to column %s of type %s", f.Name(), f.Kind(), column.Name, column.Type)
	}
	if f.IsList() != (column.Mode == "REPEATED") {
		return status.Errorf(codes.InvalidArgument, "Proto field %s and column %s: one is repeated, the other is not", f.Name(), column.Name)
	}
	wire := wireTypes[f.Kind()]
	kind := anyValue
	switch {
	case strings.EqualFold(column.Type, "JSON"):
		kind = jsonText
	case f.Kind() == protoreflect.StringKind:
		kind = text
	case strings.EqualFold(column.Type, "TIMESTAMP") && f.Kind() == protoreflect.Int64Kind:
		kind = instant
	}
	w.fields[f.Number()] = field{column: column.Name, kind: kind, wire: wire, list: f.IsList()}
	if column.Mode == "REQUIRED" || f.Cardinality() == protoreflect.Required {
		w.required = append(w.required, f.Number())
	}
	return nil
}

// wireTypes has the kinds that the emulator decodes: it crashes on fixed64 and refuses groups.
var wireTypes = map[protoreflect.Kind]protowire.Type{
	protoreflect.BoolKind: protowire.VarintType, protoreflect.EnumKind: protowire.VarintType,
	protoreflect.Int32Kind: protowire.VarintType, protoreflect.Sint32Kind: protowire.VarintType,
	protoreflect.Uint32Kind: protowire.VarintType, protoreflect.Int64Kind: protowire.VarintType,
	protoreflect.Sint64Kind: protowire.VarintType, protoreflect.Uint64Kind: protowire.VarintType,
	protoreflect.Sfixed32Kind: protowire.Fixed32Type, protoreflect.Fixed32Kind: protowire.Fixed32Type,
	protoreflect.FloatKind: protowire.Fixed32Type, protoreflect.Sfixed64Kind: protowire.Fixed64Type,
	protoreflect.DoubleKind: protowire.Fixed64Type, protoreflect.StringKind: protowire.BytesType,
	protoreflect.BytesKind: protowire.BytesType, protoreflect.MessageKind: protowire.BytesType,
}

// fits says whether a field's values can be converted to a column, by the table of conversions in BigQuery's
// documentation of the Storage Write API.
func fits(kind protoreflect.Kind, column string) bool {
	wire, known := wireTypes[kind]
	if !known {
		return false
	}
	number := wire != protowire.BytesType && kind != protoreflect.BoolKind && kind != protoreflect.EnumKind
	fraction := kind == protoreflect.FloatKind || kind == protoreflect.DoubleKind
	switch strings.ToUpper(column) {
	case "BOOL", "BOOLEAN":
		return kind == protoreflect.BoolKind || number && !fraction
	case "BYTES":
		return kind == protoreflect.BytesKind || kind == protoreflect.StringKind
	case "INT64", "INTEGER":
		return number && !fraction || kind == protoreflect.EnumKind
	case "FLOAT64", "FLOAT":
		return number
	case "STRING":
		return kind == protoreflect.StringKind || kind == protoreflect.EnumKind
	case "JSON", "GEOGRAPHY", "INTERVAL":
		return kind == protoreflect.StringKind
	case "TIMESTAMP", "DATE", "TIME", "DATETIME":
		return number && !fraction || kind == protoreflect.StringKind
	case "NUMERIC", "BIGNUMERIC":
		return number || kind == protoreflect.StringKind || kind == protoreflect.BytesKind
	case "STRUCT", "RECORD":
		return kind == protoreflect.MessageKind
	}
	return true
}

// check returns the faults of rows, by index.
func (w *writer) check(rows [][]byte) []*storagepb.RowError {
	var faults []*storagepb.RowError
	for i, row := range rows {
		if err := w.checkRow(row); err != nil {
			faults = append(faults, &storagepb.RowError{
				Index: int64(i), Code: storagepb.RowError_FIELDS_ERROR, Message: err.Error(),
			})
		}
	}
	return faults
}

func (w *writer) checkRow(row []byte) error {
	if len(row) > maxUpstreamBytes {
		return fmt.Errorf("the row has %d bytes: the local warehouse takes %d", len(row), maxUpstreamBytes)
	}
	var present [64]protowire.Number
	seen := present[:0]
	for len(row) > 0 {
		number, wire, n := protowire.ConsumeTag(row)
		if n < 0 {
			return fmt.Errorf("the row is not a valid message: %w", protowire.ParseError(n))
		}
		size := protowire.ConsumeFieldValue(number, wire, row[n:])
		if size < 0 {
			return fmt.Errorf("the row is not a valid message: %w", protowire.ParseError(size))
		}
		if f, known := w.fields[number]; known {
			if err := f.check(wire, row[n:n+size]); err != nil {
				return err
			}
			seen = append(seen, number)
		}
		row = row[n+size:]
	}
	for _, number := range w.required {
		if !slices.Contains(seen, number) {
			return fmt.Errorf("Field %s: the required value is missing", w.fields[number].column)
		}
	}
	return nil
}

// check looks at one encoded value.
func (f *field) check(wire protowire.Type, value []byte) error {
	if wire != f.wire {
		if f.list && wire == protowire.BytesType {
			return nil // packed
		}
		return fmt.Errorf("Field %s: the value has another type than the writer schema says", f.column)
	}
	switch f.kind {
	case text, jsonText:
		bytes, _ := protowire.ConsumeBytes(value)
		if !utf8.Valid(bytes) {
			return fmt.Errorf("Field %s: the text is not valid UTF-8", f.column)
		}
		if f.kind == jsonText && !json.Valid(bytes) {
			return fmt.Errorf("Field %s: the text is not valid JSON", f.column)
		}
	case instant:
		v, _ := protowire.ConsumeVarint(value)
		if micros := int64(v); micros < minInstant || micros > maxInstant {
			return fmt.Errorf("Field %s: %d microseconds are outside the years 1 to 9999", f.column, micros)
		}
	}
	return nil
}
