// Package expect says what the dashboard tables must hold, worked out from
// the events themselves: one plain loop a figure, no SQL and no code of the
// pipeline. Tests compare the warehouse with it.
package expect

import (
	"cmp"
	"slices"
	"time"

	"github.com/stationflow/stationflow/event"
)

// A Record is one Kafka record that is an event of its topic. Two records with
// the same topic id, partition and offset are one record delivered twice.
type Record struct {
	Topic     string
	TopicID   string
	Partition int32
	Offset    int64
	// Event is an event.Incident, event.EquipmentFailure, event.TrainMovement,
	// event.TicketValidation or event.PassengerFlow.
	Event any
}

// A Row is one row of a dashboard table.
type Row struct {
	Period         string
	Metric         string
	Dimension      string // "" for the total
	DimensionValue string
	Value          *float64 // nil for NULL
}

// Periods, in the order in which rows are returned.
const (
	All   = "all"
	Today = "today"
)

// A network is what the figures depend on besides the events.
type network struct {
	today       string
	location    *time.Location
	punctuality time.Duration
}

// Dashboards returns the rows of the five dashboard tables, sorted, by table.
// now decides which day is today; an arrival at most punctuality after its
// schedule is on time.
func Dashboards(records []Record, now time.Time, location *time.Location, punctuality time.Duration) map[string][]Row {
	n := network{today: now.In(location).Format(time.DateOnly), location: location, punctuality: punctuality}
	tables := map[string][]Row{}
	for _, period := range []string{All, Today} {
		e := n.of(period, once(records))
		tables["passenger_flow_dashboard"] = append(tables["passenger_flow_dashboard"], n.passengers(period, e)...)
		tables["ticket_dashboard"] = append(tables["ticket_dashboard"], n.tickets(period, e)...)
		tables["train_dashboard"] = append(tables["train_dashboard"], n.trains(period, e)...)
		tables["incident_dashboard"] = append(tables["incident_dashboard"], incidents(period, e)...)
		tables["equipment_failure_dashboard"] = append(tables["equipment_failure_dashboard"], failures(period, e)...)
	}
	for _, rows := range tables {
		slices.SortFunc(rows, Compare)
	}
	return tables
}

// Compare orders rows by their key.
func Compare(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Period, b.Period), cmp.Compare(a.Metric, b.Metric),
		cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.DimensionValue, b.DimensionValue))
}

// once drops records that were delivered before.
func once(records []Record) []Record {
	type coordinate struct {
		topicID   string
		partition int32
		offset    int64
	}
	seen := map[coordinate]bool{}
	var kept []Record
	for _, record := range records {
		at := coordinate{record.TopicID, record.Partition, record.Offset}
		if !seen[at] {
			seen[at] = true
			kept = append(kept, record)
		}
	}
	return kept
}

// events are those of one period, by topic.
type events struct {
	incidents  []event.Incident
	failures   []event.EquipmentFailure
	arrivals   []event.TrainMovement
	departures []event.TrainMovement
	tickets    []event.TicketValidation
	flow       []event.PassengerFlow
}

func (n network) of(period string, records []Record) events {
	var e events
	in := func(at time.Time) bool {
		return period == All || at.In(n.location).Format(time.DateOnly) == n.today
	}
	for _, record := range records {
		switch body := record.Event.(type) {
		case event.Incident:
			if in(body.Timestamp) {
				e.incidents = append(e.incidents, body)
			}
		case event.EquipmentFailure:
			if in(body.Timestamp) {
				e.failures = append(e.failures, body)
			}
		case event.TrainMovement:
			if in(body.Timestamp) && record.Topic == "train_arrivals" {
				e.arrivals = append(e.arrivals, body)
			}
			if in(body.Timestamp) && record.Topic == "train_departures" {
				e.departures = append(e.departures, body)
			}
		case event.TicketValidation:
			if in(body.Timestamp) {
				e.tickets = append(e.tickets, body)
			}
		case event.PassengerFlow:
			if in(body.Timestamp) {
				e.flow = append(e.flow, body)
			}
		}
	}
	return e
}

// rowsOf returns the rows of one metric: the total, and each value that a
// dimension has among the items.
func rowsOf[T any](period, metric string, items []T, value func([]T) *float64, dimensions map[string]func(T) string) []Row {
	rows := []Row{{Period: period, Metric: metric, Value: value(items)}}
	for dimension, key := range dimensions {
		groups := map[string][]T{}
		for _, item := range items {
			groups[key(item)] = append(groups[key(item)], item)
		}
		for name, group := range groups {
			rows = append(rows, Row{period, metric, dimension, name, value(group)})
		}
	}
	return rows
}

func count[T any](items []T) *float64 { return number(float64(len(items))) }

func number(f float64) *float64 { return &f }

// mean is nil when there is nothing to take it of.
func mean[T any](of func(T) float64) func([]T) *float64 {
	return func(items []T) *float64 {
		if len(items) == 0 {
			return nil
		}
		sum := 0.0
		for _, item := range items {
			sum += of(item)
		}
		return number(sum / float64(len(items)))
	}
}

