package simulator

import (
	"fmt"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
)

// Progress is what a run has written so far.
type Progress struct {
	Simulated time.Time      // where the next step begins
	Steps     int            // that are written whole
	Events    map[string]int // by topic; what Faults added included
	Faults    map[TopicFault]int
	Elapsed   time.Duration // since the run began, by the wall clock
}

// A TopicFault is a fault of a topic's records.
type TopicFault struct {
	Topic string
	Fault Fault
}

// Total returns the number of events of all topics.
func (p Progress) Total() int {
	total := 0
	for _, count := range p.Events {
		total += count
	}
	return total
}

// Rate returns the events a second since the run began, 0 at its beginning.
func (p Progress) Rate() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.Total()) / p.Elapsed.Seconds()
}

// String sums the progress up in one line.
func (p Progress) String() string {
	counts := make([]string, 0, len(event.Topics()))
	for _, topic := range event.Topics() {
		counts = append(counts, fmt.Sprintf("%s %d", topic, p.Events[topic]))
	}
	line := fmt.Sprintf("simulated %s, %d steps, %d events (%s)",
		p.Simulated.Format("2006-01-02 15:04"), p.Steps, p.Total(), strings.Join(counts, ", "))
	if len(p.Faults) > 0 {
		line += ", of them " + p.Tally().faults()
	}
	return line
}

// A Tally says how many records were sent and what was wrong with them. Sent is
// Valid and all of Bad; Duplicates, Late and OutOfOrder are among the valid.
type Tally struct {
	Sent       int                  `json:"sent"`
	Valid      int                  `json:"valid"`
	Bad        map[event.Reason]int `json:"bad"` // by each reason that a producer can cause
	Duplicates int                  `json:"duplicates"`
	Late       int                  `json:"late"`
	OutOfOrder int                  `json:"out_of_order"`
}

// Tallies returns the tally of each topic.
func (p Progress) Tallies() map[string]Tally {
	tallies := map[string]Tally{}
	for _, topic := range event.Topics() {
		tallies[topic] = p.tally(topic)
	}
	return tallies
}

// Tally returns the tally of all topics together.
func (p Progress) Tally() Tally { return p.tally(event.Topics()...) }

func (p Progress) tally(topics ...string) Tally {
	t := Tally{Bad: map[event.Reason]int{}}
	for _, topic := range topics {
		t.Sent += p.Events[topic]
		t.Duplicates += p.Faults[TopicFault{topic, Duplicate}]
		t.Late += p.Faults[TopicFault{topic, Late}]
		t.OutOfOrder += p.Faults[TopicFault{topic, OutOfOrder}]
		for _, reason := range Reasons() {
			t.Bad[reason] += p.Faults[TopicFault{topic, Fault(reason)}]
		}
	}
	t.Valid = t.Sent - t.bad()
	return t
}

func (t Tally) bad() int {
	bad := 0
	for _, count := range t.Bad {
		bad += count
	}
	return bad
}

// faults lists what was wrong.
func (t Tally) faults() string {
	var reasons []string
	for _, reason := range Reasons() {
		if count := t.Bad[reason]; count > 0 {
			reasons = append(reasons, fmt.Sprintf("%s %d", reason, count))
		}
	}
	return fmt.Sprintf("%d bad (%s), %d duplicates, %d late, %d out of order",
		t.bad(), strings.Join(reasons, ", "), t.Duplicates, t.Late, t.OutOfOrder)
}
