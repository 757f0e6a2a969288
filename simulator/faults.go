package simulator

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stationflow/stationflow/event"
)

// A Fault is what was made wrong with a record on purpose: one of the three
// below, which leave a valid record, or the event.Reason for which a record is
// refused.
type Fault string

const (
	// Duplicate is an event that was sent before, byte for byte.
	Duplicate Fault = "duplicate"
	// Late is an event whose times lie one hour to ten days before those of
	// its neighbours.
	Late Fault = "late"
	// OutOfOrder is an event that was held back until after a later one of its
	// topic.
	OutOfOrder Fault = "out_of_order"
)

// Bad reports whether a record with this fault is refused.
func (f Fault) Bad() bool { return f != "" && f != Duplicate && f != Late && f != OutOfOrder }

const (
	// fewest and most a record is late.
	leastLate = time.Hour
	mostLate  = 10 * 24 * time.Hour
	// heldBack is behind how many events a duplicate or an event that is out
	// of order comes at most.
	heldBack = 20
	// oversizeBytes is the length of a record that is too large: more than a
	// batch holds.
	oversizeBytes = 9 << 20
)

// Faults spoils events, in numbers that each Event's Fault tells. The zero
// Faults is not ready: use NewFaults. It is not safe for concurrent use.
type Faults struct {
	chance   chance
	share    float64
	tooLarge int // how many are still to come
	spoilers map[string]*spoiler
}

// NewFaults returns Faults that the seed decides. A share of the events, from
// 0 to 1, gets a fault each: a quarter of them is replaced by a bad record, all
// reasons that the topic allows alike, a quarter is sent again, a quarter is
// late and a quarter out of order. In each of the first tooLarge steps one
// event besides is made longer than a batch holds, 9 MiB.
func NewFaults(seed uint64, share float64, tooLarge int) *Faults {
	f := &Faults{
		chance:   chance{rand.New(rand.NewPCG(seed, 1))},
		share:    share,
		tooLarge: tooLarge,
		spoilers: map[string]*spoiler{},
	}
	for _, topic := range event.Topics() {
		f.spoilers[topic] = newSpoiler(topic)
	}
	return f
}

// Spoil returns the events of one step with their faults: in the same order,
// but for those that are held back, and with the duplicates inserted. The
// argument's values are left as they are.
func (f *Faults) Spoil(events []Event) []Event {
	fates := f.decide(events)
	spoiled := make([]Event, 0, len(events)+len(events)/8)
	held := map[int][]Event{} // by the index of the event that they come after
	for i, e := range events {
		switch fate := fates[i]; {
		case fate == Duplicate:
			double := e
			double.Fault = Duplicate
			after := min(i+f.chance.IntN(heldBack), len(events)-1)
			held[after] = append(held[after], double)
			spoiled = append(spoiled, e)
		case fate == OutOfOrder:
			if after := f.laterThan(events, fates, i); after > i {
				e.Fault = OutOfOrder
				held[after] = append(held[after], e)
			} else {
				spoiled = append(spoiled, e)
			}
		case fate == Late:
			spoiled = append(spoiled, f.late(e))
		case fate.Bad():
			spoiled = append(spoiled, f.bad(e, event.Reason(fate)))
		default:
			spoiled = append(spoiled, e)
		}
		spoiled = append(spoiled, held[i]...)
	}
	return spoiled
}

// decide draws a fault for each event.
func (f *Faults) decide(events []Event) []Fault {
	fates := make([]Fault, len(events))
	for i := range events {
		if f.share > 0 && f.chance.happens(f.share) {
			reason := Fault(pick(f.chance, f.spoilers[events[i].Topic].reasons...))
			fates[i] = pick(f.chance, reason, Duplicate, Late, OutOfOrder)
		}
	}
	if f.tooLarge > 0 && len(events) > 0 {
		f.tooLarge--
		fates[f.chance.IntN(len(events))] = Fault(event.TooLarge)
	}
	return fates
}

// laterThan returns the index of an event after which event i is out of order:
// a later one of the same topic that stays in its place. It is 0 when there is
// none.
func (f *Faults) laterThan(events []Event, fates []Fault, i int) int {
	after := 0
	for skip, k := f.chance.IntN(heldBack), i+1; k < len(events) && skip >= 0; k++ {
		inPlace := fates[k] == "" || fates[k] == Duplicate
		if inPlace && events[k].Topic == events[i].Topic && events[k].Time.After(events[i].Time) {
			after = k
			skip--
		}
	}
	return after
}

// late returns the event as if it had happened earlier; as it is, where that
// would be before 2000 and the record absurd.
func (f *Faults) late(e Event) Event {
	by := leastLate + f.chance.within(mostLate-leastLate).Truncate(time.Second)
	if e.Time.Add(-by-24*time.Hour).UTC().Year() < 2000 { // a day for the schedule, which lies before
		return e
	}
	value := slices.Clone(e.Value)
	for at := 0; ; {
		next := bytes.Index(value[at:], []byte(`timestamp":"`))
		if next < 0 {
			break
		}
		at += next + len(`timestamp":"`)
		end := at + bytes.IndexByte(value[at:], '"')
		was, err := time.ParseInLocation(time.RFC3339, string(value[at:end]), e.Time.Location())
		if err != nil {
			panic("simulator: an event has the timestamp " + string(value[at:end]))
		}
		moved := was.Add(-by).In(e.Time.Location()).AppendFormat(nil, time.RFC3339)
		value = slices.Replace(value, at, end, moved...)
	}
	e.Time, e.Value, e.Fault = e.Time.Add(-by), value, Late
	return e
}

// bad returns the event as a record that is refused for the reason.
func (f *Faults) bad(e Event, reason event.Reason) Event {
	e.Value, e.Fault = f.spoilers[e.Topic].spoil(e.Value, reason, f.chance), Fault(reason)
	return e
}
