package payload

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hamba/avro/v2"

	"github.com/stationflow/stationflow/event"
)

// reference is the Kafka timestamp of the records in these tests.
var reference = time.Date(2026, 11, 22, 7, 35, 0, 0, time.UTC)

func schemaOf(t testing.TB, topic string) *event.Schema {
	t.Helper()
	schema, ok := event.SchemaOf(topic)
	if !ok {
		t.Fatalf("no topic %s", topic)
	}
	return schema
}

// avroOf is the plain Avro schema of a topic.
func avroOf(schema *event.Schema) string { return avroWith(schema, "", "") }

// avroWith is the same with another type for a field, or with one more.
func avroWith(schema *event.Schema, name, other string) string {
	var fields []string
	known := name == ""
	for _, c := range schema.Columns {
		if c.Name == name {
			known = true
			fields = append(fields, fmt.Sprintf(`{"name":%q,"type":%s}`, name, other))
			continue
		}
		of := map[event.Type]string{event.String: `"string"`, event.Int64: `"long"`, event.Float64: `"double"`,
			event.Timestamp: `{"type":"long","logicalType":"timestamp-micros"}`}[c.Type]
		if c.Nullable {
			of = `["null",` + of + `]`
		}
		fields = append(fields, fmt.Sprintf(`{"name":%q,"type":%s}`, c.Name, of))
	}
	if !known {
		fields = append(fields, fmt.Sprintf(`{"name":%q,"type":%s}`, name, other))
	}
	return `{"type":"record","name":"Event","fields":[` + strings.Join(fields, ",") + `]}`
}

func mustAvro(t testing.TB, topic, writer string, reading Reading) *Avro {
	t.Helper()
	if reading.Location == nil {
		reading.Location = time.UTC
	}
	schema, err := parseWriter(writer)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Avro(schemaOf(t, topic), reading)
}

func parseWriter(writer string, imports ...Import) (*Schema, error) {
	return Parse(Source{Format: AvroFormat, Text: writer, Imports: imports})
}

func encode(t testing.TB, writer string, value any) []byte {
	t.Helper()
	schema, err := avro.ParseWithCache(writer, "", &avro.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	if record, ok := schema.(*avro.RecordSchema); ok {
		value = withNulls(record, value)
	}
	b, err := avro.Marshal(schema, value)
	if err != nil {
		t.Fatalf("%v as %s: %v", value, writer, err)
	}
	return b
}

// withNulls is an event with null for each column that it lacks and may lack.
func withNulls(record *avro.RecordSchema, value any) any {
	fields, ok := value.(map[string]any)
	if !ok {
		return value
	}
	fields = maps.Clone(fields)
	for _, f := range record.Fields() {
		if union, ok := f.Type().(*avro.UnionSchema); ok && union.Nullable() {
			if _, there := fields[f.Name()]; !there {
				fields[f.Name()] = nil
			}
		}
	}
	return fields
}

// rowOf has room for an event of the schema.
func rowOf(schema *event.Schema) event.Row { return make(event.Row, len(schema.Columns)+1) }

// showFirst writes the first columns of a row, and extra: later producers may
// add columns between them.
func showFirst(row event.Row, columns int) string {
	return show(row[:columns]) + show(row[len(row)-1:])
}

// show writes a row as a person reads it.
func show(row event.Row) string {
	var b strings.Builder
	for i := range row {
		v := &row[i]
		switch v.Type {
		case event.String:
			fmt.Fprintf(&b, " %q", v.Text())
		case event.Float64:
			fmt.Fprintf(&b, " %v", v.Float())
		case 0:
			b.WriteString(" NULL")
		default:
			fmt.Fprintf(&b, " %d", v.Int())
		}
	}
	return b.String()
}

// random is an event's fields, some beyond what the rules allow.
func random(r *rand.Rand, schema *event.Schema) map[string]any {
	fields := map[string]any{}
	for _, c := range schema.Columns {
		if c.Nullable && r.IntN(3) == 0 {
			fields[c.Name] = nil
			continue
		}
		switch c.Type {
		case event.String:
			fields[c.Name] = []string{"Station B", "é😀\x00\"\\", "North", "Major", "x"}[r.IntN(5)]
			if c.OneOf != nil && r.IntN(10) > 0 {
				fields[c.Name] = c.OneOf[r.IntN(len(c.OneOf))]
			}
			if r.IntN(30) == 0 {
				fields[c.Name] = ""
			}
		case event.Int64:
			fields[c.Name] = r.Int64()>>r.IntN(63) - int64(r.IntN(30)/29)*1000
		case event.Float64:
			fields[c.Name] = 1 - r.Float64()
			if r.IntN(20) == 0 {
				fields[c.Name] = r.NormFloat64()
			}
		case event.Timestamp:
			fields[c.Name] = reference.Add(time.Duration(r.IntN(3_000_000)-2_999_000) * time.Minute).Truncate(time.Microsecond)
			if r.IntN(40) == 0 {
				fields[c.Name] = time.Unix(0, 0).UTC()
			}
		}
	}
	return fields
}

// The same event in Avro and in JSON has the same verdict and the same row.
func TestAvro_AgreesWithJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	refused := 0
	for _, topic := range event.Topics() {
		schema := schemaOf(t, topic)
		writer := avroOf(schema)
		binary, text := mustAvro(t, topic, writer, Reading{}), event.NewDecoder(schema, time.UTC)
		for range 1500 {
			fields := random(r, schema)
			value, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			row, want := make(event.Row, len(schema.Columns)+1), make(event.Row, len(schema.Columns)+1)
			got, expected := binary.Decode(row, encode(t, writer, fields), reference), text.Decode(want, value, reference)
			if (got == nil) != (expected == nil) || got != nil && got.Reason != expected.Reason {
				t.Fatalf("%s\nAvro: %v\nJSON: %v", value, got, expected)
			}
			if got != nil {
				refused++
			} else if show(row) != show(want) {
				t.Fatalf("%s\nAvro: %s\nJSON: %s", value, show(row), show(want))
			}
		}
	}
	if refused < 500 {
		t.Errorf("only %d events are refused", refused)
	}
}

