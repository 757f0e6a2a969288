package view

import (
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/civil"
)

// A Chart is a table that can be drawn: a row for each name, a value for each
// series.
type Chart struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Note   string   `json:"note"` // what of; "" where the title says it
	Kind   string   `json:"kind"` // bars, lines, heat or table
	By     string   `json:"by"`   // what a row is
	Series []Series `json:"series"`
	Rows   []Row    `json:"rows"`

	// From and To are its days where they are not those that were asked for.
	From civil.Date `json:"-"`
	To   civil.Date `json:"-"`
}

// A Series is one column of values.
type Series struct {
	Label string `json:"label"`
	Unit  string `json:"unit"`  // share is 0..1; "" for text
	Color string `json:"color"` // a station's name; row for each row's own; earlier, earliest or a colour of the page; hidden

	Period Period `json:"-"` // that it is of, where a chart has several
	End    int    `json:"-"` // the hour before which the period's last day ends, where that is not as asked; 0 else
}

// A Row is one name with a value for each series: a number, a text, null for
// what nobody knows, or "to come" for what nobody can know yet.
type Row struct {
	Name   string `json:"name"`
	Values []any  `json:"values"`
	// Marks say of each value why it is not whole, "" where it is: "not over", or
	// how many stations it is of. None where all are whole.
	Marks []string `json:"marks,omitempty"`
}

// notOver marks a value of an hour or day that goes on.
const notOver = "not over"

// hollow says what the page draws so.
func (q *question) hollow() string {
	return "Today is complete until " + hour(q.until) + ": what is hollow is not over yet."
}

// mark says why the nth value is not whole.
func (r *Row) mark(n int, why string) {
	for len(r.Marks) <= n {
		r.Marks = append(r.Marks, "")
	}
	r.Marks[n] = why
}

func (q *question) charts() []Chart {
	return []Chart{
		q.passengersByStation(), q.passengersByHour(), q.heat(), q.peaks(),
		q.punctualityByDay(), q.punctualityByDirection(), q.punctualityByStation(), q.lateTrains(),
		q.platforms(), q.incidentsByType(), q.rejectionByStation(),
	}
}

// cell is a figure as a value of a row.
func cell(figure *float64) any {
	if figure == nil {
		return nil
	}
	return *figure
}

// A notYet stands for the value of an hour that has not begun.
type notYet struct{}

// MarshalJSON writes it as a text.
func (notYet) MarshalJSON() ([]byte, error) { return []byte(`"to come"`), nil }

// byPeriod is a chart with a series for each period that can be compared, and a
// row for each name. Sum adds up a window by name, and of makes a figure of it.
func byPeriod[T any](q *question, c Chart, unit string, e evidence, names []string, sum func(window) map[string]T, of func(T) *float64) Chart {
	shown := q.beside(e)
	var sums []map[string]T
	for i, period := range shown.periods {
		p := q.periods[period]
		s := Series{Label: p.Label, Unit: unit, Color: periodColor(c.By, period), Period: p}
		if q.unfinished() && len(shown.periods) > 1 {
			s.End = int(q.until)
		}
		c.Series = append(c.Series, s)
		sums = append(sums, sum(shown.windows[i]))
	}
	whole := sum(shown.whole)
	for _, name := range names {
		row, common := Row{Name: name}, false
		for _, s := range sums {
			value := any(nil)
			if t, known := s[name]; known {
				value, common = cell(of(t)), true
			}
			row.Values = append(row.Values, value)
		}
		switch t, known := whole[name]; {
		case q.toCome():
			row.Values[0] = notYet{}
		case known && !common:
			row.Values[0] = cell(of(t))
		}
		c.Rows = append(c.Rows, row)
	}
	c.Note = strings.TrimSpace(c.Note + " " + shown.note)
	return c
}

// periodColor is each row's own in a chart of stations or directions.
func periodColor(by string, period int) string {
	switch {
	case period == 1:
		return "earlier"
	case period > 1:
		return "earliest"
	case by == "Station" || by == "Direction":
		return "row"
	}
	return "first"
}

