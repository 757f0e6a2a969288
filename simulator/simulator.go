// Package simulator plays a railway network, of four stations or as a file
// describes it, and emits its events.
//
// In goes a seed and the first simulated moment; out come steps of five
// simulated minutes, each a list of encoded events in time order. The model
// reads no clock and no source of randomness but the seed, so one Config gives
// the same bytes each time. Faults spoils some of the events and keeps count.
// Run paces the steps and hands them to a Sink; package sink has the sinks.
//
// Identifiers count from 1 in each network: a restart repeats them. Readers of
// the events tell records apart by where they lie in Kafka.
package simulator

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// A source makes the events of one topic.
type source struct {
	topic  string // as package event names it
	prefix string // of the ids
}

// An Event is one record for Kafka.
type Event struct {
	Topic string
	Key   string    // the event's id
	Time  time.Time // the event's timestamp, in whole seconds
	Value []byte    // a JSON object, unless Fault says otherwise; the owner of the Event may keep it
	Fault Fault     // what was made wrong with it on purpose; "" for nothing
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
	// Plan is the network. The zero Plan is the one of Station A to Station D.
	Plan Plan
	// Legacy leaves out the fields that later producers add.
	Legacy bool
	// Lines is how many lines run through the stations, each with all trains
	// of the timetable and its own trouble; 0 is one. The events of a step grow
	// with it, their mix stays.
	Lines int
	// Repeat makes the network play the day from Start over and over, each
	// time with other trains, so that its time stays near Start however long
	// it runs. Identifiers count on.
	Repeat bool
}

// A Network is the simulated state of all stations. It is not safe for
// concurrent use.
type Network struct {
	seed     uint64
	chance   chance
	hours    Hours
	story    Story
	stations []*station // of all lines
	length   int        // stations on a line
	legacy   bool
	now      time.Time // where the next step begins
	first    time.Time // where the present lap began
	lap      uint64    // how often the network has begun again
	repeat   bool
	agenda   agenda
	numbers  map[string]int64 // the last id given, by topic
	layouts  map[reflect.Type]layout

	events []Event // of the step being played
	buffer []byte  // holds their values
}

// A station is where the trains of a line call. Its position is its place on
// the line. Each line has its own state of each station.
type station struct {
	Station
	line     int
	position int
	troubles []trouble
}

// New returns a network in which nothing has happened yet.
func New(config Config) *Network {
	location := config.Location
	if location == nil {
		location = time.UTC
	}
	plan := config.Plan.orDefault()
	n := &Network{
		seed:    config.Seed,
		chance:  chance{rand.New(rand.NewPCG(config.Seed, 0))},
		hours:   plan.Hours,
		story:   plan.Story,
		length:  len(plan.Stations),
		legacy:  config.Legacy,
		repeat:  config.Repeat,
		agenda:  agenda{},
		numbers: map[string]int64{},
		layouts: map[reflect.Type]layout{},
	}
	n.first = n.hours.firstOpenStep(config.Start.In(location))
	n.now = n.first
	for line := range max(config.Lines, 1) {
		for position, s := range plan.Stations {
			n.stations = append(n.stations, &station{Station: s, line: line, position: position})
		}
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
	n.agenda.play(n.now, end)
	n.now = n.hours.firstOpenStep(end)
	if n.repeat && !n.now.Before(n.dayEnd()) {
		n.Begin(n.first)
	}
	return slices.Clip(n.events)
}

// dayEnd returns where the day that is repeated ends.
func (n *Network) dayEnd() time.Time { return n.first.AddDate(0, 0, 1) }

// Begin makes the network go on at another moment, earlier or later, on a new
// lap: with other trains, and without what is under way. Identifiers count on.
// The moment is rounded as Config.Start is.
func (n *Network) Begin(at time.Time) {
	n.first = n.hours.firstOpenStep(at.In(n.now.Location()))
	n.now = n.first
	n.lap++
	clear(n.agenda)
	for _, s := range n.stations {
		s.troubles = nil
	}
}

// Lap returns how often the network has begun again, and when its present lap
// began.
func (n *Network) Lap() (lap uint64, begun time.Time) { return n.lap, n.first }

// stayOn begins the day of the moment now unless the network is in it.
func (n *Network) stayOn(now time.Time) {
	opening, closing := n.hours.on(now.In(n.now.Location()))
	if n.now.Before(opening) || !n.now.Before(closing) {
		n.Begin(opening)
	}
}

// closing returns when trains stop to run: when the stations close, or when
// the day that is repeated ends.
func (n *Network) closing() time.Time {
	_, closing := n.hours.on(n.now)
	if end := n.dayEnd(); n.repeat && end.Before(closing) {
		return end
	}
	return closing
}

// follow makes something happen in consequence of something earlier. What would
// come after closing happens in the last second before.
func (n *Network) follow(at time.Time, happen func(at time.Time)) {
	if closing := n.closing(); !at.Before(closing) {
		at = closing.Add(-time.Second)
	}
	at = at.Truncate(time.Second)
	n.agenda.add(at, func() { happen(at) })
}

// nextID returns the id of the source's next event.
func (n *Network) nextID(of source) string {
	n.numbers[of.topic]++
	id := append(make([]byte, 0, 24), of.prefix...)
	for least := int64(100_000); least > n.numbers[of.topic]; least /= 10 {
		id = append(id, '0')
	}
	return string(strconv.AppendInt(id, n.numbers[of.topic], 10))
}

// emit adds an event, a pointer to one of package event's structs, to the
// step.
func (n *Network) emit(of source, id string, at time.Time, e any) {
	kind := reflect.TypeOf(e).Elem()
	fields, ok := n.layouts[kind]
	if !ok {
		fields = layoutOf(kind, n.legacy)
		n.layouts[kind] = fields
	}
	begin := len(n.buffer)
	n.buffer = fields.encode(n.buffer, reflect.ValueOf(e).Elem())
	value := n.buffer[begin:len(n.buffer):len(n.buffer)]
	n.events = append(n.events, Event{Topic: of.topic, Key: id, Time: at, Value: value})
}
