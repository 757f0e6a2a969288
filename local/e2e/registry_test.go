package e2e

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/registry"
	localregistry "github.com/stationflow/stationflow/local/registry"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// A switchboard is a schema registry with a password, which may be away or take
// another password.
type switchboard struct {
	url    string
	client registry.Config
	away   atomic.Bool
	closed atomic.Bool
	asked  atomic.Int64 // requests while it was away or closed
}

// startSwitchboard puts one in front of a registry.
func startSwitchboard(t *testing.T, answer http.Handler) *switchboard {
	t.Helper()
	s := &switchboard{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case s.away.Load():
			s.asked.Add(1)
			panic(http.ErrAbortHandler) // as a server that dies
		case s.closed.Load() || user != "u" || password != "p":
			s.asked.Add(1)
			http.Error(w, `{"error_code":401,"message":"Unauthorized"}`, http.StatusUnauthorized)
		default:
			answer.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.client = registry.Config{URLs: []string{s.url}, Username: "u", Password: "p"}
	return s
}

// up starts the local system with this registry.
func (s *switchboard) up(t *testing.T) *local {
	return up(t, []string{"SCHEMA_REGISTRY_USERNAME=u", "SCHEMA_REGISTRY_PASSWORD=p"}, "--schema-registry", s.url)
}

// A framing is a way in which the value of an event is written.
type framing func(m *message)

// taken keeps what it is given.
type taken struct{ events []simulator.Event }

func (k *taken) Write(events []simulator.Event) error { k.events = events; return nil }

// as returns the event's value in the format, behind 00 and an id.
func (s *switchboard) as(t *testing.T, format sink.Format) func(m *message) []byte {
	t.Helper()
	to := &taken{}
	writer, err := sink.Serialize(t.Context(), to, format, s.client)
	if err != nil {
		t.Fatal(err)
	}
	return func(m *message) []byte {
		if err := writer.Write([]simulator.Event{{Topic: m.topic, Time: time.Now(), Value: m.value}}); err != nil {
			t.Fatal(err)
		}
		return to.events[0].Value
	}
}

// guid returns the header that names the schema which a framed value names.
func (s *switchboard) guid(t *testing.T, framed []byte) []byte {
	t.Helper()
	api, err := registry.NewAPI(s.client)
	if err != nil {
		t.Fatal(err)
	}
	id := int(binary.BigEndian.Uint32(framed[1:]))
	uses, err := api.SchemaVersionsByID(t.Context(), id)
	if err != nil || len(uses) == 0 {
		t.Fatal(uses, err)
	}
	schema, err := api.SchemaByVersion(t.Context(), uses[0].Subject, uses[0].Version)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(schema.GUID, "-", ""))
	if err != nil || len(raw) != 16 {
		t.Fatal(schema.GUID, err)
	}
	return append([]byte{1}, raw...)
}

// framings returns those that need a schema of Protobuf, and the others.
func (s *switchboard) framings(t *testing.T, of message) (protobuf, others []framing) {
	t.Helper()
	inAvro, inJSON, inProtobuf := s.as(t, sink.Avro), s.as(t, sink.JSONSchema), s.as(t, sink.Protobuf)
	avroGUID, jsonGUID, protobufGUID := s.guid(t, inAvro(&of)), s.guid(t, inJSON(&of)), s.guid(t, inProtobuf(&of))
	header := func(name string, value []byte) kgo.RecordHeader { return kgo.RecordHeader{Key: name, Value: value} }
	named := protowire.AppendBytes(nil, protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "TrainArrival"))
	long := func(framed []byte) []byte { return append([]byte{0, 0, 0, 0}, framed[1:5]...) }
	others = []framing{
		func(*message) {},
		func(m *message) { m.wire = inJSON(m) },
		func(m *message) { m.headers = append(m.headers, header("__value_schema_id", jsonGUID)) },
		func(m *message) { m.wire = inAvro(m) },
		func(m *message) {
			m.wire, m.headers = inAvro(m)[5:], append(m.headers, header("x", nil), header("__value_schema_id", avroGUID))
		},
		func(m *message) {
			framed := inAvro(m)
			m.wire = append(append([]byte{0}, long(framed)...), framed[5:]...)
		},
		func(m *message) {
			framed := inAvro(m)
			m.wire, m.headers = framed[5:], append(m.headers, header("apicurio.value.contentId", long(framed)), header("apicurio.value.encoding", []byte("BINARY")))
		},
	}
	return []framing{
		func(m *message) { m.wire = inProtobuf(m) },
		func(m *message) {
			m.wire, m.headers = inProtobuf(m)[6:], append(m.headers, header("__value_schema_id", append(protobufGUID, 0)))
		},
		func(m *message) { framed := inProtobuf(m); m.wire = append(framed[:5:5], framed[6:]...) }, // KafkaJS
		func(m *message) {
			framed := inProtobuf(m)
			m.wire = append(append(framed[:5:5], named...), framed[6:]...)
		},
		func(m *message) {
			framed := inProtobuf(m)
			m.wire, m.headers = framed[6:], append(m.headers, header("apicurio.value.contentId", long(framed)), header("apicurio.protobuf.type", []byte("TrainArrival")))
		},
	}, others
}

