package values

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/event/schemas"
	"github.com/stationflow/stationflow/internal/registry"
)

// The schemas' ids in the benchmark.
const (
	idAvro = 1 + iota
	idProtobuf
	idLater // Protobuf whose second message is the event
	idJSON
)

// A typical event of a topic, and what schemas say of it.
type typical struct {
	topic  *event.Schema
	row    event.Row
	text   []byte
	protos string // the schema in Protobuf
}

func typicalOf(b *testing.B, topic string) typical {
	b.Helper()
	t := typical{}
	t.topic, _ = event.SchemaOf(topic)
	var members []string
	for _, c := range t.topic.Columns {
		example := c.Example
		if c.Type == event.String || c.Type == event.Timestamp {
			example = strconv.Quote(example)
		}
		members = append(members, strconv.Quote(c.Name)+":"+example)
	}
	t.text = []byte("{" + strings.Join(members, ",") + "}")
	t.row = make(event.Row, len(t.topic.Columns)+1)
	if refused := event.NewDecoder(t.topic, time.UTC).Decode(t.row, t.text, reference); refused != nil {
		b.Fatal(*refused)
	}
	t.protos = t.schema(b, payload.ProtobufFormat)
	return t
}

func (t *typical) schema(b *testing.B, format payload.Format) string {
	b.Helper()
	text, err := schemas.Of(t.topic.Topic, format)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// avro returns the event in Avro's binary encoding.
func (t *typical) avro(b *testing.B) []byte {
	b.Helper()
	fields := map[string]any{}
	for i, c := range t.topic.Columns {
		v := &t.row[i]
		switch c.Type {
		case event.String:
			fields[c.Name] = string(v.Text())
		case event.Float64:
			fields[c.Name] = v.Float()
		case event.Timestamp:
			fields[c.Name] = v.Time()
		default:
			fields[c.Name] = v.Int()
		}
	}
	value, err := avro.Marshal(avro.MustParse(t.schema(b, payload.AvroFormat)), fields)
	if err != nil {
		b.Fatal(err)
	}
	return value
}

// protobuf returns the event as a message, and the message's name.
func (t *typical) protobuf(b *testing.B) (value []byte, name string) {
	b.Helper()
	parsed, err := payload.Parse(payload.Source{Format: payload.ProtobufFormat, Text: t.protos})
	if err != nil {
		b.Fatal(err)
	}
	of, err := parsed.MessageAt(nil)
	if err != nil {
		b.Fatal(err)
	}
	message := dynamicpb.NewMessage(of)
	for i, c := range t.topic.Columns {
		field, v := of.Fields().ByName(protoreflect.Name(c.Name)), &t.row[i]
		switch c.Type {
		case event.String:
			message.Set(field, protoreflect.ValueOfString(string(v.Text())))
		case event.Float64:
			message.Set(field, protoreflect.ValueOfFloat64(v.Float()))
		case event.Timestamp:
			moment := message.Mutable(field).Message()
			moment.Set(moment.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(v.Time().Unix()))
		default:
			message.Set(field, protoreflect.ValueOfInt64(v.Int()))
		}
	}
	if value, err = (proto.MarshalOptions{Deterministic: true}).Marshal(message); err != nil {
		b.Fatal(err)
	}
	return value, string(of.Name())
}

// client returns one of a registry that has the topic's schemas.
func (t *typical) client(b *testing.B) *registry.Client {
	b.Helper()
	texts := map[string][2]string{
		fmt.Sprint(idAvro):     {"AVRO", t.schema(b, payload.AvroFormat)},
		fmt.Sprint(idProtobuf): {"PROTOBUF", t.protos},
		fmt.Sprint(idLater):    {"PROTOBUF", strings.Replace(t.protos, "\nmessage ", "\nmessage Unused {}\nmessage ", 1)},
		fmt.Sprint(idJSON):     {"JSON", t.schema(b, payload.JSONFormat)},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		schema := texts[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
		json.NewEncoder(w).Encode(map[string]string{"schemaType": schema[0], "schema": schema[1]})
	}))
	b.Cleanup(s.Close)
	c, err := registry.New(registry.Config{URLs: []string{s.URL}})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkFormats is what an event takes in each format and framing, from the
// record of a batch to the row, as a multiple of what it takes in JSON: all are
// measured in turn in one run, and the median of the rounds counts.
func BenchmarkFormats(b *testing.B) {
	for _, topic := range event.Topics() {
		b.Run(topic, func(b *testing.B) {
			t := typicalOf(b, topic)
			message, name := t.protobuf(b)
			ref := protowire.AppendBytes(nil, protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name))
			values := map[string][]byte{
				"json":            t.text,
				"jsonschema":      framedBy(idJSON, t.text),
				"avro":            framedBy(idAvro, t.avro(b)),
				"protobuf":        framedBy(idProtobuf, []byte{0}, message),
				"protobuf-second": framedBy(idLater, []byte{2, 2}, message),
				"apicurio":        framedBy(idProtobuf, ref, message),
				"kafkajs":         framedBy(idProtobuf, message),
			}
			measureRatios(b, NewReader(t.topic, payload.Reading{Location: time.UTC}, t.client(b)), values)
		})
	}
}

// measureRatios reports the time of each value as a multiple of JSON's.
func measureRatios(b *testing.B, r *Reader, values map[string][]byte) {
	row := make(event.Row, len(r.topic.Columns)+1)
	rounds := map[string][]float64{}
	for b.Loop() {
		for name, value := range values {
			records := make([]batch.Record, 1000)
			for i := range records {
				records[i].Value = value
			}
			start := time.Now()
			if err := r.Open(b.Context(), records); err != nil {
				b.Fatal(err)
			}
			for i := range records {
				if refused := r.Decode(row, i, reference); refused != nil {
					b.Fatalf("%s: %+v", name, *refused)
				}
			}
			rounds[name] = append(rounds[name], float64(time.Since(start).Nanoseconds())/float64(len(records)))
		}
	}
	median := func(name string) float64 {
		slices.Sort(rounds[name])
		return rounds[name][len(rounds[name])/2]
	}
	b.ReportMetric(0, "ns/op") // of no use: a round is of all formats
	b.ReportMetric(median("json"), "json-ns")
	for name := range values {
		if name != "json" {
			b.ReportMetric(median(name)/median("json"), name+"/json")
		}
	}
}
