package view

import (
	"cmp"
	"fmt"
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

// means are the passengers who entered in an hour of a weekday, of complete
// days alone. A day without any passenger in an hour counts as 0.
func means(days map[civil.Date]*day, chosen func(string) bool) map[slot]float64 {
	sums, of := map[slot]float64{}, map[time.Weekday]float64{}
	for date, d := range days {
		of[date.Weekday()]++
		for i := range d.flow {
			if f := &d.flow[i]; chosen(f.Station) && f.Entered.Valid {
				sums[slot{date.Weekday(), f.Hour}] += f.Entered.Float64
			}
		}
	}
	for at := range sums {
		sums[at] /= of[at.weekday]
	}
	return sums
}

func (q *question) heatNote(days map[civil.Date]*day) string {
	if len(days) == 0 {
		return "No day is complete yet."
	}
	dates := make([]civil.Date, 0, len(days))
	for date := range days {
		dates = append(dates, date)
	}
	slices.SortFunc(dates, civil.Date.Compare)
	span := q.label(dates[0], dates[len(dates)-1], q.today)
	if len(days) == 1 {
		return fmt.Sprintf("Of one complete day, %s.", span)
	}
	return fmt.Sprintf("Means of %d complete days, %s.", len(days), span)
}

// heat says which hours of the week are the fullest.
func (q *question) heat() Chart {
	days := q.completeDays()
	c := Chart{ID: "entered_by_weekday_and_hour", Title: "Passengers entered by weekday and hour", Kind: "heat", By: "Weekday", Note: q.heatNote(days)}
	hours, sums, has := q.hours(), means(days, q.chosen), map[time.Weekday]bool{}
	for date := range days {
		has[date.Weekday()] = true
	}
	for _, h := range hours {
		c.Series = append(c.Series, Series{fmt.Sprintf("%02d", h), "passengers", "first"})
	}
	for n := range 7 {
		weekday := time.Weekday((n + 1) % 7) // Monday first
		row := Row{Name: weekday.String()}
		for _, h := range hours {
			value := any(nil)
			if has[weekday] {
				value = sums[slot{weekday, h}]
			}
			row.Values = append(row.Values, value)
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

// peaks says of each station which hours are its peak.
func (q *question) peaks() Chart {
	days := q.completeDays()
	c := Chart{ID: "peak_hours", Title: "Peak hours by station", Kind: "table", By: "Station", Note: q.heatNote(days), Series: []Series{
		{"Peak hour", "", ""}, {"Entered in it", "passengers", ""}, {"Next", "", ""}, {"Entered in it", "passengers", ""}, {"Fullest in the week", "", ""}, {"Entered in it", "passengers", ""},
	}}
	for _, station := range q.wanted() {
		sums := means(days, func(s string) bool { return s == station })
		type peak struct {
			name string
			mean float64
		}
		var hours, slots []peak
		for _, h := range q.hours() {
			whole := 0.0
			for date := range days {
				whole += sums[slot{date.Weekday(), h}]
			}
			hours = append(hours, peak{hour(h), whole / float64(max(len(days), 1))})
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