func incidents(period string, e events) []Row {
	rows := rowsOf(period, "incidents", e.incidents, count[event.Incident], map[string]func(event.Incident) string{
		"type":     func(i event.Incident) string { return i.Type },
		"station":  func(i event.Incident) string { return i.Station },
		"zone":     func(i event.Incident) string { return i.Station + " / " + i.Location },
		"severity": func(i event.Incident) string { return i.Severity },
	})
	return append(rows, rowsOf(period, "average_incident_duration", e.incidents,
		mean(func(i event.Incident) float64 { return i.Duration }),
		map[string]func(event.Incident) string{"type": func(i event.Incident) string { return i.Type }})...)
}

func failures(period string, e events) []Row {
	rows := rowsOf(period, "equipment_failures", e.failures, count[event.EquipmentFailure], map[string]func(event.EquipmentFailure) string{
		"equipment": func(f event.EquipmentFailure) string { return f.Equipment },
		"station":   func(f event.EquipmentFailure) string { return f.Station },
		"zone":      func(f event.EquipmentFailure) string { return f.Station + " / " + f.Location },
	})
	return append(rows, rowsOf(period, "average_failure_duration", e.failures,
		mean(func(f event.EquipmentFailure) float64 { return f.Duration }),
		map[string]func(event.EquipmentFailure) string{"equipment": func(f event.EquipmentFailure) string { return f.Equipment }})...)
}

func (n network) tickets(period string, e events) []Row {
	station := map[string]func(event.TicketValidation) string{"station": func(t event.TicketValidation) string { return t.Station }}
	stationAndHour := map[string]func(event.TicketValidation) string{
		"station": station["station"],
		"hour":    func(t event.TicketValidation) string { return t.Timestamp.In(n.location).Format("15") },
	}
	rows := rowsOf(period, "tickets_validated", e.tickets, func(items []event.TicketValidation) *float64 {
		if len(items) == 0 {
			return nil
		}
		sum := 0.0
		for _, t := range items {
			sum += float64(t.Validations)
		}
		return number(sum)
	}, stationAndHour)
	rejected := func(items []event.TicketValidation) (rejected, checked float64, known bool) {
		for _, t := range items {
			if t.Rejected != nil {
				rejected += float64(*t.Rejected)
				checked += float64(t.Validations + *t.Rejected)
				known = true
			}
		}
		return rejected, checked, known
	}
	rows = append(rows, rowsOf(period, "tickets_rejected", e.tickets, func(items []event.TicketValidation) *float64 {
		sum, _, known := rejected(items)
		if !known {
			return nil
		}
		return number(sum)
	}, station)...)
	return append(rows, rowsOf(period, "rejection_rate", e.tickets, func(items []event.TicketValidation) *float64 {
		sum, checked, _ := rejected(items)
		if checked == 0 {
			return nil
		}
		return number(sum / checked)
	}, station)...)
}

func (n network) trains(period string, e events) []Row {
	station := map[string]func(event.TrainMovement) string{"station": func(t event.TrainMovement) string { return t.Station }}
	scheduled := func(items []event.TrainMovement) (kept []event.TrainMovement) {
		for _, t := range items {
			if t.ScheduledTimestamp != nil {
				kept = append(kept, t)
			}
		}
		return kept
	}
	onTime := func(items []event.TrainMovement) float64 {
		punctual := 0.0
		for _, t := range items {
			if !t.Timestamp.After(t.ScheduledTimestamp.Add(n.punctuality)) {
				punctual++
			}
		}
		return punctual
	}
	// of applies a figure to the arrivals with a schedule; without one it is NULL.
	of := func(figure func([]event.TrainMovement) float64) func([]event.TrainMovement) *float64 {
		return func(items []event.TrainMovement) *float64 {
			if items = scheduled(items); len(items) == 0 {
				return nil
			}
			return number(figure(items))
		}
	}
	rows := rowsOf(period, "train_arrivals", e.arrivals, count[event.TrainMovement], station)
	rows = append(rows, rowsOf(period, "train_departures", e.departures, count[event.TrainMovement], station)...)
	rows = append(rows, rowsOf(period, "arrivals_on_time", e.arrivals, of(onTime), station)...)
	rows = append(rows, rowsOf(period, "arrivals_late", e.arrivals, of(func(items []event.TrainMovement) float64 {
		return float64(len(items)) - onTime(items)
	}), station)...)
	rows = append(rows, rowsOf(period, "punctuality_rate", e.arrivals, of(func(items []event.TrainMovement) float64 {
		return onTime(items) / float64(len(items))
	}), station)...)
	return append(rows, rowsOf(period, "average_delay", e.arrivals, of(func(items []event.TrainMovement) float64 {
		return *mean(func(t event.TrainMovement) float64 { return t.Timestamp.Sub(*t.ScheduledTimestamp).Minutes() })(items)
	}), station)...)
}
