package values

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/internal/registry"
)

var reference = time.Date(2026, 11, 22, 7, 35, 0, 0, time.UTC)

const guid = "1ed0fc5c-2a7b-4c3d-8e9f-001122334455"

// Schemas of ticket_validations in each format; the Protobuf has the event as
// its first message, as a later one and within another.
const (
	avroSchema = `{"type":"record","name":"TicketValidation","fields":[
		{"name":"id","type":"string"},{"name":"train_id","type":"string"},{"name":"station","type":"string"},
		{"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"validations","type":"long"},
		{"name":"rejected","type":["null","long"],"default":null},{"name":"gate","type":"int"}]}`
	protoSchema = `syntax = "proto3"; package stations; import "google/protobuf/timestamp.proto";
		message TicketValidation { string id = 1; string train_id = 2; string station = 3; google.protobuf.Timestamp timestamp = 4;
			int64 validations = 5; optional int64 rejected = 6; int32 gate = 7; }
		message Other { bool nothing = 1; message Inner { TicketValidation x = 1; } message Ticket { string id = 1; string train_id = 2; string station = 3;
			google.protobuf.Timestamp timestamp = 4; int64 validations = 5; optional int64 rejected = 6; int32 gate = 7; } }`
	avroText = `{"id":"t-1","train_id":"train-1","station":"Station B","timestamp":1795332600000000,"validations":240,"rejected":{"long":3},"gate":5}`
	text     = `{"id":"t-1","train_id":"train-1","station":"Station B","timestamp":"2026-11-22T07:30:00Z","validations":240,"rejected":3,"gate":5}`
)

func inAvro(t testing.TB) []byte {
	t.Helper()
	b, err := avro.Marshal(avro.MustParse(avroSchema), map[string]any{"id": "t-1", "train_id": "train-1", "station": "Station B",
		"timestamp": time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC), "validations": int64(240), "rejected": int64(3), "gate": 5})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func inProtobuf() []byte {
	var b []byte
	for i, text := range []string{"t-1", "train-1", "Station B"} {
		b = protowire.AppendString(protowire.AppendTag(b, protowire.Number(i+1), protowire.BytesType), text)
	}
	at := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC).Unix()))
	b = protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), at)
	for i, n := range []uint64{240, 3, 5} {
		b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(i+5), protowire.VarintType), n)
	}
	return b
}

