package view

import (
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
	hours, sums, of, stations := q.hours(), map[slot]*float64{}, map[slot]int{}, 0
	for _, station := range q.wanted() {
		weeks := means(knownAt(days, station), weekly)
		if len(weeks) > 0 {
			stations++
		}
		for at, mean := range weeks {
			if sums[at] == nil {
				sums[at] = new(float64)
			}
			*sums[at] += mean
			of[at]++
		}
	}
	for _, h := range hours {
		c.Series = append(c.Series, Series{Label: fmt.Sprintf("%02d", h), Unit: "passengers", Color: "first"})
	}
	for n := range 7 {
		weekday := time.Weekday((n + 1) % 7) // Monday first
		row := Row{Name: weekday.String()}
		for i, h := range hours {
			at := slot{weekday, h}
			row.Values = append(row.Values, cell(sums[at]))
			if n := of[at]; n > 0 && n < stations {
				row.mark(i, fmt.Sprintf("%d of %d stations", n, stations))
			}
		}
		c.Rows = append(c.Rows, row)
	}
	if slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Marks != nil }) {
		c.Note += " Hatched: not all stations have data."
	}
	return c
}
