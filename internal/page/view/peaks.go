package view

import (
	"fmt"
	"time"
)

// apart is how many hours are between a peak and the second one at least.
const apart = 3

// A peak is an hour, and how many entered then in the mean.
type peak struct {
	name string
	hour int64
	mean float64
}

// peaks says of each station which hours are its peak, on weekdays and at the
// weekend.
func (q *question) peaks() Chart {
	days := q.completeDays()
	c := Chart{ID: "peak_hours", Title: "Peak hours by station", Kind: "table", By: "Station", Note: q.heatNote(days) + q.within24(), Series: []Series{
		{Label: "Peak, Monday to Friday"}, {Label: "Entered in the peak", Unit: "passengers"},
		{Label: "Second peak, Monday to Friday"}, {Label: "Entered in the second peak", Unit: "passengers"},
		{Label: "Peak, Saturday and Sunday"}, {Label: "Entered in the weekend’s peak", Unit: "passengers"},
		{Label: "Fullest hour of the week"}, {Label: "Entered in the fullest hour", Unit: "passengers"},
	}}
	c.From, c.To = span(days)
	for _, station := range q.wanted() {
		var weekdays, weekends []*flow
		known := knownAt(days, station)
		for _, f := range known {
			if day := f.Date.In(time.UTC).Weekday(); day == time.Saturday || day == time.Sunday {
				weekends = append(weekends, f)
			} else {
				weekdays = append(weekdays, f)
			}
		}
		first, second := q.peaksOf(weekdays)
		weekend, _ := q.peaksOf(weekends)
		row := Row{Name: station}
		for _, p := range []*peak{first, second, weekend, q.fullest(known)} {
			if p == nil {
				row.Values = append(row.Values, nil, nil)
			} else {
				row.Values = append(row.Values, p.name, p.mean)
			}
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

// within24 says which hours of the day were asked for, where these are not all.
func (q *question) within24() string {
	if q.First == 0 && q.End == 24 {
		return ""
	}
	return fmt.Sprintf(" Within %s–%s.", hour(int64(q.First)), hour(int64(q.End)))
}

// peaksOf are the fullest hour of those that were asked for, and the fullest of
// the others that is apart from it and fuller than the hours beside it. Nil is
// one that there is not.
func (q *question) peaksOf(flows []*flow) (first, second *peak) {
	daily := means(flows, func(f *flow) int64 { return f.Hour })
	for _, h := range q.hours() {
		if mean := daily[h]; mean > 0 && (first == nil || mean > first.mean) {
			first = &peak{hour(h), h, mean}
		}
	}
	for _, h := range q.hours() {
		mean, before, after := daily[h], daily[h-1], daily[h+1]
		top := mean >= before && mean >= after && (mean > before || mean > after)
		if top && max(h-first.hour, first.hour-h) >= apart && (second == nil || mean > second.mean) {
			second = &peak{hour(h), h, mean}
		}
	}
	return first, second
}

// fullest is the fullest hour of a weekday; nil for none.
func (q *question) fullest(flows []*flow) (most *peak) {
	weeks := means(flows, weekly)
	for _, h := range q.hours() {
		for n := range 7 {
			weekday := time.Weekday((n + 1) % 7)
			if mean := weeks[slot{weekday, h}]; mean > 0 && (most == nil || mean > most.mean) {
				most = &peak{weekday.String() + " " + hour(h), h, mean}
			}
		}
	}
	return most
}
