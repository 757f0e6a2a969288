package event

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// typical holds a record of each topic as producers send it: all fields in
// declared order, timestamps local to the network.
var typical = map[string]string{
	"incidents":          `{"id":"incident-20261122-000117","type":"suspect package","station":"Gare du Nord","location":"Dock 2, Corridor","timestamp":"2026-11-22T07:30:00","severity":"Major","duration":42.5}`,
	"equipment_failures": `{"id":"equipment-20261122-000031","equipment":"escalator","station":"Gare du Nord","location":"Dock 2, Platform","timestamp":"2026-11-22T07:30:00","duration":125}`,
	"train_arrivals":     `{"id":"arrival-20261122-004211","station":"Gare du Nord","timestamp":"2026-11-22T07:30:00","passengers":412,"dock_number":2,"wagon_count":8,"direction":"North","train_number":"TR-1042","scheduled_timestamp":"2026-11-22T07:28:00"}`,
	"train_departures":   `{"id":"departure-20261122-004211","station":"Gare du Nord","timestamp":"2026-11-22T07:34:00","passengers":388,"dock_number":2,"wagon_count":8,"direction":"North","train_number":"TR-1042","scheduled_timestamp":"2026-11-22T07:31:00"}`,
	"ticket_validations": `{"id":"tickets-20261122-004211","train_id":"arrival-20261122-004211","station":"Gare du Nord","timestamp":"2026-11-22T07:31:10","validations":240,"rejected":3}`,
	"passenger_flow":     `{"id":"flow-20261122-004211","train_id":"arrival-20261122-004211","station":"Gare du Nord","timestamp":"2026-11-22T07:31:10","waiting_time":3.25,"ticket_check_time":0.4,"reduced_flow_factor":0.85,"entered":120,"exited":412,"zone":"Dock 2, Platform"}`,
}

// Of a topic without one above, the examples of its columns make an event.
func init() {
	for _, topic := range Topics() {
		if typical[topic] != "" {
			continue
		}
		schema, _ := SchemaOf(topic)
		var members []string
		for _, c := range schema.Columns {
			members = append(members, strconv.Quote(c.Name)+":"+example(c))
		}
		typical[topic] = "{" + strings.Join(members, ",") + "}"
	}
}

// example returns the column's example as JSON.
func example(c Column) string {
	if c.Type == String || c.Type == Timestamp {
		return strconv.Quote(c.Example)
	}
	return c.Example
}

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func BenchmarkDecode(b *testing.B) {
	paris := location(b, "Europe/Paris")
	for _, topic := range Topics() {
		b.Run(topic, func(b *testing.B) { benchmarkDecode(b, topic, typical[topic], paris) })
	}
	b.Run("pretty", func(b *testing.B) {
		benchmarkDecode(b, "incidents", `{
  "duration": 42.5,
  "id": "incident-20261122-000117",
  "location": "Dock 2, Corridor",
  "severity": "Major",
  "station": "Gare de l'Est",
  "timestamp": "2026-11-22T07:30:00.250+01:00",
  "type": "colis suspect \u00e0 quai"
}`, paris)
	})
	b.Run("extra", func(b *testing.B) {
		benchmarkDecode(b, "ticket_validations", `{"id":"tickets-20261122-004211","train_id":"arrival-20261122-004211","station":"Gare du Nord","timestamp":"2026-11-22T07:31:10","validations":240,"by_gate":{"1":100,"2":140},"agent":"K. Weber"}`, paris)
	})
}

func benchmarkDecode(b *testing.B, topic, text string, location *time.Location) {
	schema, _ := SchemaOf(topic)
	decoder := NewDecoder(schema, location)
	row := make(Row, len(schema.Columns)+1)
	reference := time.Date(2026, 11, 22, 6, 31, 0, 0, time.UTC)
	value := []byte(text)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if rejection := decoder.Decode(row, value, reference); rejection != nil {
			b.Fatal(*rejection)
		}
		decoder.Reset()
	}
}
