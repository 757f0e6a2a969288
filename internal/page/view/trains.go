package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/civil"
)

// trendDays is how many days punctuality is shown of at least, so that one can
// see where it goes.
const trendDays = 14

// lateMeans is the dbt project's punctuality_threshold_minutes.
const lateMeans = "Late: more than 5 minutes after the schedule, where the dbt project was not told otherwise."

// A heading is where trains go; "" where it is not known.
func heading(a *arrivals) string { return a.Direction.StringVal }

func spoken(direction string) string { return cmp.Or(direction, "unknown") }

// directions are those of the whole content, in the order of the compass and
// then by name.
func (q *question) directions() []string {
	known := map[string]bool{}
	for _, d := range q.days {
		for i := range d.arrivals {
			known[heading(&d.arrivals[i])] = true
		}
	}
	compass := []string{"North", "South", "East", "West"}
	return slices.SortedFunc(maps.Keys(known), func(a, b string) int {
		at := func(s string) int {
			if i := slices.Index(compass, s); i >= 0 {
				return i
			}
			return len(compass)
		}
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a, b))
	})
}

// headings sums the arrivals of a window by what key makes of them.
func headings[K comparable](q *question, w window, key func(civil.Date, string) K) map[K]*tally {
	sums := map[K]*tally{}
	q.each(w, func(date civil.Date, d *day) {
		rows(d.arrivals, w, q.chosen, func(a *arrivals) {
			k := key(date, heading(a))
			if sums[k] == nil {
				sums[k] = &tally{}
			}
			sums[k].arrival(a)
		})
	})
	return sums
}

// punctualityByDay says whether it is getting better: all directions, and
// each.
func (q *question) punctualityByDay() Chart {
	c := Chart{ID: "punctuality_by_day", Title: "Punctuality day by day", Note: lateMeans, Kind: "lines", By: "Date", Series: []Series{{Label: "All", Unit: "share", Color: "text"}}}
	from := q.From
	if least := q.To.AddDays(1 - trendDays); from.After(least) {
		from = least
		c.Note += fmt.Sprintf(" The %d days until %s.", trendDays, q.label(q.To, q.To, q.today))
	}
	if first := q.first(q.today); from.Before(first) {
		from = first
	}
	c.From, c.To = from, q.To
	w := q.window(Period{From: from, To: q.To}, false)
	type at struct {
		date      civil.Date
		direction string
	}
	all := headings(q, w, func(date civil.Date, _ string) civil.Date { return date })
	each := headings(q, w, func(date civil.Date, direction string) at { return at{date, direction} })
	directions := q.directions()
	for i, direction := range directions {
		c.Series = append(c.Series, Series{Label: spoken(direction), Unit: "share", Color: fmt.Sprintf("line-%d", i)})
	}
	for date := from; !date.After(q.To); date = date.AddDays(1) {
		row := Row{Name: date.String(), Values: []any{punctual(all[date])}}
		for _, direction := range directions {
			row.Values = append(row.Values, punctual(each[at{date, direction}]))
		}
		if date == q.today && q.until < int64(q.End) {
			for i := range row.Values {
				row.mark(i, notOver)
			}
			c.Note += " " + q.hollow()
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

func punctual(t *tally) any {
	if t == nil {
		return nil
	}
	return cell(t.punctuality())
}

// punctualityByDirection says which directions are late.
func (q *question) punctualityByDirection() Chart {
	c := Chart{ID: "punctuality_by_direction", Title: "Punctuality by direction", Kind: "bars", By: "Direction"}
	sum := func(w window) map[string]*tally {
		return headings(q, w, func(_ civil.Date, direction string) string { return spoken(direction) })
	}
	var names []string
	for _, direction := range q.directions() {
		names = append(names, spoken(direction))
	}
	c = byPeriod(q, c, "share", trainsKnown, names, sum, (*tally).punctuality)
	c.Series = append(c.Series, Series{Label: "Mean delay, " + q.periods[0].Label, Unit: "minutes", Color: "hidden", Period: q.periods[0]})
	delays := sum(q.window(q.periods[0], false))
	for i := range c.Rows {
		delay := any(nil)
		if t := delays[c.Rows[i].Name]; t != nil {
			delay = cell(t.delay())
		}
		c.Rows[i].Values = append(c.Rows[i].Values, delay)
	}
	return c
}

// mostTrains is how many late trains are listed.
const mostTrains = 15

// lateTrains lists the trains that were late most often. A train keeps its
// number from day to day.
func (q *question) lateTrains() Chart {
	c := Chart{ID: "late_trains", Title: "Trains that are late", Kind: "table", By: "Train", Series: []Series{
		{Label: "Direction"}, {Label: "Late arrivals", Unit: "trains"}, {Label: "Mean delay of these", Unit: "minutes"},
		{Label: "Days with delay", Unit: "days"}, {Label: "Stations"},
	}}
	type train struct {
		number, direction string
	}
	type delays struct {
		late, scheduled, minutes sum
		days                     map[civil.Date]bool
		at                       map[string]float64
	}
	sums, w := map[train]*delays{}, q.window(q.periods[0], false)
	q.each(w, func(date civil.Date, d *day) {
		rows(d.late, w, q.chosen, func(l *late) {
			k := train{l.Train, l.Direction.StringVal}
			if sums[k] == nil {
				sums[k] = &delays{days: map[civil.Date]bool{}, at: map[string]float64{}}
			}
			t := sums[k]
			t.late.count(l.Late)
			t.scheduled.count(l.Scheduled)
			t.minutes.add(l.MinutesLate)
			t.days[date] = true
			t.at[l.Station] += float64(l.Late)
		})
	})
	trains := slices.SortedFunc(maps.Keys(sums), func(a, b train) int {
		return cmp.Or(cmp.Compare(sums[b].late.value, sums[a].late.value), cmp.Compare(sums[b].minutes.value, sums[a].minutes.value),
			cmp.Compare(a.number, b.number), cmp.Compare(a.direction, b.direction))
	})
	c.Note = "Those that were late most often, then those with the longest delays. " +
		"Only late trains are listed by their number; all others are counted by direction."
	if len(trains) > mostTrains {
		c.Note = fmt.Sprintf("%d of %d late trains. %s", mostTrains, len(trains), c.Note)
	}
	for _, k := range trains[:min(len(trains), mostTrains)] {
		t := sums[k]
		where := slices.SortedFunc(maps.Keys(t.at), func(a, b string) int { return cmp.Or(cmp.Compare(t.at[b], t.at[a]), cmp.Compare(a, b)) })
		c.Rows = append(c.Rows, Row{Name: k.number, Values: []any{spoken(k.direction), t.late.value, cell(t.minutes.over(t.scheduled)), float64(len(t.days)), strings.Join(where, ", ")}})
	}
	return c
}
