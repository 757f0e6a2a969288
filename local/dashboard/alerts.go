package dashboard

import "time"

// An Alert is what people were told, and that has not ended.
type Alert struct {
	Key, Text, Topic         string
	Severity, Station, Place string // severity is "" where there is none
	BeganAt, EndsAt          time.Time
	Told                     bool   // everybody who is to be told; false while it is tried
	Trouble                  string // why a channel does not take it
}

// alertsStatus is the list at the time now, which is the stations' where they
// are simulated.
func (p *Pipeline) alertsStatus(now time.Time) []AlertStatus {
	list := []AlertStatus{}
	at := now
	if p.Simulation != nil {
		at = p.Simulation.At
	}
	for _, a := range p.Alerts {
		list = append(list, AlertStatus{Key: a.Key, Text: a.Text, Topic: a.Topic, Severity: a.Severity, Station: a.Station, Place: a.Place,
			BeganAt: a.BeganAt.In(now.Location()), EndsAt: a.EndsAt.In(now.Location()), Age: max(0, at.Sub(a.BeganAt).Seconds()), Told: a.Told, Trouble: a.Trouble})
	}
	return list
}
