package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"cloud.google.com/go/civil"
)

// heatDays is how many days the means by weekday and hour are of, unless more
// than a week is asked for.
const heatDays = 28

// A slot is an hour of a weekday.
type slot struct {
	weekday time.Weekday
	hour    int64
}

// completeDays are the days that are over and have figures: of the period that was
// asked for, where it has a week of them, else of the last 28 days.
func (q *question) completeDays() map[civil.Date]*day {
	of := func(from, to civil.Date) map[civil.Date]*day {
		found := map[civil.Date]*day{}
		q.each(window{from: from, to: to}, func(date civil.Date, d *day) {
			if date.Before(q.today) && len(d.flow) > 0 {
				found[date] = d
			}
		})
		return found
	}
	if days := of(q.From, q.To); len(days) >= 7 {
		return days
	}
	return of(q.today.AddDays(-heatDays), q.today.AddDays(-1))
}

// means are the passengers who entered at one station, by what key makes of the
// hour. An hour of a day that has no figure counts in no mean: it is a gap, not
// 0.
func means[K comparable](flows []*flow, key func(*flow) K) map[K]float64 {
	sums, of := map[K]float64{}, map[K]float64{}
	for _, f := range flows {
		sums[key(f)] += f.Entered.Float64
		of[key(f)]++
	}
	for k := range sums {
		sums[k] /= of[k]
	}
	return sums
}

// knownAt are the hours of some days in which a station reported who entered.
func knownAt(days map[civil.Date]*day, station string) (all []*flow) {
	for _, d := range days {
		for i := range d.flow {
			if f := &d.flow[i]; f.Station == station && f.Entered.Valid {
				all = append(all, f)
			}
		}
	}
	return all
}

func weekly(f *flow) slot { return slot{f.Date.In(time.UTC).Weekday(), f.Hour} }

func (q *question) heatNote(days map[civil.Date]*day) string {
	from, to := span(days)
	if len(days) == 0 {
		return "No day is complete yet."
	}
	label := q.label(from, to, q.today)
	if len(days) == 1 {
		return fmt.Sprintf("One complete day, %s.", label)
	}
	return fmt.Sprintf("Mean of %d complete days, %s. An hour without data does not count.", len(days), label)
}

// span is the first and the last of some days; zero dates for none.
func span(days map[civil.Date]*day) (from, to civil.Date) {
	dates := slices.SortedFunc(maps.Keys(days), civil.Date.Compare)
	if len(dates) == 0 {
		return from, to
	}
	return dates[0], dates[len(dates)-1]
}

// heat says which hours of the week are the fullest: the sum of the stations'
// means.
func (q *question) heat() Chart {
	days := q.completeDays()
	c := Chart{ID: "entered_by_weekday_and_hour", Title: "Passengers entered by weekday and hour", Kind: "heat", By: "Weekday", Note: q.heatNote(days) + " Empty: no data."}
	c.From, c.To = span(days)
	hours, sums := q.hours(), map[slot]*float64{}
	for _, station := range q.wanted() {
		for at, mean := range means(knownAt(days, station), weekly) {
			if sums[at] == nil {
				sums[at] = new(float64)
			}
			*sums[at] += mean
		}
	}
	for _, h := range hours {
		c.Series = append(c.Series, Series{Label: fmt.Sprintf("%02d", h), Unit: "passengers", Color: "first"})
	}
	for n := range 7 {
		weekday := time.Weekday((n + 1) % 7) // Monday first
		row := Row{Name: weekday.String()}
		for _, h := range hours {
			row.Values = append(row.Values, cell(sums[slot{weekday, h}]))
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

// peaks says of each station which hours are its peak.
func (q *question) peaks() Chart {
	days := q.completeDays()
	c := Chart{ID: "peak_hours", Title: "Peak hours by station", Kind: "table", By: "Station", Note: q.heatNote(days), Series: []Series{
		{Label: "Peak hour"}, {Label: "Entered then", Unit: "passengers"}, {Label: "Second peak"}, {Label: "Entered then", Unit: "passengers"},
		{Label: "Fullest hour of the week"}, {Label: "Entered then", Unit: "passengers"},
	}}
	c.From, c.To = span(days)
	for _, station := range q.wanted() {
		known := knownAt(days, station)
		daily, sums := means(known, func(f *flow) int64 { return f.Hour }), means(known, weekly)
		type peak struct {
			name string
			mean float64
		}
		var hours, slots []peak
		for _, h := range q.hours() {
			hours = append(hours, peak{hour(h), daily[h]})
			for n := range 7 {
				weekday := time.Weekday((n + 1) % 7)
				slots = append(slots, peak{weekday.String() + " " + hour(h), sums[slot{weekday, h}]})
			}
		}
		fullest := func(a, b peak) int { return cmp.Compare(b.mean, a.mean) }
		slices.SortStableFunc(hours, fullest)
		slices.SortStableFunc(slots, fullest)
		row := Row{Name: station}
		for _, p := range append(append([]peak{}, hours[:min(2, len(hours))]...), slots[:min(1, len(slots))]...) {
			if p.mean > 0 {
				row.Values = append(row.Values, p.name, p.mean)
			} else {
				row.Values = append(row.Values, nil, nil)
			}
		}
		for len(row.Values) < len(c.Series) {
			row.Values = append(row.Values, nil)
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}
