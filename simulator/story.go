package simulator

import "time"

// A Story sets a network apart from one in which every day is like another.
// The zero Story tells nothing, and draws nothing.
type Story struct {
	// Weekend is how many of a weekday's passengers Saturdays and Sundays have.
	// They have no rush then, in trains or passengers, and are fullest in the
	// afternoon. 0 leaves them like other days.
	Weekend   float64
	Delays    []Delay
	Incidents []PlannedIncident
}

// A Delay is a direction whose trains are late more often than others.
type Delay struct {
	Direction string
	Minutes   float64   // on average, besides what every train is late
	Share     float64   // of its trains, from Until on
	Easing    float64   // how much more of them it is a day earlier, for each day
	Until     time.Time // when it is as good as it gets
}

// A PlannedIncident happens every day at the same time of day, from a moment
// on.
type PlannedIncident struct {
	Station, Type, Location, Severity string
	At                                time.Duration // of day, by the local clock
	Minutes                           float64
	Since                             time.Time
}

// mostDelayed bounds the share of trains that are late.
const mostDelayed = 0.7

// Demo returns a network with a story that has got to its middle on a day,
// given as its midnight: a main station and ever smaller ones, weekends with
// fewer passengers and no rush, trains to the West that are often late and, day by day, a little less so, and
// from that day on an incident at Station C in the morning's rush.
func Demo(day time.Time) Plan {
	return Plan{
		Stations: []Station{{"Station A", 5, 1.6}, {"Station B", 5, 1}, {"Station C", 5, 0.75}, {"Station D", 5, 0.35}},
		Hours:    defaultHours(),
		Story: Story{
			Weekend: 0.6,
			Delays:  []Delay{{Direction: "West", Minutes: 9, Share: 0.3, Easing: 0.05, Until: day}},
			Incidents: []PlannedIncident{{
				Station: "Station C", Type: "suspect package", Location: "Dock 3, Platform", Severity: "Major",
				At: 8*time.Hour + 5*time.Minute, Minutes: 85, Since: day,
			}},
		},
	}
}

// atWeekend reports whether a moment is in a weekend that differs.
func (s *Story) atWeekend(at time.Time) bool {
	day := at.Weekday()
	return s.Weekend > 0 && (day == time.Saturday || day == time.Sunday)
}

// rush reports whether a local moment lies in the rush of its day.
func (s *Story) rush(at time.Time) bool { return peak(at) && !s.atWeekend(at) }

// weekendMeans are the passengers of a train at weekends, on average, by hour of
// the day. With the trains of a day without rush they are as many as on a
// weekday, for which Weekend is 1.
var weekendMeans = [24]float64{
	8, 8, 8, 8, 8, 8, 8, 12, 19, 31, 42, 50,
	54, 58, 61, 61, 58, 54, 46, 38, 31, 23, 15, 8,
}

// crowd is how many passengers a train has then, on average, at a station whose
// traffic is 1.
func (s *Story) crowd(at time.Time) float64 {
	switch {
	case s.atWeekend(at):
		return s.Weekend * weekendMeans[at.Hour()]
	case peak(at):
		return passengersPeakMean
	}
	return passengersMean
}

// share is how many of the trains that begin their run then are late.
func (l *Delay) share(begun time.Time) float64 {
	days := max(0, l.Until.Sub(begun).Hours()/24)
	return min(l.Share+l.Easing*days, mostDelayed)
}

// delay draws by how many minutes a train is late because of its direction.
func (s *Story) delay(train chance, direction string, begun time.Time) (minutes float64) {
	for i := range s.Delays {
		if l := &s.Delays[i]; l.Direction == direction && train.happens(l.share(begun)) {
			minutes += train.exponential(l.Minutes)
		}
	}
	return minutes
}

// plannedIncidents has happen at the station what is planned for the step.
func (n *Network) plannedIncidents(s *station) {
	year, month, day := n.now.Date()
	for _, p := range n.story.Incidents {
		at := time.Date(year, month, day, 0, 0, int(p.At/time.Second), 0, n.now.Location())
		if p.Station == s.Name && s.line == 0 && !at.Before(n.now) && at.Before(n.now.Add(StepLength)) && !at.Before(p.Since) {
			n.incidentAt(s, at, p.Type, p.Location, p.Severity, p.Minutes)
		}
	}
}
