package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"cloud.google.com/go/civil"
)

// mostZones is how many platforms are listed.
const mostZones = 12

// A zoned is what happened in one zone.
type zoned struct{ incidents, minutes, failures float64 }

// platforms lists the places with most incidents.
func (q *question) platforms() Chart {
	c := Chart{ID: "platforms", Title: "Platforms with most incidents", Kind: "bars", By: "Place", Series: []Series{
		{Label: "Incidents", Unit: "incidents", Color: "bad"}, {Label: "Equipment failures", Unit: "failures", Color: "second"},
		{Label: "Minutes of incidents", Unit: "minutes", Color: "hidden"},
	}}
	zones, w := map[string]*zoned{}, q.window(q.periods[0], false)
	at := func(e *events) *zoned {
		if zones[e.Zone] == nil {
			zones[e.Zone] = &zoned{}
		}
		return zones[e.Zone]
	}
	q.each(w, func(_ civil.Date, d *day) {
		rows(d.incidents, w, q.chosen, func(e *events) {
			at(e).incidents += float64(e.Count)
			at(e).minutes += e.Minutes.Float64
		})
		rows(d.failures, w, q.chosen, func(e *events) { at(e).failures += float64(e.Count) })
	})
	names := slices.SortedFunc(maps.Keys(zones), func(a, b string) int {
		return cmp.Or(cmp.Compare(zones[b].incidents, zones[a].incidents), cmp.Compare(zones[b].failures, zones[a].failures), cmp.Compare(a, b))
	})
	if len(names) > mostZones {
		c.Note = fmt.Sprintf("%d of %d places, those with most incidents.", mostZones, len(names))
	}
	for _, name := range names[:min(len(names), mostZones)] {
		z := zones[name]
		c.Rows = append(c.Rows, Row{Name: name, Values: []any{z.incidents, z.failures, z.minutes}})
	}
	return c
}

// incidentsByType compares what happened with earlier periods.
func (q *question) incidentsByType() Chart {
	c := Chart{ID: "incidents_by_type", Title: "Incidents by type", Kind: "bars", By: "Type"}
	kinds := map[string]bool{}
	for _, p := range q.periods {
		for kind := range q.kinds(q.window(p, len(q.periods) > 1)) {
			kinds[kind] = true
		}
	}
	names := slices.Sorted(maps.Keys(kinds))
	sum := func(w window) map[string]float64 {
		counts := q.kinds(w)
		for _, kind := range names { // a type that did not happen is 0
			counts[kind] += 0
		}
		return counts
	}
	return byPeriod(q, c, "incidents", anythingKnown, names, sum, func(n float64) *float64 { return &n })
}

// kinds counts the incidents of a window by type.
func (q *question) kinds(w window) map[string]float64 {
	counts := map[string]float64{}
	q.each(w, func(_ civil.Date, d *day) {
		rows(d.incidents, w, q.chosen, func(e *events) { counts[e.What] += float64(e.Count) })
	})
	return counts
}