// A badness spoils a message that is framed, and names the reason and the schema
// that quarantine must give.
type badness struct {
	reason event.Reason
	spoil  func(m *message)
}

func (s *switchboard) badnesses(t *testing.T) []badness {
	t.Helper()
	inAvro, inProtobuf, inJSON := s.as(t, sink.Avro), s.as(t, sink.Protobuf), s.as(t, sink.JSONSchema)
	return []badness{
		{event.UnknownSchema, func(m *message) { m.wire = append([]byte{0, 0, 0x0f, 0x42, 0x3f}, inAvro(m)[5:]...) }},
		{event.UnknownSchema, func(m *message) {
			m.headers = append(m.headers, kgo.RecordHeader{Key: "__value_schema_id", Value: append([]byte{1}, make([]byte, 16)...)})
		}},
		{event.Undecodable, func(m *message) { framed := inAvro(m); m.wire = framed[:len(framed)-3] }},
		{event.Undecodable, func(m *message) { framed := inProtobuf(m); m.wire = framed[:len(framed)-1] }},
		{event.Undecodable, func(m *message) { framed := inProtobuf(m); m.wire = append(append(framed[:5:5], 2, 14), framed[6:]...) }},
		{event.MissingField, func(m *message) {
			framed := inAvro(m)
			m.wire = append(append(framed[:5:5], 0), framed[6+framed[5]/2:]...)
		}},
		{event.MissingField, func(m *message) { framed := inProtobuf(m); m.wire = append(framed[:6:6], framed[8+framed[7]:]...) }},
		{event.WrongType, func(m *message) {
			m.wire = []byte(strings.Replace(string(inJSON(m)), `"passengers":`, `"passengers":true,"was":`, 1))
		}},
		{event.NotJSON, func(m *message) { m.wire = append(inJSON(m), '}') }},
		{event.NotJSON, func(m *message) { m.wire = append(m.value[:len(m.value):len(m.value)], '}') }},
		{event.Tombstone, func(m *message) { m.value = nil }},
	}
}

// One topic holds records in every format and framing, and faults of each kind,
// while the registry goes away and comes back with another password and the right
// one again: every good record is in staging once with its values, every bad one
// in quarantine with its reason and its schema, nothing is a dead letter, and the
// figures are those of the same events in JSON.
func TestFaults_RegistryWithEveryFraming(t *testing.T) {
	t.Parallel()
	schemas, err := localregistry.Open("")
	if err != nil {
		t.Fatal(err)
	}
	s := startSwitchboard(t, schemas.Handler())
	system := s.up(t)
	events := arrivals(t, 10_000)
	protobuf, others := s.framings(t, events[0])
	random := rand.New(rand.NewPCG(13, 1))
	reasons := s.spoil(t, events)
	for i := range events {
		ways := others
		if !early(events, i) {
			ways = append(others[:len(others):len(others)], protobuf...)
		}
		if reasons[i] == "" {
			ways[random.IntN(len(ways))](&events[i])
		}
	}
	s.holdThroughOutages(t, system, events, reasons)
}

// early reports whether an event is sent before the registry is away. Those that
// come then are not in Protobuf, so that later ones name other schemas.
func early(events []message, i int) bool { return i < len(events)/3 }

// spoil makes one event in a hundred bad in each way, of those that are not early.
func (s *switchboard) spoil(t *testing.T, events []message) map[int]event.Reason {
	t.Helper()
	bad, reasons := s.badnesses(t), map[int]event.Reason{}
	for i := range events {
		if at := i % 100; at < len(bad) && !early(events, i) {
			bad[at].spoil(&events[i])
			reasons[i] = bad[at].reason
		}
	}
	return reasons
}

