package event

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Kind is a kind of events, which has a Kafka topic of its own.
type Kind struct {
	Topic       string // its name, and that of the staging table
	Description string // what one event stands for
	Event       any    // the zero value of the struct that declares the fields
	Cluster     string // the field by which the staging table is clustered

	// For dbt's staging model of the topic:
	Singular string // one event; the column id becomes <singular>_id
	Plural   string // events, as a sentence begins with them
	Moment   string // what the column timestamp becomes
}

// all is the only list of them.
var all = []Kind{
	{Topic: "incidents", Description: "Something that disturbs a station's service.", Event: Incident{}, Cluster: "station",
		Singular: "incident", Plural: "Incidents", Moment: "began_at"},
	{Topic: "equipment_failures", Description: "A piece of station equipment that is out of order.", Event: EquipmentFailure{}, Cluster: "station",
		Singular: "equipment_failure", Plural: "Equipment failures", Moment: "failed_at"},
	{Topic: "train_arrivals", Description: "A train that arrives at a station.", Event: TrainMovement{}, Cluster: "station",
		Singular: "train_arrival", Plural: "Train arrivals", Moment: "arrived_at"},
	{Topic: "train_departures", Description: "A train that departs from a station.", Event: TrainMovement{}, Cluster: "station",
		Singular: "train_departure", Plural: "Train departures", Moment: "departed_at"},
	{Topic: "ticket_validations", Description: "The tickets checked for one arriving train.", Event: TicketValidation{}, Cluster: "station",
		Singular: "ticket_validation", Plural: "Ticket validations", Moment: "validated_at"},
	{Topic: "passenger_flow", Description: "How the passengers of one arriving train moved through a station.", Event: PassengerFlow{}, Cluster: "station",
		Singular: "passenger_flow", Plural: "Passenger flow reports", Moment: "measured_at"},
}

// Topics returns the names of all topics, in the order used everywhere.
func Topics() []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Topic
	}
	return names
}

// CheckTopic returns an error that names all topics unless there is one of that
// name.
func CheckTopic(name string) error {
	if topics := Topics(); !slices.Contains(topics, name) {
		return fmt.Errorf("there is no topic %q: the topics are %s", name, strings.Join(topics, ", "))
	}
	return nil
}

// A Schema is a kind of events with their shape.
type Schema struct {
	Kind
	Columns []Column // the event's fields in declared order
}

// SchemaOf returns the schema of the topic of that name, or false if there is
// none. CanaryTopic has one, too.
func SchemaOf(topic string) (*Schema, bool) {
	kind := canary
	if topic != CanaryTopic {
		i := slices.IndexFunc(all, func(k Kind) bool { return k.Topic == topic })
		if i < 0 {
			return nil, false
		}
		kind = all[i]
	}
	return &Schema{Kind: kind, Columns: columnsOf(reflect.TypeOf(kind.Event))}, true
}
