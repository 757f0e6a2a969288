package simulatortest

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/internal/registry"
	"github.com/stationflow/stationflow/internal/values"
	localregistry "github.com/stationflow/stationflow/local/registry"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// A kept sink keeps what it is given.
type kept struct{ events []simulator.Event }

func (k *kept) Write(events []simulator.Event) error {
	k.events = append(k.events, events...)
	return nil
}

// What the pipeline reads of an event is the same in every format, and what was
// spoiled is refused for the same reason.
func TestSerialize(t *testing.T) {
	schemas, err := localregistry.Open("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(schemas.Handler())
	defer server.Close()
	config := registry.Config{URLs: []string{server.URL}}
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	network, faults := simulator.New(simulator.Config{Seed: 7, Start: start}), simulator.NewFaults(7, 0.1, 0)
	var events []simulator.Event
	for range 30 {
		events = append(events, faults.Spoil(network.Step())...)
	}
	for _, format := range []sink.Format{sink.Avro, sink.Protobuf, sink.JSONSchema, sink.Mixed} {
		to := &kept{}
		s, err := sink.Serialize(t.Context(), to, format, config)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(events); err != nil {
			t.Fatal(err)
		}
		named := 0
		for _, topic := range event.Topics() {
			want, _ := read(t, config, topic, events)
			got, ids := read(t, config, topic, to.events)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as %s: %s", topic, format, diff)
			}
			named += ids
		}
		if share := float64(named) / float64(len(events)); share < 0.7 || share > 1 {
			t.Errorf("%s: of %d events %d name a schema", format, len(events), named)
		}
	}
}

// read returns the rows and reasons of the topic's events as ingest has them, and
// how many named a schema.
func read(t *testing.T, config registry.Config, topic string, events []simulator.Event) (verdicts []string, named int) {
	t.Helper()
	client, err := registry.New(config)
	if err != nil {
		t.Fatal(err)
	}
	schema, _ := event.SchemaOf(topic)
	reader := values.NewReader(schema, payload.Reading{Location: time.UTC}, client)
	var records []batch.Record
	for _, e := range events {
		if e.Topic == topic {
			records = append(records, batch.Record{Value: e.Value})
		}
	}
	if err := reader.Open(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	row := make(event.Row, len(schema.Columns)+1)
	for i := range records {
		verdict := ""
		if refused := reader.Decode(row, i, time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)); refused != nil {
			verdict = string(refused.Reason)
		} else {
			for _, v := range row {
				verdict += " " + string(v.Text()) + " " + strconv.FormatInt(v.Int(), 10)
			}
		}
		verdicts = append(verdicts, verdict)
		if reader.SchemaID(i) != "" {
			named++
		}
	}
	return verdicts, named
}
