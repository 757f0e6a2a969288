package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stationflow/stationflow/event/payload"
)

// levels are those that a subject may have.
var levels = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}

// level is the subject's.
func (r *Registry) level(name string) string {
	if s := r.state.Subjects[name]; s != nil && s.Level != "" {
		return s.Level
	}
	return r.state.Level
}

// incompatible returns why the schema may not follow on the subject's: those
// that its level compares it with, or the version with the number.
func (r *Registry) incompatible(name string, s *schema, number int) ([]string, error) {
	level := r.level(name)
	of := r.state.Subjects[name]
	if level == "NONE" || of == nil {
		return nil, nil
	}
	newer, err := r.parse(s)
	if err != nil {
		return nil, err
	}
	earlier := slices.DeleteFunc(slices.Clone(of.Versions), func(v version) bool { return v.Deleted || number > 0 && v.Number != number })
	if !strings.HasSuffix(level, "_TRANSITIVE") && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	var faults []string
	for _, v := range earlier {
		older, err := r.parse(r.state.Schemas[v.ID-1])
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(level, "FORWARD") {
			faults = append(faults, cannotRead(newer, older, "the new schema cannot read what version %d wrote: %s", v.Number)...)
		}
		if !strings.HasPrefix(level, "BACKWARD") {
			faults = append(faults, cannotRead(older, newer, "version %d cannot read what the new schema writes: %s", v.Number)...)
		}
	}
	return faults, nil
}

// A parsed schema is what one of the fields says.
type parsed struct {
	avro     avro.Schema
	protobuf protoreflect.FileDescriptor
	json     any
}

func parse(source payload.Source) (*parsed, error) {
	checked, err := payload.Parse(source)
	if err != nil {
		return nil, err
	}
	p := &parsed{}
	switch source.Format {
	case payload.ProtobufFormat:
		message, err := checked.MessageAt(nil)
		if err != nil {
			return nil, err
		}
		p.protobuf = message.ParentFile()
	case payload.AvroFormat:
		cache := &avro.SchemaCache{}
		for _, other := range append(slices.Clip(source.Imports), payload.Import{Text: source.Text}) {
			if p.avro, err = avro.ParseWithCache(other.Text, "", cache); err != nil {
				return nil, err
			}
		}
	default:
		err = json.Unmarshal([]byte(source.Text), &p.json)
	}
	return p, err
}

// cannotRead returns what keeps a reader with the one schema from reading what
// was written with the other.
func cannotRead(reader, writer *parsed, format string, number int) []string {
	var faults []string
	switch {
	case reader.avro != nil && writer.avro != nil:
		if err := avro.NewSchemaCompatibility().Compatible(reader.avro, writer.avro); err != nil {
			faults = []string{err.Error()}
		}
	case reader.protobuf != nil && writer.protobuf != nil:
		faults = messagesDiffer(reader.protobuf.Messages(), writer.protobuf.Messages())
	case reader.json != nil && writer.json != nil:
		faults = valuesRefused("", reader.json, writer.json)
	default:
		faults = []string{"it is of another type"}
	}
	for i := range faults {
		faults[i] = fmt.Sprintf(format, number, faults[i])
	}
	return faults
}

// messagesDiffer compares messages of the same name: the reader's fields must
// have the type, on the wire, of the writer's with the same number.
func messagesDiffer(reader, writer protoreflect.MessageDescriptors) (faults []string) {
	for i := range writer.Len() {
		theirs := writer.Get(i)
		ours := reader.ByName(theirs.Name())
		if ours == nil {
			faults = append(faults, fmt.Sprintf("there is no message %s", theirs.FullName()))
			continue
		}
		for j := range theirs.Fields().Len() {
			field := theirs.Fields().Get(j)
			if mine := ours.Fields().ByNumber(field.Number()); mine != nil && shapeOf(mine) != shapeOf(field) {
				faults = append(faults, fmt.Sprintf("field %d of %s is %s and was %s", field.Number(), theirs.FullName(), shapeOf(mine), shapeOf(field)))
			}
		}
		faults = append(faults, messagesDiffer(ours.Messages(), theirs.Messages())...)
	}
	return faults
}

// shapeOf names a field's type, the same for types that read each other.
func shapeOf(f protoreflect.FieldDescriptor) string {
	shape := map[protoreflect.Kind]string{
		protoreflect.BoolKind: "a whole number", protoreflect.EnumKind: "a whole number", protoreflect.Int32Kind: "a whole number",
		protoreflect.Int64Kind: "a whole number", protoreflect.Uint32Kind: "a whole number", protoreflect.Uint64Kind: "a whole number",
		protoreflect.Sint32Kind: "a signed number", protoreflect.Sint64Kind: "a signed number",
		protoreflect.Fixed32Kind: "32 bits", protoreflect.Sfixed32Kind: "32 bits", protoreflect.Fixed64Kind: "64 bits", protoreflect.Sfixed64Kind: "64 bits",
		protoreflect.StringKind: "a text", protoreflect.BytesKind: "a text",
	}[f.Kind()]
	if shape == "" {
		shape = f.Kind().String()
	}
	if f.Message() != nil {
		shape = string(f.Message().FullName())
	}
	if f.IsList() {
		shape = "a list of " + shape
	}
	return shape
}

// valuesRefused compares JSON Schemas as far as objects of typed properties go:
// what the reader demands, the writer must have promised.
func valuesRefused(path string, reader, writer any) (faults []string) {
	mine, _ := reader.(map[string]any)
	theirs, _ := writer.(map[string]any)
	refuse := func(format string, args ...any) { faults = append(faults, "#"+path+" "+fmt.Sprintf(format, args...)) }
	promised := list(theirs["type"])
	for _, one := range promised {
		if allowed := list(mine["type"]); len(allowed) > 0 && !slices.Contains(allowed, one) && !(one == "integer" && slices.Contains(allowed, "number")) {
			refuse("is %v and was %v", mine["type"], theirs["type"])
		}
	}
	if len(promised) == 0 && mine["type"] != nil {
		refuse("is %v and was anything", mine["type"])
	}
	if allowed := list(mine["enum"]); len(allowed) > 0 {
		written := list(theirs["enum"])
		if len(written) == 0 || slices.ContainsFunc(written, func(v string) bool { return !slices.Contains(allowed, v) }) {
			refuse("has fewer values")
		}
	}
	required := list(theirs["required"])
	for _, name := range list(mine["required"]) {
		if !slices.Contains(required, name) {
			refuse("requires %q", name)
		}
	}
	ours, _ := mine["properties"].(map[string]any)
	others, _ := theirs["properties"].(map[string]any)
	for name, of := range ours {
		if other, both := others[name]; both {
			faults = append(faults, valuesRefused(path+"/properties/"+name, of, other)...)
		}
	}
	if mine["additionalProperties"] == false {
		for name := range others {
			if _, both := ours[name]; !both {
				refuse("has no property %q, and takes no others", name)
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// list returns texts of a JSON value: one, or those of an array.
func list(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, fmt.Sprint(one))
		}
		return all
	}
	return nil
}