// Every way to write a field, one at a time, in an incident.
func TestAvro_Types(t *testing.T) {
	at := time.Date(2026, 11, 22, 7, 30, 0, 123456000, time.UTC)
	enumOf := `{"type":"enum","name":"E","symbols":["Minor","Major","Other"]}`
	tests := []struct {
		field, of string
		value     any
		want      string // the value, the reason and a part of the detail, or extra
	}{
		{"timestamp", `{"type":"long","logicalType":"timestamp-millis"}`, at, "2026-11-22T07:30:00.123Z"},
		{"timestamp", `{"type":"long","logicalType":"timestamp-micros"}`, at, "2026-11-22T07:30:00.123456Z"},
		{"timestamp", `{"type":"long","logicalType":"timestamp-nanos"}`, at.UnixNano() + 999, "2026-11-22T07:30:00.123456Z"},
		{"timestamp", `{"type":"long","logicalType":"local-timestamp-micros"}`, at, "2026-11-22T06:30:00.123456Z"},
		{"timestamp", `{"type":"long","logicalType":"local-timestamp-millis"}`, at, "2026-11-22T06:30:00.123Z"},
		{"timestamp", `{"type":"long","logicalType":"local-timestamp-nanos"}`, at.UnixNano(), "2026-11-22T06:30:00.123456Z"},
		{"timestamp", `"string"`, "2026-11-22T07:30:00", "2026-11-22T06:30:00Z"},
		{"timestamp", `"string"`, "2026-11-22T07:30:00Z[UTC]", "2026-11-22T07:30:00Z"},
		{"timestamp", `"string"`, "soon", "bad_timestamp"},
		{"timestamp", `"long"`, at.UnixMilli(), `wrong_type field "timestamp" is a number`},
		{"timestamp", `{"type":"int","logicalType":"date"}`, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), "wrong_type a date"},
		{"timestamp", `{"type":"long","logicalType":"timestamp-millis"}`, time.UnixMilli(math.MaxInt64 / 1000), "absurd_timestamp"},
		{"timestamp", `{"type":"long","logicalType":"timestamp-nanos"}`, int64(math.MinInt64), "absurd_timestamp"},
		{"timestamp", `["null",{"type":"long","logicalType":"timestamp-micros"}]`, nil, `missing_field field "timestamp" is null`},
		{"duration", `"int"`, 42, "42"},
		{"duration", `"long"`, int64(42), "42"},
		{"duration", `"float"`, float32(42.5), "42.5"},
		{"duration", `"double"`, 42.5, "42.5"},
		{"duration", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, big.NewRat(4250, 100), "42.5"},
		{"duration", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, big.NewRat(-1, 100), "out_of_range -0.01"},
		{"duration", `{"type":"fixed","name":"F","size":8,"logicalType":"decimal","precision":9,"scale":2}`, big.NewRat(4250, 100), "42.5"},
		{"duration", `"double"`, -0.5, "out_of_range -0.5"},
		{"duration", `"double"`, math.NaN(), "out_of_range NaN"},
		{"duration", `"float"`, float32(math.Inf(1)), "out_of_range +Inf"},
		{"duration", `"string"`, "42", "wrong_type but 42 is in it"},
		{"duration", `["null","double"]`, nil, `missing_field field "duration" is null`},
		{"duration", `"boolean"`, true, "wrong_type a truth value"},
		{"duration", `{"type":"int","logicalType":"time-millis"}`, time.Minute, "wrong_type a time of day"},
		{"severity", enumOf, "Major", "Major"},
		{"severity", enumOf, "Other", "unknown_value"},
		{"severity", `["null",` + enumOf + `]`, map[string]any{"E": "Minor"}, "Minor"},
		{"severity", `"bytes"`, []byte("Major"), "wrong_type bytes"},
		{"type", `{"type":"string","logicalType":"uuid"}`, "2f1b5b0e-7c0a-4e6c-9d53-3a1f9e0a1b2c", "2f1b5b0e-7c0a-4e6c-9d53-3a1f9e0a1b2c"},
		{"type", `{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}`, [16]byte{0x2f, 0x1b, 15: 0xff}, "2f1b0000-0000-0000-0000-0000000000ff"},
		{"type", `{"type":"array","items":"string"}`, []string{"a", "b"}, "wrong_type an array"},
		{"type", `{"type":"map","values":"long"}`, map[string]int64{"a": 1}, "wrong_type a map"},
		{"type", `{"type":"record","name":"R","fields":[{"name":"x","type":"long"}]}`, map[string]any{"x": int64(1)}, "wrong_type a record"},
		{"type", `["long","string"]`, map[string]any{"string": "x"}, "x"},
		{"type", `["long","string"]`, map[string]any{"long": int64(3)}, "wrong_type a number"},
		{"more", `"long"`, int64(3), `{"more":3}`},
		{"more", `["null","string"]`, nil, `{"more":null}`},
		{"more", `"string"`, "a\"\\\n\x01é", `{"more":"a\"\\\u000a\u0001é"}`},
		{"more", `"bytes"`, []byte{0, 0xff}, `{"more":"AP8="}`},
		{"more", `"double"`, math.NaN(), `{"more":"NaN"}`},
		{"more", `"boolean"`, true, `{"more":true}`},
		{"more", `{"type":"int","logicalType":"date"}`, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), `{"more":"2026-11-22"}`},
		{"more", `{"type":"long","logicalType":"timestamp-micros"}`, at, `{"more":"2026-11-22T07:30:00.123456Z"}`},
		{"more", `{"type":"long","logicalType":"local-timestamp-micros"}`, at, `{"more":"2026-11-22T07:30:00.123456"}`},
		{"more", `{"type":"long","logicalType":"timestamp-nanos"}`, int64(1795332600_123456789), `{"more":"2026-11-22T07:30:00.123456789Z"}`},
		{"more", `{"type":"long","logicalType":"local-timestamp-nanos"}`, int64(-1), `{"more":"1969-12-31T23:59:59.999999999"}`},
		{"more", `{"type":"long","logicalType":"timestamp-millis"}`, int64(math.MaxInt64), `{"more":"292278994-08-17T07:12:55.807Z"}`},
		{"more", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}`, big.NewRat(-5, 1000), `{"more":-0.005}`},
		{"more", `{"type":"array","items":["null","long"]}`, []any{int64(1), nil}, `{"more":[1,null]}`},
		{"more", `{"type":"map","values":"long"}`, map[string]int64{"a": 1}, `{"more":{"a":1}}`},
		{"more", `{"type":"record","name":"R","fields":[{"name":"x","type":"long"},{"name":"next","type":["null","R"]}]}`,
			map[string]any{"x": int64(1), "next": map[string]any{"R": map[string]any{"x": int64(2), "next": nil}}}, `{"more":{"x":1,"next":{"x":2,"next":null}}}`},
		{"ID", `"string"`, "x", `{"ID":"x"}`},
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	schema := schemaOf(t, "incidents")
	for _, test := range tests {
		t.Run(test.field+" "+test.of, func(t *testing.T) {
			fields := map[string]any{"id": "i", "type": "t", "station": "s", "location": "l", "timestamp": at, "severity": "Major", "duration": 1.0}
			writer := avroWith(schema, test.field, test.of)
			fields[test.field] = test.value
			row := make(event.Row, len(schema.Columns)+1)
			refused := mustAvro(t, "incidents", writer, Reading{Location: paris}).Decode(row, encode(t, writer, fields), reference)
			if refused != nil {
				reason, detail, _ := strings.Cut(test.want, " ")
				if string(refused.Reason) != reason || !strings.Contains(refused.Detail, detail) {
					t.Errorf("refused: %v, want %s", *refused, test.want)
				}
				return
			}
			got := string(row[len(row)-1].Text())
			for i, c := range schema.Columns {
				switch v := &row[i]; {
				case c.Name != test.field:
				case c.Type == event.Timestamp:
					got = v.Time().Format(time.RFC3339Nano)
				case c.Type == event.Float64:
					got = fmt.Sprint(v.Float())
				default:
					got = string(v.Text())
				}
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestAvro_SchemasThatEvolve(t *testing.T) {
	writer := func(fields string) string { return `{"type":"record","name":"T","fields":[` + fields + `]}` }
	plain := `{"name":"id","type":"string"},{"name":"train_id","type":"string"},{"name":"station","type":"string"},{"name":"timestamp","type":"string"},`
	event1 := map[string]any{"id": "i", "train_id": "t", "station": "s", "timestamp": "2026-11-22T07:30:00Z", "validations": int64(3), "accepted": int64(3), "Validations": int64(3)}
	schema := schemaOf(t, "ticket_validations")
	for _, test := range []struct{ name, fields, want string }{
		{"as it is", plain + `{"name":"validations","type":"long"}`, ` "i" "t" "s" 1795332600000000 3 NULL NULL`},
		{"renamed", plain + `{"name":"accepted","aliases":["validations"],"type":"long"}`, ` "i" "t" "s" 1795332600000000 3 NULL NULL`},
		{"an alias does not beat a name", plain + `{"name":"accepted","aliases":["validations"],"type":"long"},{"name":"validations","type":"long"}`, ` "i" "t" "s" 1795332600000000 3 NULL "{\"accepted\":3}"`},
		{"removed", plain[:len(plain)-1], "missing_field"},
		{"another case", plain + `{"name":"Validations","type":"long"}`, "missing_field: field \"validations\" is absent, but `Validations` is there"},
		{"narrowed to int", plain + `{"name":"validations","type":"int"}`, ` "i" "t" "s" 1795332600000000 3 NULL NULL`},
	} {
		if test.name == "narrowed to int" {
			event1["validations"] = 3
		}
		row := make(event.Row, len(schema.Columns)+1)
		refused := mustAvro(t, "ticket_validations", writer(test.fields), Reading{}).Decode(row, encode(t, writer(test.fields), event1), reference)
		got := showFirst(row, 6)
		if refused != nil {
			got = string(refused.Reason) + ": " + refused.Detail
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestAvro_BadBytesAndSchemas(t *testing.T) {
	incidents := schemaOf(t, "incidents")
	writer := avroOf(incidents)
	good := encode(t, writer, map[string]any{"id": "i", "type": "t", "station": "s", "location": "l", "timestamp": reference, "severity": "Major", "duration": 1.0})
	row := rowOf(incidents)
	decoder := mustAvro(t, "incidents", writer, Reading{})
	for i := range good {
		if r := decoder.Decode(row, good[:i], reference); r == nil || r.Reason != event.Undecodable {
			t.Errorf("the first %d bytes: %v", i, r)
		}
	}
	if r := decoder.Decode(row, append(good, 0), reference); r == nil || r.Reason != event.Undecodable || !strings.Contains(r.Detail, "left over") {
		t.Errorf("a byte too many: %v", r)
	}
	if r := decoder.Decode(row, append([]byte{2, 0xff}, good[2:]...), reference); r == nil || r.Reason != event.Undecodable || !strings.Contains(r.Detail, "UTF-8") {
		t.Errorf("not UTF-8: %v", r)
	}
	endless := strings.Repeat("\xff", 20)
	more := strings.TrimSuffix(writer, "]}") + `,{"name":"more","type":%s}]}`
	recursive := `{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`
	for _, test := range []struct{ of, bytes, want string }{
		{`{"type":"array","items":"null"}`, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "too many values"},
		{`{"type":"array","items":"string"}`, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", "ends within"},
		{`"string"`, endless, "cut off or too long"},
		{`"bytes"`, "\x01", "ends within"},
		{`{"type":"enum","name":"E","symbols":["A"]}`, "\x02", "no such symbol"},
		{`["null","long"]`, "\x04", "no such branch"},
		{recursive, strings.Repeat("\x02", 1000), "deeper than 64"},
		{`{"type":"int","logicalType":"date"}`, "\x80\x80\x80\x80\x20", "a date has more than 32 bits"},
		{`{"type":"bytes","logicalType":"decimal","precision":9}`, "\x82\x01" + strings.Repeat("x", 65), "decimal is too long"},
	} {
		of := fmt.Sprintf(more, test.of)
		if r := mustAvro(t, "incidents", of, Reading{}).Decode(row, append(good[:len(good):len(good)], test.bytes...), reference); r == nil || r.Reason != event.Undecodable || !strings.Contains(r.Detail, test.want) {
			t.Errorf("%s: %v, want %s", test.of, r, test.want)
		}
	}
	for _, bad := range []string{"", "{", `"no such type"`, `{"type":"record","name":"R"}`, strings.Repeat("[", 10_000), `"` + strings.Repeat("x", maxSchemaBytes) + `"`,
		`{"type":"record","name":"R","fields":[{"name":"x","type":"Unknown"}]}`} {
		if _, err := parseWriter(bad); err == nil {
			t.Errorf("%.40s is taken", bad)
		}
	}
	for of, want := range map[string]event.Reason{`"string"`: event.NotObject, `["null",` + writer + `]`: event.Tombstone} {
		if r := mustAvro(t, "incidents", of, Reading{}).Decode(row, []byte{0}, reference); r == nil || r.Reason != want {
			t.Errorf("%.20s: %v, want %s", of, r, want)
		}
	}
}

// A schema may name types of others.
func TestAvro_Imports(t *testing.T) {
	place := Import{"stations.Place", `{"type":"record","name":"Place","namespace":"stations","fields":[{"name":"dock","type":"int"}]}`}
	stop := Import{"stations.Stop", `{"type":"record","name":"Stop","namespace":"stations","fields":[{"name":"place","type":"Place"}]}`}
	incidents := schemaOf(t, "incidents")
	plain := avroOf(incidents)
	writer := strings.TrimSuffix(plain, "]}") + `,{"name":"stop","type":"stations.Stop"}]}`
	schema, err := parseWriter(writer, place, stop)
	if err != nil {
		t.Fatal(err)
	}
	value := encode(t, plain, map[string]any{"id": "i", "type": "t", "station": "s", "location": "l", "timestamp": reference, "severity": "Major", "duration": 1.0})
	row := rowOf(incidents)
	if r := schema.Avro(incidents, Reading{Location: time.UTC}).Decode(row, append(value, 0x0e), reference); r != nil {
		t.Fatal(*r)
	}
	if got := string(row[len(row)-1].Text()); got != `{"stop":{"place":{"dock":7}}}` {
		t.Error(got)
	}
	if _, err := parseWriter(writer, stop); err == nil {
		t.Error("a type that nobody declares is taken")
	}
}

// notedIncident is a schema of incidents with a field that has no column. It is
// its own, so that further columns of incidents concern no test that uses it.
const notedIncident = `{"type":"record","name":"I","fields":[{"name":"id","type":"string"},{"name":"type","type":"string"},{"name":"station","type":"string"},
	{"name":"location","type":"string"},{"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"severity","type":"string"},
	{"name":"duration","type":"double"},{"name":"note","type":"string"}]}`

// In Avro's JSON, too, a text is UTF-8: that of a column, and what is kept.
func TestAvro_JSONIsUTF8(t *testing.T) {
	decoder, row := mustAvro(t, "incidents", notedIncident, Reading{}), rowOf(schemaOf(t, "incidents"))
	const value = `{"id":"é","type":"t","station":"s","location":"l","timestamp":1795332600000000,"severity":"Major","duration":1,"note":"è"}`
	if r := decoder.DecodeJSON(row, []byte(value), reference); r != nil {
		t.Fatal(r)
	}
	for _, letter := range []string{"é", "è"} {
		latin1 := strings.Replace(value, letter, "\xe9", 1)
		if r := decoder.DecodeJSON(row, []byte(latin1), reference); r == nil || r.Reason != event.Undecodable || !strings.Contains(r.Detail, "UTF-8") {
			t.Errorf("%s: %v", latin1, r)
		}
	}
}

// Avro's JSON is as strict as that of events: a value that readers would take
// for another one is refused, in a column and in what is kept.
func TestAvro_JSONMeansOneThing(t *testing.T) {
	decoder, row := mustAvro(t, "incidents", notedIncident, Reading{}), rowOf(schemaOf(t, "incidents"))
	const value = `{"id":"i","type":"t","station":"s","location":"l","timestamp":1795332600000000,"severity":"Major","duration":1,"note":"n"}`
	if r := decoder.DecodeJSON(row, []byte(value), reference); r != nil {
		t.Fatal(r)
	}
	for old, other := range map[string]string{`"id":"i"`: `"id":"x","id":"i"`, `"i"`: `"\ud800"`, `"n"`: `"\udc00"`, `"note":"n"`: `"note":{"a":1,"a":2}`} {
		if r := decoder.DecodeJSON(row, []byte(strings.Replace(value, old, other, 1)), reference); r == nil || r.Reason != event.Undecodable {
			t.Errorf("with %s: %v, row %s", other, r, show(row))
		}
	}
}

// checkTexts fails the test for a row with a text that no table takes.
func checkTexts(t *testing.T, row event.Row) {
	t.Helper()
	for i := range row {
		if !utf8.Valid(row[i].Text()) {
			t.Fatalf("column %d is %q, which is not UTF-8", i, row[i].Text())
		}
	}
}

// FuzzAvro holds the decoder to these, for any schema and bytes: it comes to
// an end, an accepted row's extra is JSON in UTF-8, and a second decoder says the same.
func FuzzAvro(f *testing.F) {
	writer := avroOf(schemaOf(f, "incidents"))
	good := encode(f, writer, map[string]any{"id": "i", "type": "t", "station": "s", "location": "l", "timestamp": reference, "severity": "Major", "duration": 1.0})
	f.Add(writer, good)
	f.Add(strings.TrimSuffix(writer, "]}")+`,{"name":"more","type":["null","long"]}]}`,
		[]byte(`{"id":"i","type":"t","station":"s","location":"l","timestamp":1795332600000000,"severity":"Major","duration":1,"more":{"long":1}}`))
	more := strings.TrimSuffix(writer, "]}") + `,{"name":"more","type":%s}]}`
	for of, bytes := range map[string]string{`{"type":"array","items":["null","R"]}`: "\x00", `{"type":"map","values":"long"}`: "\x02\x02a\x04\x00",
		`{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`: "\x02\x00", `{"type":"fixed","name":"F","size":2}`: "ab",
		`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`: "\x04\x01\x02"} {
		f.Add(fmt.Sprintf(more, of), append(good[:len(good):len(good)], bytes...))
	}
	schema := schemaOf(f, "incidents")
	f.Fuzz(func(t *testing.T, writer string, value []byte) {
		parsed, err := parseWriter(writer)
		if err != nil {
			return
		}
		decoder := parsed.Avro(schema, Reading{Location: time.UTC, Epoch: event.Seconds})
		row, again := make(event.Row, len(schema.Columns)+1), make(event.Row, len(schema.Columns)+1)
		first := decoder.Decode(row, value, reference)
		second := decoder.Decode(again, value, reference)
		if (first == nil) != (second == nil) || first != nil && *first != *second {
			t.Fatalf("first %v, then %v", first, second)
		}
		if decoder.DecodeJSON(again, value, reference) == nil {
			if !again[len(again)-1].Null() && !json.Valid(again[len(again)-1].Text()) {
				t.Fatalf("from JSON extra is %s", again[len(again)-1].Text())
			}
			checkTexts(t, again)
		}
		decoder.Decode(again, value, reference)
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
