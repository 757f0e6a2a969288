package expect

import (
	_ "embed"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
)

// A Reference is a day of events with every figure of the dashboard tables,
// worked out by hand.
type Reference struct {
	Records  []Record // in order of arrival; one is delivered twice
	Location *time.Location
	Now      time.Time
	Tables   map[string][]Row // as Dashboards returns them
}

// referenceFigures are the figures, with how they come about.
//
//go:embed reference.txt
var referenceFigures string

// ReferenceDay returns the day of reference.txt. The process must know the
// time zones: import time/tzdata where the system may not have them.
func ReferenceDay() (Reference, error) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return Reference{}, err
	}
	tables, err := parseFigures(referenceFigures)
	if err != nil {
		return Reference{}, fmt.Errorf("reference.txt: %w", err)
	}
	return Reference{
		Records: referenceRecords(paris), Location: paris,
		Now: time.Date(2026, 11, 22, 14, 0, 0, 0, paris), Tables: tables,
	}, nil
}

func referenceRecords(paris *time.Location) []Record {
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, 11, day, hour, minute, 0, 0, paris).UTC()
	}
	train := func(id, station string, arrived time.Time, minutesLate int, passengers int64) event.TrainMovement {
		scheduled := arrived.Add(-time.Duration(minutesLate) * time.Minute)
		return event.TrainMovement{ID: id, Station: station, Timestamp: arrived, ScheduledTimestamp: &scheduled,
			Passengers: passengers, DockNumber: 1, WagonCount: 4, Direction: "North"}
	}
	unscheduled := train("a5", "Arsenal", at(22, 8, 15), 0, 40)
	unscheduled.ScheduledTimestamp = nil
	ticket := func(id, station string, checked time.Time, validated int64, rejected ...int64) event.TicketValidation {
		return event.TicketValidation{ID: id, TrainID: "a", Station: station, Timestamp: checked, Validations: validated, Rejected: reported(rejected)}
	}
	flow := func(id, station string, measured time.Time, waiting, check float64, entered, exited []int64) event.PassengerFlow {
		return event.PassengerFlow{ID: id, TrainID: "a", Station: station, Timestamp: measured, WaitingTime: waiting, TicketCheckTime: check,
			ReducedFlowFactor: 1, Entered: reported(entered), Exited: reported(exited)}
	}
	records := recordsOf("incidents",
		event.Incident{ID: "i1", Type: "Technique", Station: "Arsenal", Location: "Hall", Timestamp: at(21, 23, 30), Severity: "Minor", Duration: 30},
		event.Incident{ID: "i2", Type: "Technique", Station: "Arsenal", Location: "Hall", Timestamp: at(22, 0, 30), Severity: "Major", Duration: 10},
		event.Incident{ID: "i3", Type: "Suspect package", Station: "Bellevue", Location: "Dock 1", Timestamp: at(22, 8, 0), Severity: "Minor", Duration: 50})
	records = append(records, records[2])
	return slices.Concat(records,
		recordsOf("equipment_failures",
			event.EquipmentFailure{ID: "f1", Equipment: "validator", Station: "Bellevue", Location: "Gate 2", Timestamp: at(21, 12, 0), Duration: 15},
			event.EquipmentFailure{ID: "f2", Equipment: "escalator", Station: "Arsenal", Location: "Hall", Timestamp: at(22, 9, 0), Duration: 40},
			event.EquipmentFailure{ID: "f3", Equipment: "validator", Station: "Arsenal", Location: "Hall", Timestamp: at(22, 10, 0), Duration: 5}),
		recordsOf("train_arrivals",
			train("a1", "Bellevue", at(21, 18, 0), 9, 100),
			train("a2", "Bellevue", at(22, 7, 0), -5, 80),
			train("a3", "Bellevue", at(22, 7, 30), 5, 60),
			train("a4", "Arsenal", at(22, 7, 31), 6, 50),
			unscheduled),
		recordsOf("train_departures",
			train("d1", "Bellevue", at(22, 7, 10), 0, 20),
			train("d2", "Arsenal", at(22, 7, 40), 0, 30)),
		recordsOf("ticket_validations",
			ticket("t1", "Bellevue", at(21, 18, 10), 90, 10),
			ticket("t2", "Bellevue", at(22, 7, 15), 70),
			ticket("t3", "Arsenal", at(22, 7, 35), 30, 0),
			ticket("t4", "Arsenal", at(22, 8, 20), 45, 5)),
		recordsOf("passenger_flow",
			flow("p1", "Bellevue", at(22, 7, 20), 4, 1, []int64{65}, nil),
			flow("p2", "Bellevue", at(22, 7, 50), 6, 2, []int64{10}, nil),
			flow("p3", "Arsenal", at(22, 8, 30), 8, 3, nil, []int64{25}),
			flow("p4", "Central", at(22, 12, 0), 2, 1, nil, nil)))
}

// reported is the one number of a list, or nil.
func reported(number []int64) *int64 {
	if len(number) == 0 {
		return nil
	}
	return &number[0]
}

// recordsOf are a topic's events as records of one partition.
func recordsOf(topic string, events ...any) []Record {
	records := make([]Record, len(events))
	for i, body := range events {
		records[i] = Record{Topic: topic, TopicID: "id of " + topic, Offset: int64(i), Event: body}
	}
	return records
}

func parseFigures(text string) (map[string][]Row, error) {
	tables := map[string][]Row{}
	table := ""
	for number, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			table = strings.TrimSuffix(name, "]")
			continue
		}
		fields := strings.Split(line, "|")
		if len(fields) != 4 {
			return nil, fmt.Errorf("line %d: %d fields instead of 4", number+1, len(fields))
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		dimension, value, _ := strings.Cut(fields[1], "=")
		for i, period := range []string{All, Today} {
			figure := fields[2+i]
			if figure == "-" {
				continue
			}
			row := Row{Period: period, Metric: fields[0], Dimension: dimension, DimensionValue: value}
			if figure != "NULL" {
				exact, ok := new(big.Rat).SetString(figure)
				if !ok {
					return nil, fmt.Errorf("line %d: %q is no figure", number+1, figure)
				}
				nearest, _ := exact.Float64()
				row.Value = &nearest
			}
			tables[table] = append(tables[table], row)
		}
	}
	for _, rows := range tables {
		slices.SortFunc(rows, Compare)
	}
	return tables, nil
}
