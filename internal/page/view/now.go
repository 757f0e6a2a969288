package view

import (
	"cmp"
	"slices"
	"time"
)

// An Open is an incident or equipment failure that has begun and not ended.
type Open struct {
	Kind     string    `json:"kind"`
	What     string    `json:"what"`
	Station  string    `json:"station"`
	Place    string    `json:"place"`    // within the station
	Severity *string   `json:"severity"` // null for equipment
	BeganAt  time.Time `json:"began_at"`
	EndsAt   time.Time `json:"ends_at"`
	Age      float64   `json:"age_seconds"`
	Past     bool      `json:"past"` // its expected end, and nobody said that it is over
}

// pastEnd is for how long what is past its expected end is shown: the end is an
// estimate.
const pastEnd = time.Hour

// open are the disturbances of the chosen stations at the moment now: Major
// incidents first, then the newest; at last those that are past their end.
func (q *question) open(now time.Time) []Open {
	all := []Open{}
	for _, d := range q.disturbances {
		if d.BeganAt.After(now) || now.Sub(d.EndsAt) >= pastEnd || !q.chosen(d.Station) {
			continue
		}
		one := Open{Kind: d.Kind, What: d.What, Station: d.Station, Place: placeIn(d.Station, d.Zone),
			BeganAt: d.BeganAt.In(now.Location()), EndsAt: d.EndsAt.In(now.Location()), Age: now.Sub(d.BeganAt).Seconds(), Past: !now.Before(d.EndsAt)}
		if d.Severity.Valid {
			one.Severity = new(d.Severity.StringVal)
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Open) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), b.BeganAt.Compare(a.BeganAt), cmp.Compare(a.Station+a.Place, b.Station+b.Place))
	})
	return all
}

func (o *Open) weight() int {
	switch {
	case o.Past:
		return -1
	case o.Severity == nil:
		return 0
	case *o.Severity == "Major":
		return 2
	}
	return 1
}

// placeIn is a zone without the station that it begins with.
func placeIn(station, zone string) string {
	if prefix := station + " / "; len(zone) > len(prefix) && zone[:len(prefix)] == prefix {
		return zone[len(prefix):]
	}
	return zone
}

// A Fresh says how fresh the figures about one thing are.
type Fresh struct {
	About      string    `json:"about"`
	ArrivedAt  time.Time `json:"arrived_at"` // of the newest record that counts
	ComputedAt time.Time `json:"computed_at"`
	Age        float64   `json:"age_seconds"` // of the newest record
	// State is fresh, or quiet where nothing came for a while: that alone does
	// not tell a night from a producer that is away.
	State string `json:"state"`
}

// quietAfter is for how long nothing may come before the page says so.
const quietAfter = 10 * time.Minute

func (c *content) fresh(now time.Time, location *time.Location) []Fresh {
	all := []Fresh{}
	for _, one := range []struct{ topic, about string }{
		{"passenger_flow", "Passengers"}, {"ticket_validations", "Tickets"}, {"train_arrivals", "Trains"},
		{"incidents", "Incidents"}, {"equipment_failures", "Equipment failures"},
	} {
		f, known := c.freshness[one.topic]
		if !known {
			continue
		}
		fresh := Fresh{one.about, f.ArrivedAt.In(location), f.ComputedAt.In(location), max(0, now.Sub(f.ArrivedAt).Seconds()), "fresh"}
		if now.Sub(f.ArrivedAt) > quietAfter {
			fresh.State = "quiet"
		}
		all = append(all, fresh)
	}
	return all
}
