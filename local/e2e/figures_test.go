package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/simulator"
)

// Every metric of the five dashboard tables agrees with figures that are
// computed from the same events by other code, after the first transform and
// after one with late events.
func TestFigures(t *testing.T) {
	t.Parallel()
	system := up(t, nil)
	system.checkFigures(producer(t, system.Kafka))
	system.stop()
}

// checkFigures sends events, some of them late, and compares staging and the
// dashboard tables with them.
func (l *local) checkFigures(client *kgo.Client) {
	t := l.t
	t.Helper()
	sent := recentEvents(t)
	late := sent[:len(sent)/10] // the oldest come last
	first := sent[len(sent)/10:]

	send(t, client, first)
	l.awaitRecords(len(first))
	l.transform()
	l.checkDashboards(first)

	send(t, client, late)
	l.awaitRecords(len(sent))
	l.checkStaging(sent, nil)
	l.transform()
	l.checkDashboards(sent)
}

// recentEvents are those of yesterday and today, in both formats.
func recentEvents(t testing.TB) []message {
	t.Helper()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	network := simulator.New(simulator.Config{Seed: 11, Start: today.AddDate(0, 0, -1)})
	var messages []message
	for network.Now().Before(today.Add(20 * time.Hour)) {
		for _, e := range network.Step() {
			value := e.Value
			if len(messages)%3 == 0 {
				value = older(t, e.Topic, value)
			}
			messages = append(messages, message{topic: e.Topic, key: []byte(e.Key), value: value})
		}
	}
	return messages
}

// checkDashboards compares the five tables with the independent figures.
func (l *local) checkDashboards(sent []message) {
	l.t.Helper()
	records := make([]expect.Record, 0, len(sent))
	for _, m := range sent {
		records = append(records, expect.Record{Topic: m.topic, TopicID: m.topic, Partition: m.partition, Offset: m.offset, Event: decode(l.t, m)})
	}
	rows := 0
	for table, want := range expect.Dashboards(records, time.Now(), time.UTC, 5*time.Minute) {
		got := l.dashboard(table)
		for _, difference := range expect.Diff(want, got) {
			l.t.Errorf("%s: %s", table, difference)
		}
		rows += len(got)
	}
	l.t.Logf("%d rows of five tables compared, from %d events", rows, len(sent))
	if rows == 0 {
		l.t.Error("the dashboard tables are empty")
	}
}

// decode reads an event with the standard library, not with our decoder.
func decode(t testing.TB, m message) any {
	t.Helper()
	read := func(into any) any {
		if err := json.Unmarshal(m.value, into); err != nil {
			t.Fatalf("reading %s: %v", m.value, err)
		}
		return into
	}
	switch m.topic {
	case "incidents":
		return *read(&event.Incident{}).(*event.Incident)
	case "equipment_failures":
		return *read(&event.EquipmentFailure{}).(*event.EquipmentFailure)
	case "train_arrivals", "train_departures":
		return *read(&event.TrainMovement{}).(*event.TrainMovement)
	case "ticket_validations":
		return *read(&event.TicketValidation{}).(*event.TicketValidation)
	default:
		return *read(&event.PassengerFlow{}).(*event.PassengerFlow)
	}
}

// dashboard reads one dashboard table in expect's order.
func (l *local) dashboard(table string) []expect.Row {
	l.t.Helper()
	text := func(v bigquery.Value) string {
		s, _ := v.(string)
		return s
	}
	var rows []expect.Row
	for _, row := range l.query(fmt.Sprintf("select period, metric_name, dimension, dimension_value, metric_value from %s.%s", l.ProdDataset, table)) {
		one := expect.Row{Period: text(row[0]), Metric: text(row[1]), Dimension: text(row[2]), DimensionValue: text(row[3])}
		if value, ok := row[4].(float64); ok {
			one.Value = &value
		}
		rows = append(rows, one)
	}
	slices.SortFunc(rows, expect.Compare)
	return rows
}