// server is a registry with the schemas by the path's last part.
func server(t testing.TB, answer func(w http.ResponseWriter, id string) bool) *registry.Client {
	t.Helper()
	schemas := map[string][2]string{"7": {"AVRO", avroSchema}, guid: {"AVRO", avroSchema}, "8": {"PROTOBUF", protoSchema}, "300": {"PROTOBUF", protoSchema},
		"9": {"JSON", `{"type":"object"}`}, "10": {"AVRO", `{"type":"nonsense"}`}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if answer != nil && answer(w, id) {
			return
		}
		schema, ok := schemas[id]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"schemaType": schema[0], "schema": schema[1]})
	}))
	t.Cleanup(s.Close)
	c, err := registry.New(registry.Config{URLs: []string{s.URL}, Patience: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reader(t testing.TB, c *registry.Client) *Reader {
	topic, ok := event.SchemaOf("ticket_validations")
	if !ok {
		t.Fatal("no topic")
	}
	return NewReader(topic, payload.Reading{Location: time.UTC}, c)
}

func framedBy(id uint32, parts ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, id)
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}

func header(name string, value []byte) batch.Header { return batch.Header{Key: name, Value: value} }

func show(row event.Row) string {
	var b strings.Builder
	for _, v := range row {
		fmt.Fprintf(&b, " %d:%s:%d", v.Type, v.Text(), v.Int())
	}
	return b.String()
}

var guidBytes = []byte{1, 0x1e, 0xd0, 0xfc, 0x5c, 0x2a, 0x7b, 0x4c, 0x3d, 0x8e, 0x9f, 0, 0x11, 0x22, 0x33, 0x44, 0x55}

// The same event in every format and framing is the same row, and where it is
// refused it is so for the same reason, mixed in one batch.
func TestReader_EveryFraming(t *testing.T) {
	contentID := func(id uint64) batch.Header {
		return header("apicurio.value.contentId", binary.BigEndian.AppendUint64(nil, id))
	}
	ref := func(name string) []byte {
		return protowire.AppendBytes(nil, protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name))
	}
	pb, av := inProtobuf(), inAvro(t)
	for _, c := range []struct {
		name, id string
		record   batch.Record
	}{
		{"plain JSON", "", batch.Record{Value: []byte(text)}},
		{"JSON Schema", "9", batch.Record{Value: framedBy(9, []byte(text))}},
		{"JSON Schema, the id in a header", "9", batch.Record{Value: []byte(text), Headers: []batch.Header{header("__value_schema_id", framedBy(9))}}},
		{"Avro", "7", batch.Record{Value: framedBy(7, av)}},
		{"Avro, a GUID in a header", guid, batch.Record{Value: av, Headers: []batch.Header{header("x", nil), header("__value_schema_id", guidBytes)}}},
		{"Avro, eight bytes", "7", batch.Record{Value: append([]byte{0, 0, 0, 0, 0}, framedBy(7, av)[1:]...)}},
		{"Avro, Apicurio's header", "7", batch.Record{Value: av, Headers: []batch.Header{contentID(7), header("apicurio.value.encoding", []byte("BINARY"))}}},
		{"Avro's JSON, Apicurio's", "7", batch.Record{Value: framedBy(7, []byte(avroText))}},
		{"Avro's JSON, Apicurio's header", "7", batch.Record{Value: []byte(avroText), Headers: []batch.Header{contentID(7), header("apicurio.value.encoding", []byte("JSON"))}}},
		{"Protobuf", "8", batch.Record{Value: framedBy(8, []byte{0}, pb)}},
		{"Protobuf, an id that looks like UTF-32", "300", batch.Record{Value: framedBy(300, []byte{0}, pb)}},
		{"Protobuf, a message in another", "8", batch.Record{Value: framedBy(8, []byte{4, 2, 2}, pb)}},
		{"Protobuf, indexes in the header", "8", batch.Record{Value: pb, Headers: []batch.Header{header("__value_schema_id", append(framedBy(8), 0))}}},
		{"Protobuf, Apicurio's", "8", batch.Record{Value: framedBy(8, ref("TicketValidation"), pb)}},
		{"Protobuf, Apicurio's with a package", "8", batch.Record{Value: framedBy(8, ref("stations.Other.Ticket"), pb)}},
		{"Protobuf, Apicurio's header", "8", batch.Record{Value: pb, Headers: []batch.Header{contentID(8), header("apicurio.protobuf.type", []byte("TicketValidation"))}}},
		{"Protobuf, Apicurio's header and its name in front", "8", batch.Record{Value: append(ref("TicketValidation"), pb...),
			Headers: []batch.Header{contentID(8), header("apicurio.protobuf.type", []byte("TicketValidation"))}}},
		{"Protobuf, KafkaJS's", "8", batch.Record{Value: framedBy(8, pb)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reader(t, server(t, nil))
			plain := batch.Record{Value: []byte(text)}
			if err := r.Open(t.Context(), []batch.Record{plain, c.record}); err != nil {
				t.Fatal(err)
			}
			want, got := make(event.Row, 7), make(event.Row, 7)
			if refused := r.Decode(want, 0, reference); refused != nil {
				t.Fatal(*refused)
			}
			if refused := r.Decode(got, 1, reference); refused != nil {
				t.Fatal(*refused)
			}
			if show(got) != show(want) || r.SchemaID(1) != c.id || r.SchemaID(0) != "" {
				t.Errorf("schema %s\ngot  %s\nwant %s", r.SchemaID(1), show(got), show(want))
			}
			early := reference.AddDate(0, 0, -3) // which makes the event absurd
			if refused := r.Decode(got, 1, early); refused == nil || refused.Reason != event.AbsurdTimestamp {
				t.Errorf("three days ahead it is %v", refused)
			}
		})
	}
}

