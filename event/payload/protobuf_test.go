package payload

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/stationflow/stationflow/event"
)

// protoOf is the plain .proto of a topic. Every other field has its name in
// camel case.
func protoOf(schema *event.Schema) string {
	var b strings.Builder
	b.WriteString("syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nmessage Event {\n")
	for i, c := range schema.Columns {
		of := map[event.Type]string{event.String: "string", event.Int64: "int64", event.Float64: "double", event.Timestamp: "google.protobuf.Timestamp"}[c.Type]
		if c.Nullable && c.Type != event.Timestamp {
			of = "optional " + of
		}
		name := c.Name
		if i%2 == 1 {
			name = camel(name)
		}
		fmt.Fprintf(&b, "  %s %s = %d;\n", of, name, i+1)
	}
	return b.String() + "}\n"
}

func parseProto(text string, imports map[string]string) (*Schema, error) {
	source := Source{Format: ProtobufFormat, Text: text}
	for name, other := range imports {
		source.Imports = append(source.Imports, Import{name, other})
	}
	return Parse(source)
}

func messageOf(t testing.TB, schema string, indexes ...int) protoreflect.MessageDescriptor {
	t.Helper()
	parsed, err := parseProto(schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	message, err := parsed.MessageAt(indexes)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func mustProtobuf(t testing.TB, topic string, message protoreflect.MessageDescriptor, reading Reading) *Protobuf {
	t.Helper()
	if reading.Location == nil {
		reading.Location = time.UTC
	}
	p, err := NewProtobuf(schemaOf(t, topic), message, reading)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// write encodes fields, in the order of the topic's columns.
func write(t testing.TB, message protoreflect.MessageDescriptor, schema *event.Schema, fields map[string]any) []byte {
	t.Helper()
	m := dynamicpb.NewMessage(message)
	for i, c := range schema.Columns {
		f := message.Fields().Get(i)
		switch v := fields[c.Name].(type) {
		case nil:
		case time.Time:
			at := m.Mutable(f).Message()
			at.Set(at.Descriptor().Fields().Get(0), protoreflect.ValueOfInt64(v.Unix()))
			at.Set(at.Descriptor().Fields().Get(1), protoreflect.ValueOfInt32(int32(v.Nanosecond())))
		default:
			m.Set(f, protoreflect.ValueOf(v))
		}
	}
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The same event in Protobuf and in JSON has the same verdict and the same row.
func TestProtobuf_AgreesWithJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	refused := 0
	for _, topic := range event.Topics() {
		schema := schemaOf(t, topic)
		message := messageOf(t, protoOf(schema))
		binary, text := mustProtobuf(t, topic, message, Reading{}), event.NewDecoder(schema, time.UTC)
		for range 1500 {
			fields := random(r, schema)
			value, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			row, want := make(event.Row, len(schema.Columns)+1), make(event.Row, len(schema.Columns)+1)
			got, expected := binary.Decode(row, write(t, message, schema, fields), reference), text.Decode(want, value, reference)
			if (got == nil) != (expected == nil) || got != nil && got.Reason != expected.Reason {
				t.Fatalf("%s\nProtobuf: %v\nJSON: %v", value, got, expected)
			}
			if got != nil {
				refused++
			} else if show(row) != show(want) {
				t.Fatalf("%s\nProtobuf: %s\nJSON: %s", value, show(row), show(want))
			}
		}
	}
	if refused < 500 {
		t.Errorf("only %d events are refused", refused)
	}
}

// Ways to declare a field of ticket_validations, and what a text message in
// them becomes.
func TestProtobuf_Types(t *testing.T) {
	const head = `import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/duration.proto";
import "google/protobuf/any.proto"; import "google/type/date.proto";
message M { string id = 1; string train_id = 2; string station = 3; google.protobuf.Timestamp timestamp = 4;`
	const good = `id: "i" train_id: "t" station: "s" timestamp {seconds: 1795332600 nanos: 1999} `
	const rest = ` "i" "t" "s" 1795332600000001`
	tests := []struct{ name, declared, text, want string }{
		{"plain", "int64 validations = 5;", "validations: 3", rest + " 3 NULL NULL"},
		{"zero is not written", "int64 validations = 5;", "", rest + " 0 NULL NULL"},
		{"optional, absent", "optional int64 validations = 5;", "", "missing_field"},
		{"optional, zero", "optional int64 validations = 5;", "validations: 0", rest + " 0 NULL NULL"},
		{"int32", "int32 validations = 5;", "validations: -3", "out_of_range: field \"validations\" is -3"},
		{"sint32", "sint32 validations = 5;", "validations: -3", "out_of_range: field \"validations\" is -3"},
		{"sint64", "sint64 validations = 5;", "validations: 3", rest + " 3 NULL NULL"},
		{"sfixed32", "sfixed32 validations = 5;", "validations: -3", "out_of_range: field \"validations\" is -3"},
		{"sfixed64", "sfixed64 validations = 5;", "validations: 3", rest + " 3 NULL NULL"},
		{"uint32", "uint32 validations = 5;", "validations: 4294967295", rest + " 4294967295 NULL NULL"},
		{"uint64, too large", "uint64 validations = 5;", "validations: 18446744073709551615", "out_of_range: field \"validations\" is 18446744073709551615, which is beyond INT64"},
		{"fixed64", "fixed64 validations = 5;", "validations: 3", rest + " 3 NULL NULL"},
		{"double, whole", "double validations = 5;", "validations: 3", rest + " 3 NULL NULL"},
		{"double, not whole", "double validations = 5;", "validations: 3.5", "wrong_type"},
		{"string", "string validations = 5;", `validations: "3"`, "wrong_type: field \"validations\" is a string, not a whole number, but 3 is in it"},
		{"bool", "bool validations = 5;", "validations: true", "wrong_type: field \"validations\" is a truth value"},
		{"list", "repeated int64 validations = 5;", "validations: 3", "wrong_type: field \"validations\" is a list"},
		{"message", "google.protobuf.Duration validations = 5;", "validations {seconds: 3}", "wrong_type: field \"validations\" is a message"},
		{"wrapper", "google.protobuf.Int64Value validations = 5;", "validations {value: 3}", rest + " 3 NULL NULL"},
		{"wrapper of zero", "google.protobuf.Int64Value validations = 5;", "validations {}", rest + " 0 NULL NULL"},
		{"wrapper, absent", "google.protobuf.Int64Value validations = 5;", "", "missing_field"},
		{"optional wrapper, absent", "int64 validations = 5; google.protobuf.UInt32Value rejected = 6;", "validations: 1", rest + " 1 NULL NULL"},
		{"optional wrapper", "int64 validations = 5; google.protobuf.UInt32Value rejected = 6;", "validations: 1 rejected {value: 2}", rest + " 1 2 NULL"},
		{"large numbers of fields", "int64 validations = 5000;", "validations: 3", rest + " 3 NULL NULL"},
		{"json_name", `int64 count = 5 [json_name = "validations"];`, "count: 3", rest + " 3 NULL NULL"},
		{"oneof", "oneof which { int64 validations = 5; int64 other = 6; }", "validations: 3", rest + ` 3 NULL NULL`},
		{"oneof, the other", "oneof which { int64 validations = 5; int64 other = 6; }", "other: 3", "missing_field"},
		{"another case", "int64 VALIDATIONS = 5;", "VALIDATIONS: 3", "missing_field: field \"validations\" is absent, but `VALIDATIONS` is there"},
		{"unknown scalars", `int64 validations = 5; string a = 6; bool b = 7; bytes c = 8; double d = 9; uint64 e = 10; enum K { X = 0; Y = 1; } K k = 11; optional int64 absent = 12;`,
			`validations: 1 a: "x\"" b: true c: "\000" e: 18446744073709551615 k: Y`, rest + ` 1 NULL "{\"a\":\"x\\\"\",\"b\":true,\"c\":\"AA==\",\"d\":0,\"e\":18446744073709551615,\"k\":\"Y\"}"`},
		{"unknown messages", `int64 validations = 5; google.type.Date day = 6; repeated int32 gates = 7; map<string, int64> by_gate = 8; google.protobuf.Timestamp at = 9; M within = 10;`,
			`validations: 1 day {year: 2026 month: 11} gates: [1, 2] by_gate {key: "b" value: 2} by_gate {key: "a" value: 1} at {seconds: 1795332600} within {id: "w"}`,
			rest + ` 1 NULL "{\"day\":{\"year\":2026,\"month\":11,\"day\":0},\"gates\":[1,2],\"by_gate\":{\"a\":1,\"b\":2},\"at\":\"2026-11-22T07:30:00Z\",\"within\":{\"id\":\"w\",\"train_id\":\"\",\"station\":\"\",\"validations\":0}}"`},
		{"unknown any", `int64 validations = 5; google.protobuf.Any any = 6;`, `validations: 1 any {type_url: "x/y" value: "\001"}`, rest + ` 1 NULL "{\"any\":{\"type_url\":\"x/y\",\"value\":\"AQ==\"}}"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			message := messageOf(t, `syntax = "proto3";`+head+test.declared+"}")
			m := dynamicpb.NewMessage(message)
			if err := prototext.Unmarshal([]byte(good+test.text), m); err != nil {
				t.Fatal(err)
			}
			value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			row := rowOf(schemaOf(t, "ticket_validations"))
			got := ""
			if refused := mustProtobuf(t, "ticket_validations", message, Reading{}).Decode(row, value, reference); refused != nil {
				got = string(refused.Reason) + ": " + refused.Detail
			} else {
				got = showFirst(row, 6)
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

// What a message has that its schema does not say is refused wherever it lies: the
// library passes over it.
func TestProtobuf_WithinMessages(t *testing.T) {
	const head = `syntax = "proto3"; message M { string id = 1; string train_id = 2; string station = 3; string timestamp = 4; int64 validations = 5; `
	const good = `id: "i" train_id: "t" station: "s" timestamp: "2026-11-22T07:30:00Z" validations: 1 `
	reader := messageOf(t, head+`W within = 6; repeated string texts = 7; map<string, int64> by = 8; repeated int32 numbers = 9; } message W { string a = 1; W w = 2; }`)
	for _, test := range []struct{ declared, text, want string }{
		{`W within = 6; } message W { string a = 1; W w = 2; }`, `within {a: "x" w {a: "y"}}`, ""},
		{`W within = 6; } message W { string a = 1; W w = 2; string b = 3; }`, `within {a: "x" w {b: "new"}}`, "field number 3 is not in W"},
		{`int64 within = 6; }`, `within: 3`, "the field M.within is of another type"},
		{`int64 texts = 7; }`, `texts: 3`, "the field M.texts is of another type"},
		{`map<string, string> by = 8; }`, `by {key: "a" value: "x"}`, "the field M.ByEntry.value is of another type"},
		{`map<int64, int64> by = 8; }`, `by {key: 3 value: 3}`, "the field M.ByEntry.key is of another type"},
		{`repeated int32 numbers = 9; }`, `numbers: [1, 2]`, ""},
		{`repeated int32 numbers = 9 [packed = false]; }`, `numbers: [1, 2]`, ""},
		{`repeated double numbers = 9 [packed = false]; }`, `numbers: [1, 2]`, "the field M.numbers is of another type"},
	} {
		m := dynamicpb.NewMessage(messageOf(t, head+test.declared))
		if err := prototext.Unmarshal([]byte(good+test.text), m); err != nil {
			t.Fatal(err)
		}
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		row := rowOf(schemaOf(t, "ticket_validations"))
		refused := mustProtobuf(t, "ticket_validations", reader, Reading{}).Decode(row, value, reference)
		if (refused == nil) != (test.want == "") || refused != nil && (refused.Reason != event.Undecodable || !strings.Contains(refused.Detail, test.want)) {
			t.Errorf("%s %s: %v, want %q; row %s", test.declared, test.text, refused, test.want, showFirst(row, 6))
		}
	}
}

// proto2 has required fields, defaults of its own and groups.
func TestProtobuf_Proto2AndEnums(t *testing.T) {
	message := messageOf(t, `syntax = "proto2";
		enum Severity { Minor = 0; Major = 1; Huge = 2; }
		message Incident {
			required string id = 1; optional string type = 2 [default = "Technique"]; required string station = 3; optional string location = 4;
			optional string timestamp = 5; optional Severity severity = 6 [default = Major]; optional float duration = 7;
			optional group More = 8 { optional int32 x = 1; }
		}`)
	for text, want := range map[string]string{
		`id: "i" station: "s" location: "l" timestamp: "2026-11-22T07:30:00+01:00" duration: 42.5`:                          ` "i" "Technique" "s" "l" 1795329000000000 "Major" 42.5 NULL`,
		`id: "i" station: "s" location: "l" timestamp: "2026-11-22T07:30:00Z" duration: 42.5 severity: Minor More { x: 3 }`: ` "i" "Technique" "s" "l" 1795332600000000 "Minor" 42.5 "{\"more\":{\"x\":3}}"`,
		`id: "i" station: "s" location: "l" timestamp: "2026-11-22T07:30:00Z" duration: 42.5 severity: Huge`:                "unknown_value: field \"severity\" is \"Huge\"",
		`id: "i" station: "s" location: "l" timestamp: "2026-11-22T07:30:00Z"`:                                              "missing_field: field \"duration\" is absent",
	} {
		m := dynamicpb.NewMessage(message)
		if err := prototext.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		row := rowOf(schemaOf(t, "incidents"))
		got := ""
		if refused := mustProtobuf(t, "incidents", message, Reading{}).Decode(row, value, reference); refused != nil {
			got = string(refused.Reason) + ": " + refused.Detail
		} else {
			got = showFirst(row, 7)
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s\nis   %s\nwant %s", text, got, want)
		}
	}
}

func TestParseProtobuf(t *testing.T) {
	const text = `syntax = "proto3"; import "other/common.proto"; message A { message B {} message C { message D { common.Place place = 1; } } } message E {}`
	imports := map[string]string{"other/common.proto": `syntax = "proto3"; package common; message Place { string name = 1; }`}
	schema, err := parseProto(text, imports)
	if err != nil {
		t.Fatal(err)
	}
	file := schema.file
	for path, want := range map[string]string{"": "A", "0": "A", "1": "E", "0 1": "A.C", "0 1 0": "A.C.D"} {
		var indexes []int
		for _, i := range strings.Fields(path) {
			indexes = append(indexes, int(i[0]-'0'))
		}
		if message, err := schema.MessageAt(indexes); err != nil || string(message.FullName()) != want {
			t.Errorf("%q is %v, %v, want %s", path, message, err, want)
		}
	}
	for name, want := range map[string]string{"A": "A", "E": "E", "A.C": "A.C", "A.C.D": "A.C.D"} {
		if message, err := schema.MessageNamed(name); err != nil || string(message.FullName()) != want {
			t.Errorf("%q is %v, %v, want %s", name, message, err, want)
		}
	}
	for _, bad := range []string{"", "D", "A.", "A.X", "common.Place"} {
		if _, err := schema.MessageNamed(bad); err == nil {
			t.Errorf("%q has a message", bad)
		}
	}
	for _, bad := range [][]int{{2}, {-1}, {0, 2}, {1, 0}} {
		if _, err := schema.MessageAt(bad); err == nil {
			t.Errorf("%v has a message", bad)
		}
	}
	encoded := func(f protoreflect.FileDescriptor) string {
		b, err := proto.Marshal(protodesc.ToFileDescriptorProto(f))
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	other, err := parseProto(imports["other/common.proto"], nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := parseProto(encoded(file), map[string]string{"other/common.proto": encoded(other.file)}); err != nil || again.file.Messages().Len() != 2 {
		t.Errorf("from descriptors: %v, %v", again, err)
	}
	for _, name := range []*string{nil, proto.String("")} {
		described := protodesc.ToFileDescriptorProto(other.file)
		fields := &described.MessageType[0].Field
		*fields = append(*fields, proto.CloneOf((*fields)[0]))
		(*fields)[1].Name, (*fields)[1].Number = proto.String("other_name"), proto.Int32(2)
		(*fields)[0].JsonName, (*fields)[1].JsonName = name, name
		b, err := proto.Marshal(described)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseProto(base64.StdEncoding.EncodeToString(b), nil); err != nil {
			t.Errorf("without JSON names: %v", err)
		}
	}
	for _, bad := range []string{"", "message", text, `syntax = "proto3"; message A { Unknown x = 1; }`, "AAAA",
		`syntax = "proto3"; message A { ` + strings.Repeat("message B { ", 10_000), strings.Repeat(" ", maxSchemaBytes+1)} {
		if schema, err := parseProto(bad, nil); err == nil && schema.file.Messages().Len() > 0 {
			t.Errorf("%.40q is taken", bad)
		}
	}
}

func TestProtobuf_BadBytes(t *testing.T) {
	schema := schemaOf(t, "incidents")
	message := messageOf(t, protoOf(schema))
	good := write(t, message, schema, typical(schema))
	decoder, row := mustProtobuf(t, "incidents", message, Reading{}), rowOf(schema)
	for _, test := range []struct{ name, bytes, want string }{
		{"cut off", string(good[:len(good)-1]), "ends early"},
		{"a number that the schema does not have", string(good) + "\x78\x01", "field number 15 is not in it"},
		{"another wire type", string(good) + "\x08\x01", "the field id is of another type"},
		{"not UTF-8", string(good) + "\x0a\x01\xff", "the field id is not UTF-8"},
		{"no tag", string(good) + "\xff", "a field's tag"},
		{"JSON", `{"id":"x"}`, "bytes do not fit"},
		{"a length beyond the end", string(good) + "\x0a\xff\xff\xff\xff\x0f", "ends early"},
	} {
		if r := decoder.Decode(row, []byte(test.bytes), reference); r == nil || r.Reason != event.Undecodable || !strings.Contains(r.Detail, test.want) {
			t.Errorf("%s: %v, want %s", test.name, r, test.want)
		}
	}
	if r := decoder.Decode(row, append(good, "\x0a\x05again"...), reference); r != nil || string(row[0].Text()) != "again" {
		t.Errorf("a field twice: %v, %s, want the last", r, row[0].Text())
	}
	if r := decoder.Decode(row, nil, reference); r == nil || r.Reason != event.MissingField {
		t.Errorf("no bytes: %v", r)
	}
}

// No text of a row is anything but UTF-8, which proto2 does not ask of a text,
// nor a descriptor of its names: a table would refuse the row, and a reader the
// whole file that has it.
func TestProtobuf_TextsAreUTF8(t *testing.T) {
	const head = `syntax = "proto2"; message M { required string id = 1; required string train_id = 2; required string station = 3;
		required string timestamp = 4; required int64 validations = 5; `
	good := protowire.AppendVarint([]byte("\x0a\x01i\x12\x01t\x1a\x01s\x22\x142026-11-22T07:30:00Z\x28"), 3)
	schema := schemaOf(t, "ticket_validations")
	for declared, test := range map[string]struct{ bytes, want string }{
		`optional string note = 6; }`:                             {"\x32\x01\xff", "the field note is not UTF-8"},
		`repeated string notes = 6; }`:                            {"\x32\x01\xff", "the field notes is not UTF-8"},
		`optional N more = 6; message N { optional string a=1;}}`: {"\x32\x03\x0a\x01\xff", "the field more is not UTF-8"},
		`map<string, int32> counts = 6; }`:                        {"\x32\x05\x0a\x01\xff\x10\x01", "the field counts is not UTF-8"},
		`optional string note = 6 [default = "\xff"]; }`:          {},
	} {
		row := rowOf(schema)
		refused := mustProtobuf(t, "ticket_validations", messageOf(t, head+declared), Reading{}).Decode(row, append(good[:len(good):len(good)], test.bytes...), reference)
		switch {
		case test.bytes == "" && (refused != nil || !row[len(row)-1].Null()):
			t.Errorf("%s: %v, %s, want a row without it", declared, refused, show(row))
		case test.bytes != "" && (refused == nil || refused.Reason != event.Undecodable || !strings.Contains(refused.Detail, test.want)):
			t.Errorf("%s: %v, want %s", declared, refused, test.want)
		}
	}
	described := protodesc.ToFileDescriptorProto(messageOf(t, head+`optional string note = 6; }`).ParentFile())
	described.MessageType[0].Field[5].Name = proto.String("no\xffte")
	binary, err := proto.Marshal(described)
	if err != nil {
		t.Fatal(err)
	}
	message := messageOf(t, base64.StdEncoding.EncodeToString(binary))
	if r := mustProtobuf(t, "ticket_validations", message, Reading{}).Decode(rowOf(schema), append(good, "\x32\x01a"...), reference); r == nil || r.Reason != event.Undecodable {
		t.Errorf("a name that is not UTF-8: %v", r)
	}
}

// FuzzProtobuf holds the decoder to these, for any schema and bytes: it comes
// to an end, an accepted row's extra is JSON in UTF-8, and a second decoder says the
// same.
func FuzzProtobuf(f *testing.F) {
	schema := schemaOf(f, "incidents")
	f.Add(protoOf(schema), write(f, messageOf(f, protoOf(schema)), schema, typical(schema)))
	f.Add(`syntax = "proto2"; message R { optional R r = 1; repeated R s = 2; map<string, R> m = 3; optional group G = 4 { optional R r = 1; } }`, []byte("\x0a\x02\x0a\x00\x12\x00\x23\x24"))
	f.Fuzz(func(t *testing.T, text string, value []byte) {
		parsed, err := parseProto(text, nil)
		if err != nil || parsed.file.Messages().Len() == 0 {
			return
		}
		decoder, err := NewProtobuf(schema, parsed.file.Messages().Get(0), Reading{Location: time.UTC, Epoch: event.Seconds})
		if err != nil {
			return
		}
		row, again := make(event.Row, len(schema.Columns)+1), make(event.Row, len(schema.Columns)+1)
		first := decoder.Decode(row, value, reference)
		second := decoder.Decode(again, value, reference)
		if (first == nil) != (second == nil) || first != nil && first.Reason != second.Reason {
			t.Fatalf("first %v, then %v", first, second)
		}
		if first == nil {
			if show(row) != show(again) {
				t.Fatalf("first %s, then %s", show(row), show(again))
			}
			if extra := row[len(row)-1]; !extra.Null() && !json.Valid(extra.Text()) {
				t.Fatalf("extra is %s", extra.Text())
			}
			checkTexts(t, row)
		}
	})
}
