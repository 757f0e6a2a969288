package dashboard

import "time"

// An Alert is what people were told, and that has not ended.
type Alert struct {
	Key, Text, Topic         string
	Severity, Station, Place string // severity is "" where there is none
	BeganAt, EndsAt          time.Time
	Told                     bool // everybody who is to be told; false while it is tried
}

// An AlertStatus is an alert as the page shows it.
type AlertStatus struct {
	Key      string    `json:"key"`
	Text     string    `json:"text"`
	Topic    string    `json:"topic"`
	Severity string    `json:"severity"`
	Station  string    `json:"station"`
	Place    string    `json:"place"`
	BeganAt  time.Time `json:"began_at"`
	EndsAt   time.Time `json:"ends_at"`
	Age      float64   `json:"age_seconds"`
	Told     bool      `json:"told"`
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
		list = append(list, AlertStatus{a.Key, a.Text, a.Topic, a.Severity, a.Station, a.Place,
			a.BeganAt.In(now.Location()), a.EndsAt.In(now.Location()), max(0, at.Sub(a.BeganAt).Seconds()), a.Told})
	}
	return list
}
