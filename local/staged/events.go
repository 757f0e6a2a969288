package staged

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/expect"
)

// A Generator makes random events that hit the contract's corners: both
// formats, missing reports, ties, one topic only at a station, early, late and
// barely punctual trains.
type Generator struct {
	Moments func(*rand.Rand) time.Time // picks when an event happens
	Offsets map[string]int64           // the next of each partition; share it with another generator to go on where one ended

	random *rand.Rand
}

// NewGenerator returns a generator: the same seed gives the same events.
func NewGenerator(seed uint64, moments func(*rand.Rand) time.Time) *Generator {
	return &Generator{Moments: moments, Offsets: map[string]int64{}, random: rand.New(rand.NewPCG(seed, 1))}
}

// Within picks moments of [from, to), to the microsecond.
func Within(from, to time.Time) func(*rand.Rand) time.Time {
	return func(r *rand.Rand) time.Time {
		return from.Add(time.Duration(r.Int64N(int64(to.Sub(from))))).Truncate(time.Microsecond)
	}
}

// Around picks moments near one of the edges.
func Around(edges ...time.Time) func(*rand.Rand) time.Time {
	offsets := []time.Duration{-time.Microsecond, 0, time.Microsecond, -time.Hour, time.Hour, -90 * time.Minute, 30 * time.Minute}
	return func(r *rand.Rand) time.Time {
		return edges[r.IntN(len(edges))].Add(offsets[r.IntN(len(offsets))])
	}
}

// Records returns the next n records.
func (g *Generator) Records(n int) []expect.Record {
	out := make([]expect.Record, n)
	for i := range out {
		out[i] = g.Record()
	}
	return out
}

// A source makes events of a topic, at one of its stations: some are in one
// topic only, and one has a name that needs quoting.
type source struct {
	topic    string
	stations []string
	event    func(g *Generator, id, station string, at time.Time, minutes float64) any
}

var sources = []source{
	{"incidents", []string{"Station A", "Station B", "L'Haÿ \"é\" <b>"},
		func(g *Generator, id, station string, at time.Time, minutes float64) any {
			return event.Incident{ID: id, Type: pick(g, []string{"Technique", "suspect package", ""}), Station: station,
				Location: g.location(), Timestamp: at, Severity: pick(g, []string{"Minor", "Major"}), Duration: minutes}
		}},
	{"equipment_failures", []string{"Station A", "Only failures"},
		func(g *Generator, id, station string, at time.Time, minutes float64) any {
			return event.EquipmentFailure{ID: id, Equipment: pick(g, []string{"validator", "escalator", "notice board"}),
				Station: station, Location: g.location(), Timestamp: at, Duration: minutes}
		}},
	{"train_arrivals", []string{"Station A", "Station B", "Station C", "Only arrivals"}, train},
	{"train_departures", []string{"Station A", "Station B", "Only departures"}, train},
	{"ticket_validations", []string{"Station A", "Station C", "Only tickets"},
		func(g *Generator, id, station string, at time.Time, _ float64) any {
			ticket := event.TicketValidation{ID: id, TrainID: id, Station: station, Timestamp: at, Validations: g.random.Int64N(3) * 20}
			if station != "Station C" {
				ticket.Rejected = g.maybe(2)
			}
			return ticket
		}},
	{"passenger_flow", []string{"Station A", "Station B", "Only flow", "Tie A", "Tie B"},
		func(g *Generator, id, station string, at time.Time, minutes float64) any {
			flow := event.PassengerFlow{ID: id, TrainID: id, Station: station, Timestamp: at,
				WaitingTime: minutes, TicketCheckTime: minutes / 7, ReducedFlowFactor: 1}
			switch station {
			case "Only flow":
			case "Tie A", "Tie B":
				nobody := int64(0)
				flow.Entered, flow.Exited = &nobody, &nobody
			default:
				flow.Entered, flow.Exited = g.maybe(40), g.maybe(40)
			}
			return flow
		}},
}

// train makes an arrival or a departure.
func train(g *Generator, id, station string, at time.Time, _ float64) any {
	train := event.TrainMovement{ID: id, Station: station, Timestamp: at, Passengers: g.random.Int64N(60), DockNumber: 1, WagonCount: 4, Direction: "North"}
	if station != "Station C" && g.random.IntN(3) > 0 { // nothing at C has a schedule
		scheduled := at.Add(-pick(g, []time.Duration{0, 5 * time.Minute, 5*time.Minute + time.Microsecond,
			5*time.Minute - time.Microsecond, 5*time.Minute + 59*time.Second, -3 * time.Minute, 40 * time.Minute}))
		train.ScheduledTimestamp = &scheduled
	}
	return train
}

// Record returns the next record.
func (g *Generator) Record() expect.Record {
	number := g.random.IntN(len(sources))
	of := &sources[number]
	record := expect.Record{Topic: of.topic, Partition: int32(g.random.IntN(6)),
		TopicID: fmt.Sprintf("0a0b0c0d-0000-0000-0000-%012d", 10*number+g.random.IntN(2))} // the topic was made twice
	key := fmt.Sprint(of.topic, record.TopicID, record.Partition)
	record.Offset = g.Offsets[key]
	g.Offsets[key]++
	id := fmt.Sprintf("id-%d", g.random.IntN(50)) // ids repeat
	station := pick(g, of.stations)
	record.Event = of.event(g, id, station, g.Moments(g.random), float64(g.random.IntN(6000))/10)
	return record
}

func (g *Generator) location() string {
	return fmt.Sprintf("Dock %d, %s", 1+g.random.IntN(2), pick(g, []string{"Corridor", "Platform"}))
}

// maybe is nil half of the time.
func (g *Generator) maybe(below int64) *int64 {
	if g.random.IntN(2) == 0 {
		return nil
	}
	n := g.random.Int64N(below)
	return &n
}

func pick[T any](g *Generator, from []T) T { return from[g.random.IntN(len(from))] }

// Extreme returns the event with every number the largest that is accepted.
func Extreme(body any) any {
	const most, longest = math.MaxInt64, math.MaxFloat64
	many := int64(most)
	switch e := body.(type) {
	case event.Incident:
		e.Duration = longest
		return e
	case event.EquipmentFailure:
		e.Duration = longest
		return e
	case event.TrainMovement:
		e.Passengers, e.DockNumber, e.WagonCount = most, most, most
		long := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		e.ScheduledTimestamp = &long
		return e
	case event.TicketValidation:
		e.Validations, e.Rejected = most, &many
		return e
	case event.PassengerFlow:
		e.WaitingTime, e.TicketCheckTime, e.Entered, e.Exited = longest, longest, &many, &many
		return e
	}
	return body
}
