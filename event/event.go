// Package event declares the kinds of station events and decides whether a
// record's bytes are one.
//
// The structs below are the only place where a field is declared. Everything
// that must know the fields is derived from their tags: the decoder, the
// Parquet and Storage Write rows, and, by go generate (cmd/generate), the
// BigQuery schemas, dbt's sources and staging models, the statements in sql/
// and the reference page.
//
// Tags: json is the field's name in an event, in Parquet and in BigQuery.
// rule lists what Decode enforces besides the Go type: nonempty, min=N (no
// less), over=N (more), max=N (no more), oneof=A|B. desc is the description,
// with the unit. example is a value for the reference page. as is the name
// that the column has from dbt's staging models on, if it is another one. A
// pointer marks a field that later producers add: optional, nullable, and
// declared after all others.
//
// The list in topics.go is the only place where a topic is declared.
package event

import "time"

//go:generate go run ../cmd/generate

// An Incident is something that disturbs a station's service.
type Incident struct {
	ID        string    `json:"id" rule:"nonempty" desc:"Identifier given by the producer; restarts repeat it." example:"incident-000117"`
	Type      string    `json:"type" as:"incident_type" desc:"What happened, for example suspect package or Technique." example:"suspect package"`
	Station   string    `json:"station" rule:"nonempty" desc:"Station where it happened." example:"Station B"`
	Location  string    `json:"location" desc:"Place within the station, for example Dock 2, Corridor." example:"Dock 2, Corridor"`
	Timestamp time.Time `json:"timestamp" desc:"When it began." example:"2026-11-22T07:30:00+01:00"`
	Severity  string    `json:"severity" rule:"oneof=Minor|Major" desc:"How bad it is: Minor or Major." example:"Major"`
	Duration  float64   `json:"duration" as:"duration_minutes" rule:"min=0" desc:"How long it lasts, in minutes." example:"42.5"`
}

// An EquipmentFailure is a piece of station equipment that is out of order.
type EquipmentFailure struct {
	ID        string    `json:"id" rule:"nonempty" desc:"Identifier given by the producer; restarts repeat it." example:"equipment-000031"`
	Equipment string    `json:"equipment" desc:"Kind of equipment, for example validator, escalator or notice board." example:"escalator"`
	Station   string    `json:"station" rule:"nonempty" desc:"Station where it stands." example:"Station B"`
	Location  string    `json:"location" desc:"Place within the station, for example Dock 2, Platform." example:"Dock 2, Platform"`
	Timestamp time.Time `json:"timestamp" desc:"When it failed." example:"2026-11-22T07:30:00+01:00"`
	Duration  float64   `json:"duration" as:"duration_minutes" rule:"min=0" desc:"How long it stays out of order, in minutes." example:"125"`
}

// A TrainMovement is a train that arrives at a station or departs from it:
// the topics train_arrivals and train_departures share its fields.
type TrainMovement struct {
	ID                 string     `json:"id" rule:"nonempty" desc:"Identifier given by the producer; restarts repeat it." example:"train-004211"`
	Station            string     `json:"station" rule:"nonempty" desc:"Station where the train stops." example:"Station B"`
	Timestamp          time.Time  `json:"timestamp" desc:"When the train arrived or departed." example:"2026-11-22T07:30:00+01:00"`
	Passengers         int64      `json:"passengers" rule:"min=0" desc:"Passengers who leave the train at an arrival, or board it at a departure." example:"412"`
	DockNumber         int64      `json:"dock_number" rule:"min=0" desc:"Dock the train stops at." example:"2"`
	WagonCount         int64      `json:"wagon_count" rule:"min=0" desc:"Number of wagons." example:"8"`
	Direction          string     `json:"direction" rule:"oneof=North|South|East|West" desc:"Where the train is heading: North, South, East or West." example:"North"`
	TrainNumber        *string    `json:"train_number" desc:"Number of the train in the timetable." example:"TR-1042"`
	ScheduledTimestamp *time.Time `json:"scheduled_timestamp" as:"scheduled_at" desc:"When the timetable has the train arrive or depart." example:"2026-11-22T07:28:00+01:00"`
}

// A TicketValidation counts the tickets checked for one arriving train.
type TicketValidation struct {
	ID          string    `json:"id" rule:"nonempty" desc:"Identifier given by the producer; restarts repeat it." example:"tickets-004211"`
	TrainID     string    `json:"train_id" as:"train_arrival_id" desc:"The id of a train arrival; the reference is not guaranteed." example:"train-004211"`
	Station     string    `json:"station" rule:"nonempty" desc:"Station of the validators." example:"Station B"`
	Timestamp   time.Time `json:"timestamp" desc:"When the tickets were checked." example:"2026-11-22T07:30:00+01:00"`
	Validations int64     `json:"validations" as:"tickets_validated" rule:"min=0" desc:"Tickets accepted." example:"240"`
	Rejected    *int64    `json:"rejected" as:"tickets_rejected" rule:"min=0" desc:"Tickets rejected." example:"3"`
}

// A PassengerFlow reports how the passengers of one arriving train moved
// through a station.
type PassengerFlow struct {
	ID                string    `json:"id" rule:"nonempty" desc:"Identifier given by the producer; restarts repeat it." example:"flow-004211"`
	TrainID           string    `json:"train_id" as:"train_arrival_id" desc:"The id of a train arrival; the reference is not guaranteed." example:"train-004211"`
	Station           string    `json:"station" rule:"nonempty" desc:"Station the passengers move through." example:"Station B"`
	Timestamp         time.Time `json:"timestamp" desc:"When the flow was measured." example:"2026-11-22T07:30:00+01:00"`
	WaitingTime       float64   `json:"waiting_time" as:"waiting_time_minutes" rule:"min=0" desc:"Mean time a passenger waits, in minutes." example:"3.25"`
	TicketCheckTime   float64   `json:"ticket_check_time" as:"ticket_check_time_minutes" rule:"min=0" desc:"Mean time a ticket check takes, in minutes." example:"0.4"`
	ReducedFlowFactor float64   `json:"reduced_flow_factor" rule:"over=0,max=1" desc:"Share of the normal flow that gets through: 1 undisturbed, less during an incident." example:"0.85"`
	Entered           *int64    `json:"entered" as:"passengers_entered" rule:"min=0" desc:"Passengers who entered the station." example:"120"`
	Exited            *int64    `json:"exited" as:"passengers_exited" rule:"min=0" desc:"Passengers who left the station." example:"412"`
	Zone              *string   `json:"zone" as:"station_zone" desc:"Part of the station where they were counted." example:"Dock 2, Platform"`
}
