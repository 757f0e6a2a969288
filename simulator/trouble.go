package simulator

import (
	"slices"
	"strconv"
	"time"

	"github.com/stationflow/stationflow/event"
)

// How often a station has trouble in a step, and how long it lasts on average.
const (
	incidentProbability = 0.005
	incidentMinutes     = 60
	failureProbability  = 0.01
	failureMinutes      = 30
	majorShare          = 0.3
)

var (
	incidents         = source{"incidents", "inc-"}
	equipmentFailures = source{"equipment_failures", "eqf-"}
)

// A trouble is the time an incident lasts, from begin up to, not including,
// end.
type trouble struct{ begin, end time.Time }

// trouble decides what goes wrong at the station in this step.
func (n *Network) trouble(s *station) {
	s.troubles = slices.DeleteFunc(s.troubles, func(t trouble) bool { return !t.end.After(n.now) })
	n.plannedIncidents(s)
	if n.chance.happens(incidentProbability) {
		n.incident(s)
	}
	if n.chance.happens(failureProbability) {
		n.failure(s)
	}
}

// troubled reports whether an incident lasts at that moment. It knows the
// incidents up to the end of the current step.
func (s *station) troubled(at time.Time) bool {
	return slices.ContainsFunc(s.troubles, func(t trouble) bool {
		return !at.Before(t.begin) && at.Before(t.end)
	})
}

func (n *Network) incident(s *station) {
	at := n.now.Add(n.chance.within(StepLength)).Truncate(time.Second)
	what, where := pick(n.chance, "suspect package", "Technique"), n.location(s)
	minutes, severity := tenths(n.chance.exponential(incidentMinutes)), "Minor"
	if n.chance.happens(majorShare) {
		severity = "Major"
	}
	n.incidentAt(s, at, what, where, severity, minutes)
}

// incidentAt has an incident begin at a moment of this step.
func (n *Network) incidentAt(s *station, at time.Time, what, location, severity string, minutes float64) {
	e := event.Incident{Type: what, Station: s.Name, Location: location, Timestamp: at, Severity: severity, Duration: minutes}
	s.troubles = append(s.troubles, trouble{begin: at, end: at.Add(ofMinutes(minutes))})
	n.agenda.add(at, func() {
		e.ID = n.nextID(incidents)
		n.emit(incidents, e.ID, at, &e)
	})
}

func (n *Network) failure(s *station) {
	at := n.now.Add(n.chance.within(StepLength)).Truncate(time.Second)
	e := event.EquipmentFailure{
		Equipment: pick(n.chance, "validator", "escalator", "notice board"),
		Station:   s.Name,
		Location:  n.location(s),
		Timestamp: at,
		Duration:  tenths(n.chance.exponential(failureMinutes)),
	}
	n.agenda.add(at, func() {
		e.ID = n.nextID(equipmentFailures)
		n.emit(equipmentFailures, e.ID, at, &e)
	})
}

// location draws a place within the station.
func (n *Network) location(s *station) string { return n.place(1 + n.chance.Int64N(s.Docks)) }

// place draws one of the places at a dock.
func (n *Network) place(dock int64) string {
	return "Dock " + strconv.FormatInt(dock, 10) + pick(n.chance, ", Corridor", ", Platform")
}