// wanted are the chosen stations, in their order.
func (q *question) wanted() []string {
	return slices.DeleteFunc(slices.Clone(q.stations), func(s string) bool { return !q.chosen(s) })
}

func (q *question) byStation(id, title, unit string, e evidence, of func(*tally) *float64) Chart {
	sum := func(w window) map[string]*tally {
		return tallies(q.content, w, q.chosen, func(p *place) string { return p.Station })
	}
	return byPeriod(q, Chart{ID: id, Title: title, Kind: "bars", By: "Station"}, unit, e, q.wanted(), sum, of)
}

func (q *question) passengersByStation() Chart {
	return q.byStation("entered_by_station", "Passengers entered by station", "passengers", enteredKnown, func(t *tally) *float64 { return t.entered.figure() })
}

func (q *question) punctualityByStation() Chart {
	return q.byStation("punctuality_by_station", "Punctuality by station", "share", trainsKnown, (*tally).punctuality)
}

func (q *question) rejectionByStation() Chart {
	return q.byStation("rejection_by_station", "Tickets rejected by station", "share", ticketsKnown, (*tally).rejection)
}

// mostLines is how many stations one chart of lines shows.
const mostLines = 8

// passengersByHour has a line for each period where one station is asked for,
// and else for each station.
func (q *question) passengersByHour() Chart {
	c := Chart{ID: "entered_by_hour", Title: "Passengers entered by hour", Kind: "lines", By: "Hour"}
	var lines []map[int64]float64
	add := func(p Period, station, color string) {
		lines = append(lines, means(q.knownIn(p, station), func(f *flow) int64 { return f.Hour }))
		label := p.Label
		if color == station && len(q.wanted()) > 1 {
			label = station
		}
		c.Series = append(c.Series, Series{Label: label, Unit: "passengers", Color: color, Period: p})
	}
	if wanted := q.wanted(); len(wanted) == 1 {
		for i, p := range q.periods {
			add(p, wanted[0], []string{wanted[0], "earlier", "earliest"}[i])
		}
	} else {
		for _, station := range wanted[:min(len(wanted), mostLines)] {
			add(q.periods[0], station, station)
		}
		if len(wanted) > mostLines {
			c.Note = fmt.Sprintf("The first %d of %d stations; choose others above.", mostLines, len(wanted))
		}
	}
	if q.From != q.To {
		c.Note = strings.TrimSpace("Mean of the days that have data for the hour. " + c.Note)
	}
	for _, h := range q.hours() {
		row := Row{Name: hour(h)}
		for i, line := range lines {
			mean, known := line[h]
			switch {
			case known:
				row.Values = append(row.Values, mean)
				if q.From == q.today && c.Series[i].Period == q.periods[0] && h >= q.until {
					row.mark(i, notOver)
				}
			case c.Series[i].Period == q.periods[0] && q.ahead(h):
				row.Values = append(row.Values, notYet{})
			default:
				row.Values = append(row.Values, nil)
			}
		}
		c.Rows = append(c.Rows, row)
	}
	if slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Marks != nil }) {
		c.Note = strings.TrimSpace(c.Note + " " + q.hollow())
	}
	return c
}

// knownIn are the hours of a period in which a station reported who entered. Of
// several days today has only the hours that are over.
func (q *question) knownIn(p Period, station string) (all []*flow) {
	w := q.window(p, false)
	q.each(w, func(date civil.Date, d *day) {
		rows(d.flow, w, func(s string) bool { return s == station }, func(f *flow) {
			if f.Entered.Valid && (p.From == p.To || date != q.today || f.Hour < q.until) {
				all = append(all, f)
			}
		})
	})
	return all
}

// hours are the hours of the day that were asked for, from the first to the
// last that ever has passengers.
func (q *question) hours() (all []int64) {
	seen := [24]bool{}
	for _, d := range q.days {
		for i := range d.flow {
			seen[d.flow[i].Hour] = true
		}
	}
	first := slices.Index(seen[:], true)
	if first < 0 {
		return nil
	}
	last := 23
	for !seen[last] {
		last--
	}
	for h := max(first, q.First); h <= min(last, q.End-1); h++ {
		all = append(all, int64(h))
	}
	return all
}
