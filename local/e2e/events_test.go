package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

// goodEvents returns n events of simulated days that lie in the past. Every
// second one is in the older format, without the fields that later producers
// add.
func goodEvents(t testing.TB, n int) []message {
	t.Helper()
	network := simulator.New(simulator.Config{Seed: 7, Start: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -30)})
	var messages []message
	for len(messages) < n {
		for _, e := range network.Step() {
			value := e.Value
			if len(messages)%2 == 1 {
				value = older(t, e.Topic, value)
			}
			messages = append(messages, message{topic: e.Topic, key: []byte(e.Key), value: value})
		}
	}
	return messages[:n]
}

// older removes what later producers add.
func older(t testing.TB, topic string, value []byte) []byte {
	t.Helper()
	fields := object(t, value)
	schema, _ := event.SchemaOf(topic)
	for _, column := range schema.Columns {
		if column.Nullable {
			delete(fields, column.Name)
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// object decodes a JSON object, numbers as they are written.
func object(t testing.TB, value []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(value)))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		t.Fatalf("reading %s: %v", value, err)
	}
	return fields
}

// A fault spoils a record, and names the reason that quarantine must give.
type fault struct {
	reason event.Reason
	topic  string
	value  func(n int) []byte
}

// faults has every reason at least once. The two large ones are sent only a
// few times.
func faults() (small, large []fault) {
	incident := func(change string) func(int) []byte {
		return func(n int) []byte {
			fields := `"id":"bad-%d","type":"Technique","station":"Station A","location":"Dock 1, Platform","timestamp":"2026-01-05T08:00:00Z","severity":"Minor","duration":12`
			name, _, _ := strings.Cut(change, ":")
			var kept []string
			for _, field := range strings.Split(fmt.Sprintf(strings.Replace(fields, "Dock 1, Platform", "Dock 1", 1), n), ",") {
				if !strings.HasPrefix(field, name+":") {
					kept = append(kept, field)
				}
			}
			return []byte("{" + strings.Join(append(kept, change), ",") + "}")
		}
	}
	text := func(s string) func(int) []byte { return func(int) []byte { return []byte(s) } }
	flow := `{"id":"bad","train_id":"x","station":"Station B","timestamp":"2026-01-05T08:00:00Z","waiting_time":1.5,"ticket_check_time":1,"reduced_flow_factor":%s}`
	absurd := time.Now().UTC().Add(30 * time.Hour).Format(time.RFC3339)
	small = []fault{
		{event.Tombstone, "incidents", func(int) []byte { return nil }},
		{event.Deleted, "incidents", text(`{"before":{},"after":null,"source":{},"op":"d"}`)},
		{event.Empty, "train_arrivals", text("")},
		{event.NotUTF8, "incidents", text("{\"id\":\"\xff\xfe\"}")},
		{event.NotJSON, "passenger_flow", text(`{"id":"x",`)},
		{event.NotJSON, "incidents", incident(`"more":1,"more":2`)},
		{event.NotObject, "ticket_validations", text(`["id","x"]`)},
		{event.NotObject, "ticket_validations", text(`null`)},
		{event.MissingField, "incidents", text(`{"id":"x"}`)},
		{event.MissingField, "incidents", incident(`"severity":null`)},
		{event.MissingField, "incidents", incident(`"station":""`)},
		{event.WrongType, "incidents", incident(`"duration":"12"`)},
		{event.WrongType, "incidents", incident(`"timestamp":1767600000`)},
		{event.OutOfRange, "incidents", incident(`"duration":-1`)},
		{event.OutOfRange, "passenger_flow", text(fmt.Sprintf(flow, "0"))},
		{event.OutOfRange, "passenger_flow", text(fmt.Sprintf(flow, "1.01"))},
		{event.UnknownValue, "incidents", incident(`"severity":"minor"`)},
		{event.BadTimestamp, "incidents", incident(`"timestamp":"yesterday"`)},
		{event.AbsurdTimestamp, "incidents", incident(`"timestamp":"1999-12-31T23:59:59Z"`)},
		{event.AbsurdTimestamp, "incidents", incident(`"timestamp":"` + absurd + `"`)},
	}
	padding := func(n int) string { return `"more":"` + strings.Repeat("x", n) + `"` }
	large = []fault{
		{event.TooLarge, "incidents", incident(padding(9 << 20))},
		{event.RefusedByWarehouse, "incidents", incident(padding(4 << 20))},
	}
	return small, large
}
