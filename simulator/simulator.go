// Package simulator plays a railway network of four stations and emits the
// events of its six topics.
//
// In goes a seed and the first simulated moment; out come steps of five
// simulated minutes, each a list of encoded events in time order. The model
// reads no clock and no source of randomness but the seed, so one seed and
// one start give the same bytes each time. Run paces the steps and hands them
// to a Sink; package sink has the sinks.
//
// Identifiers count from 1 in each network: a restart repeats them. Whoever
// reads the events tells records apart by where they lie in Kafka.
package simulator

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"
)

// The topics, named as event.Topics names them.
const (
	incidents         = "incidents"
	equipmentFailures = "equipment_failures"
	trainArrivals     = "train_arrivals"
	trainDepartures   = "train_departures"
	ticketValidations = "ticket_validations"
	passengerFlow     = "passenger_flow"
)

// An Event is one record for Kafka.
type Event struct {
	Topic string
	Key   string    // the event's id
	Time  time.Time // the event's timestamp, in whole seconds
	Value []byte    // a JSON object; whoever holds the Event may keep it
}

// A Config says which network is simulated. The zero Config is valid but for
// Start.
type Config struct {
	// Seed determines, with Start and Location, every byte of every event.
	Seed uint64
	// Start is the first simulated moment. It is rounded down to a step, or
	// up to the next opening where the stations are closed.
	Start time.Time
	// Location is the network's time zone: it decides the opening and peak
	// hours, and timestamps are written with its offset. nil is UTC.
	Location *time.Location
}

// A Network is the simulated state of all stations. It is not safe for
// concurrent use.
type Network struct {
	seed     uint64
	chance   chance
	stations []*station
	now      time.Time // where the next step begins
	agenda   agenda
	numbers  map[string]int // the last id given, by topic
	layouts  map[reflect.Type]layout

	events []Event // of the step being played
	buffer []byte  // holds their values
}

// A station is where trains call. Its position is its place on the line.
type station struct {
	name     string
	position int
	troubles []trouble
}

// New returns a network in which nothing has happened yet.
func New(config Config) *Network {
	location := config.Location
	if location == nil {
		location = time.UTC
	}
	n := &Network{
		seed:    config.Seed,
		chance:  chance{rand.New(rand.NewPCG(config.Seed, 0))},
		now:     firstOpenStep(config.Start.In(location)),
		numbers: map[string]int{},
		layouts: map[reflect.Type]layout{},
	}
	for position, name := range []string{"Station A", "Station B", "Station C", "Station D"} {
		n.stations = append(n.stations, &station{name: name, position: position})
	}
	return n
}

// Now returns the simulated moment at which the next step begins. It is
// always within opening hours: closed hours are not stepped through.
func (n *Network) Now() time.Time { return n.now }

// Step plays the next StepLength of simulated time and returns its events in
// time order, all of them from Now up to, not including, Now + StepLength.
func (n *Network) Step() []Event {
	end := n.now.Add(StepLength)
	n.events = make([]Event, 0, cap(n.events))
	n.buffer = make([]byte, 0, cap(n.buffer))
	for _, s := range n.stations {
		n.trouble(s)
		n.runTimetable(s)
	}
	for n.agenda.pending(end) {
		n.agenda.take()()
	}
	n.now = firstOpenStep(end)
	return slices.Clip(n.events)
}

// follow has something happen in consequence of something earlier. What would
// come after closing happens in the last second before.
func (n *Network) follow(at time.Time, happen func(at time.Time)) {
	if _, closing := hours(n.now); !at.Before(closing) {
		at = closing.Add(-time.Second)
	}
	at = at.Truncate(time.Second)
	n.agenda.add(at, func() { happen(at) })
}

// nextID returns the id of the topic's next event.
func (n *Network) nextID(topic string) string {
	n.numbers[topic]++
	return fmt.Sprintf("%s-%06d", idPrefix(topic), n.numbers[topic])
}

func idPrefix(topic string) string {
	switch topic {
	case incidents:
		return "inc"
	case equipmentFailures:
		return "eqf"
	case trainArrivals:
		return "arr"
	case trainDepartures:
		return "dep"
	case ticketValidations:
		return "val"
	default:
		return "flo"
	}
}

// emit adds an event, a pointer to one of package event's structs, to the
// step.
func (n *Network) emit(topic, id string, at time.Time, e any) {
	of := reflect.TypeOf(e).Elem()
	if _, ok := n.layouts[of]; !ok {
		n.layouts[of] = layoutOf(of)
	}
	begin := len(n.buffer)
	n.buffer = n.layouts[of].append(n.buffer, reflect.ValueOf(e).Elem())
	value := n.buffer[begin:len(n.buffer):len(n.buffer)]
	n.events = append(n.events, Event{Topic: topic, Key: id, Time: at, Value: value})
}