func TestReader_Refusals(t *testing.T) {
	pb, av := inProtobuf(), inAvro(t)
	for _, c := range []struct {
		name     string
		record   batch.Record
		registry bool
		reason   event.Reason
		detail   string
	}{
		{"Avro without a registry", batch.Record{Value: framedBy(7, av)}, false, event.NoRegistry, "names schema 7 of a registry and is not JSON: set SCHEMA_REGISTRY_URL"},
		{"Protobuf without a registry", batch.Record{Value: framedBy(300, []byte{0}, pb)}, false, event.NoRegistry, "names schema 300"},
		{"a header without a registry", batch.Record{Value: av, Headers: []batch.Header{header("__value_schema_id", guidBytes)}}, false, event.NoRegistry, "names schema " + guid},
		{"bad JSON without a registry", batch.Record{Value: framedBy(9, []byte(`{"id":`))}, false, event.NotJSON, "the value ends"},
		{"another JSON without a registry", batch.Record{Value: framedBy(9, []byte(`["x"]`))}, false, event.NotObject, "an array"},
		{"a bad event without a registry", batch.Record{Value: framedBy(9, []byte(`{"id":"x"}`))}, false, event.MissingField, "absent"},
		{"nothing without a registry", batch.Record{Value: framedBy(9)}, false, event.NoRegistry, "names schema 9"},
		{"an id that nobody has", batch.Record{Value: framedBy(99, av)}, true, event.UnknownSchema, "does not have schema 99"},
		{"a GUID that nobody has", batch.Record{Value: av, Headers: []batch.Header{header("__value_schema_id", append([]byte{1}, make([]byte, 16)...))}}, true, event.UnknownSchema, "00000000-0000"},
		{"a schema that is none", batch.Record{Value: framedBy(10, av)}, true, event.Undecodable, "schema 10 cannot be used"},
		{"Avro that is cut off", batch.Record{Value: framedBy(7, av[:9])}, true, event.Undecodable, "do not fit the schema"},
		{"Avro's JSON with a type of another", batch.Record{Value: framedBy(7, []byte(strings.Replace(avroText, "240", `"240"`, 1)))}, true, event.Undecodable, "the field validations is of another type in its JSON"},
		{"Avro's JSON that lacks a field", batch.Record{Value: framedBy(7, []byte(strings.Replace(avroText, `"gate":5`, `"door":5`, 1)))}, true, event.Undecodable, "its JSON lacks the field gate"},
		{"Avro's JSON with a fault", batch.Record{Value: framedBy(7, []byte(strings.Replace(avroText, "240", "-1", 1)))}, true, event.OutOfRange, "validations"},
		{"Avro's JSON that is cut off", batch.Record{Value: framedBy(7, []byte(avroText[:50]))}, true, event.Undecodable, "unexpected end"},
		{"Avro as Protobuf", batch.Record{Value: framedBy(8, av)}, true, event.Undecodable, ""},
		{"Protobuf that is cut off", batch.Record{Value: framedBy(8, []byte{0}, pb[:len(pb)-1])}, true, event.Undecodable, "ends early"},
		{"no such message", batch.Record{Value: framedBy(8, []byte{2, 8}, pb)}, true, event.Undecodable, ""},
		{"the id 0", batch.Record{Value: framedBy(0)}, true, event.Undecodable, "id is 0"},
		{"Apicurio's own id", batch.Record{Value: av, Headers: []batch.Header{header("apicurio.value.globalId", make([]byte, 8))}}, true, event.Undecodable, "have the serializer write contentId"},
		{"KafkaJS's, with a fault", batch.Record{Value: framedBy(8, pb[5:])}, true, event.MissingField, "(read as KafkaJS frames Protobuf)"},
		{"JSON Schema with a fault", batch.Record{Value: framedBy(9, []byte(`{"id":""}`))}, true, event.MissingField, ""},
		{"a null value with a header", batch.Record{Headers: []batch.Header{header("__value_schema_id", guidBytes)}}, true, event.Tombstone, ""},
		{"UTF-16", batch.Record{Value: []byte("\x00{\x00}")}, true, event.NotJSON, "UTF-16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var client *registry.Client
			if c.registry {
				client = server(t, nil)
			}
			r := reader(t, client)
			if err := r.Open(t.Context(), []batch.Record{c.record}); err != nil {
				t.Fatal(err)
			}
			refused := r.Decode(make(event.Row, 7), 0, reference)
			if refused == nil || refused.Reason != c.reason || !strings.Contains(refused.Detail, c.detail) {
				t.Errorf("refused for %+v, want %s: %s", refused, c.reason, c.detail)
			}
		})
	}
}

// Rows that are forgotten leave their memory to those that follow: schemas make
// records of a few bytes large.
func TestReader_ForgetsRows(t *testing.T) {
	r := reader(t, server(t, nil))
	values := [][]byte{[]byte(strings.Replace(text, `"gate":5`, `"gate":"`+strings.Repeat("x", 10_000)+`"`, 1)), framedBy(7, inAvro(t)), framedBy(8, []byte{0}, inProtobuf())}
	var records []batch.Record
	for i := range 3000 {
		records = append(records, batch.Record{Value: values[i%3]})
	}
	if err := r.Open(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	row := make(event.Row, len(r.topic.Columns)+1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var shown [3]string
	for i := range records {
		if i%32 == 0 {
			r.Forget()
		}
		if refused := r.Decode(row, i, reference); refused != nil {
			t.Fatal(refused)
		}
		if i%100 > 2 {
			continue
		}
		if now := show(row); i < 3 {
			shown[i] = now
		} else if shown[i%3] != now {
			t.Fatalf("record %d is %s, was %s", i, now, shown[i%3])
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("%d bytes were allocated for %d records", took, len(records))
	}
}

// While the registry is away no record is judged, and afterwards all are.
func TestReader_Outage(t *testing.T) {
	away := true
	r := reader(t, server(t, func(w http.ResponseWriter, _ string) bool {
		if away {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return away
	}))
	records := []batch.Record{{Value: []byte(text)}, {Value: framedBy(7, inAvro(t))}}
	var outage *registry.Outage
	if err := r.Open(t.Context(), records); !errors.As(err, &outage) {
		t.Fatalf("opened with %v", err)
	}
	if err := r.Open(t.Context(), records[:1]); err != nil {
		t.Errorf("JSON needs no registry, but: %v", err)
	}
	away = false
	if err := r.Open(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if refused := r.Decode(make(event.Row, 7), 1, reference); refused != nil {
		t.Error(*refused)
	}
	away = true
	if err := r.Open(t.Context(), records); err != nil {
		t.Errorf("a schema that is known needs no registry, but: %v", err)
	}
}
