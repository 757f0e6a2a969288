package simulator

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// The timetable: trains of each direction call at a station every second
// step, and every step in the rush. They run along the line from one end to
// the other, a step from station to station.
const (
	hop       = StepLength
	stopTime  = 2 * time.Minute // between the arrival and departure due
	leastStop = time.Minute     // of a train that is late
	tooLate   = 5 * time.Minute // for the dock of its direction
)

// directions returns the directions in which trains run. Even ones run from
// the first station to the last, odd ones back.
func directions() []string { return []string{"North", "South", "East", "West"} }

// A call is one train due at one station.
type call struct {
	station   *station
	direction string
	dock      int64
	number    string
	wagons    int64
	due       time.Time // in the timetable
	arrival   time.Time // in fact
}

// runTimetable puts the trains that are due at the station in this step on the
// agenda. A train that would come too late to leave again before closing does
// not come.
func (n *Network) runTimetable(s *station) {
	closing := n.closing()
	for d := range directions() {
		// The minute keeps trains of different directions apart, and a train
		// that is a little early within the step.
		due := n.now.Add(time.Duration(1+d) * time.Minute)
		distance := s.position
		if d%2 == 1 {
			distance = n.length - 1 - s.position
		}
		begun := due.Add(-time.Duration(distance) * hop)
		if !n.story.rush(due) && begun.Minute()/int(StepLength.Minutes())%2 == 1 {
			continue
		}
		c := n.call(s, d, begun, due)
		if c.arrival.Add(leastStop).Before(closing.Add(-time.Minute)) {
			n.agenda.add(c.arrival, func() { n.arrive(c) })
		}
	}
}

// call returns the call of the train that began its run in direction d at
// begun. What belongs to the train and not to the call depends on the seed and
// the run alone, so that a train is as late, and as long, at every station.
func (n *Network) call(s *station, d int, begun, due time.Time) call {
	run := n.seed ^ (n.lap<<32 | uint64(s.line))
	train := chance{rand.New(rand.NewPCG(run, uint64(begun.Unix())<<2|uint64(d)))}
	c := call{
		station:   s,
		direction: directions()[d],
		dock:      s.dock(d),
		number:    directions()[d][:1] + begun.Format("1504"),
		wagons:    4 + train.Int64N(7),
		due:       due,
	}
	if s.line > 0 {
		c.number += "-" + strconv.Itoa(s.line)
	}
	// A train is a minute late on average, and one in eight has a reason to be
	// later. Each station adds or takes up to 50 seconds.
	late := train.exponential(1)
	if train.happens(0.12) {
		late += 2 + train.exponential(8)
	}
	late += n.story.delay(train, c.direction, begun)
	here := n.chance.within(100*time.Second) - 50*time.Second
	c.arrival = due.Add(ofMinutes(late) + here).Truncate(time.Second)
	if c.arrival.Sub(due) > tooLate {
		c.dock = s.Docks
	}
	return c
}

// dock returns the dock of a direction. The last one is kept for trains that
// come too late for theirs; directions share the others where those are few.
func (s *station) dock(d int) int64 {
	if s.Docks == 1 {
		return 1
	}
	return 1 + int64(d)%(s.Docks-1)
}