// holdThroughOutages sends the events, the first third of them before the
// registry goes away, and holds what becomes of them.
func (s *switchboard) holdThroughOutages(t *testing.T, system *local, events []message, reasons map[int]event.Reason) {
	t.Helper()
	client, third := producer(t, system.Kafka), len(events)/3
	send(t, client, events[:third])
	system.awaitRecords(third)

	s.away.Store(true)
	send(t, client, events[third:2*third])
	s.await(t, "asked while it is away")
	s.closed.Store(true)
	s.away.Store(false)
	s.await(t, "asked while it takes another password")
	send(t, client, events[2*third:])
	s.closed.Store(false)

	system.awaitRecords(len(events))
	system.checkStaging(events, reasons)
	system.checkQuarantine(events, reasons)
	system.checkSchemas(events, reasons)
	system.checkLedger(len(events))
	var good []message
	for i, m := range events {
		if reasons[i] == "" {
			good = append(good, m)
		}
	}
	system.transform()
	system.checkDashboards(good)
	if dead := system.deadLetters(); dead != 0 {
		t.Errorf("%d batches are dead letters", dead)
	}
	system.stop()
}

// deadLetters is how many batches were given up, as the page says it.
func (l *local) deadLetters() int {
	l.t.Helper()
	body, err := get(l.Dashboard + "/api/pipeline")
	var state struct {
		DeadLetters int `json:"dead_letters"`
	}
	if err == nil {
		err = json.Unmarshal(body, &state)
	}
	if err != nil {
		l.t.Fatalf("reading the pipeline's state: %v", err)
	}
	return state.DeadLetters
}

// await waits until the registry was asked some times more.
func (s *switchboard) await(t *testing.T, what string) {
	t.Helper()
	before := s.asked.Load()
	eventually(t, "the registry is "+what, func() error {
		if s.asked.Load() < before+3 {
			return fmt.Errorf("asked %d times", s.asked.Load()-before)
		}
		return nil
	})
}

// arrivals returns n train arrivals of days that lie in the past. Some keys name
// a schema that nobody has, in front or in a header: keys are kept as they came.
func arrivals(t *testing.T, n int) []message {
	t.Helper()
	var all []message
	network := simulator.New(simulator.Config{Seed: 21, Start: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -20)})
	for len(all) < n {
		for _, e := range network.Step() {
			if e.Topic == "train_arrivals" {
				m := message{topic: e.Topic, key: []byte(e.Key), value: e.Value}
				switch len(all) % 7 {
				case 0:
					m.key = append([]byte{0, 0, 0x0f, 0x42, 0x3f}, m.key...)
				case 1:
					m.headers = []kgo.RecordHeader{{Key: "__key_schema_id", Value: []byte{0, 0, 0x0f, 0x42, 0x3f}}}
				}
				all = append(all, m)
			}
		}
	}
	return all[:n]
}

// checkSchemas checks that each row names the schema and has the key of its
// record.
func (l *local) checkSchemas(sent []message, reasons map[int]event.Reason) {
	l.t.Helper()
	at := map[coordinate]*message{}
	for i := range sent {
		at[sent[i].coordinate()] = &sent[i]
	}
	for table, key := range map[string]string{"train_arrivals": "kafka_key", "quarantine": "key"} {
		for _, row := range l.query("select kafka_topic, kafka_partition, kafka_offset, schema_id, " + key + " from " + l.StagingDataset + "." + table) {
			m := at[coordinate{row[0].(string), row[1].(int64), row[2].(int64)}]
			got, _ := row[3].(string)
			if want := m.schemaID(); got != want {
				l.t.Errorf("%s at %d: schema %q, want %q", table, m.offset, got, want)
			}
			if k, _ := row[4].([]byte); string(k) != string(m.key) {
				l.t.Errorf("%s at %d: key %q, want %q", table, m.offset, k, m.key)
			}
		}
	}
}

// schemaID is how the record names its schema.
func (m *message) schemaID() string {
	for _, h := range m.headers {
		switch {
		case h.Key == "__value_schema_id":
			b := h.Value[1:17]
			return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		case h.Key == "apicurio.value.contentId":
			return fmt.Sprint(binary.BigEndian.Uint64(h.Value))
		}
	}
	switch {
	case len(m.wire) < 5 || m.wire[0] != 0:
		return ""
	case binary.BigEndian.Uint32(m.wire[1:]) == 0:
		return fmt.Sprint(binary.BigEndian.Uint64(m.wire[1:]))
	}
	return fmt.Sprint(binary.BigEndian.Uint32(m.wire[1:]))
}
