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
}

// A Series is one column of values.
type Series struct {
	Label string `json:"label"`
	Unit  string `json:"unit"`  // share is 0..1; "" for text
	Color string `json:"color"` // a station's name; row for each row's own; earlier, earliest or a colour of the page; hidden
}

// A Row is one name with a value for each series: a number, a text, or null
// for what nobody knows.
type Row struct {
	Name   string `json:"name"`
	Values []any  `json:"values"`
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

// byPeriod is a chart with a series for each period. Where several are
// compared they end with the last complete hour.
func byPeriod[K comparable](q *question, c Chart, unit string, key func(*place) K, names []K, name func(K) string, of func(*tally) *float64) Chart {
	var sums []map[K]*tally
	for i, p := range q.periods {
		c.Series = append(c.Series, Series{p.Label, unit, periodColor(c.By, i)})
		sums = append(sums, tallies(q.content, q.window(p, len(q.periods) > 1), q.chosen, key))
	}
	for _, n := range names {
		row := Row{Name: name(n)}
		for _, s := range sums {
			value := any(nil)
			if t := s[n]; t != nil {
				value = cell(of(t))
			}
			row.Values = append(row.Values, value)
		}
		c.Rows = append(c.Rows, row)
	}
	if len(q.periods) > 1 {
		c.Note = strings.TrimSpace(c.Note + " " + q.cut())
	}
	return c
}

// cut says where periods end that are compared with today.
func (q *question) cut() string {
	if q.To != q.today || q.until >= int64(q.End) {
		return ""
	}
	return fmt.Sprintf("Each until %s, when the last complete hour ended.", hour(q.until))
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

func (q *question) byStation(id, title, unit string, of func(*tally) *float64) Chart {
	return byPeriod(q, Chart{ID: id, Title: title, Kind: "bars", By: "Station"}, unit,
		func(p *place) string { return p.Station }, q.wanted(), func(s string) string { return s }, of)
}

func (q *question) passengersByStation() Chart {
	return q.byStation("entered_by_station", "Passengers entered by station", "passengers", func(t *tally) *float64 { return t.entered.figure() })
}

func (q *question) punctualityByStation() Chart {
	return q.byStation("punctuality_by_station", "Punctuality by station", "share", (*tally).punctuality)
}

func (q *question) rejectionByStation() Chart {
	return q.byStation("rejection_by_station", "Tickets rejected by station", "share", (*tally).rejection)
}

// mostLines is how many stations one chart of lines shows.
const mostLines = 8

// passengersByHour has a line for each period where one station is asked for,
// and else for each station.
func (q *question) passengersByHour() Chart {
	c := Chart{ID: "entered_by_hour", Title: "Passengers entered by hour", Kind: "lines", By: "Hour"}
	type lineAt struct {
		line int
		hour int64
	}
	sums, days := map[lineAt]sum{}, map[lineAt]int{}
	add := func(line int, p Period, chosen func(string) bool) {
		w := q.window(p, false)
		q.each(w, func(date civil.Date, d *day) {
			end := int64(24) // of a mean today counts in the hours that are over
			if w.from != w.to && date == q.today {
				end = q.until
			}
			for h := range end {
				days[lineAt{line, h}]++
			}
			rows(d.flow, w, chosen, func(f *flow) {
				if f.Hour < end {
					s := sums[lineAt{line, f.Hour}]
					s.add(f.Entered)
					sums[lineAt{line, f.Hour}] = s
				}
			})
		})
	}
	if wanted := q.wanted(); len(wanted) == 1 {
		for i, p := range q.periods {
			c.Series = append(c.Series, Series{p.Label, "passengers", []string{wanted[0], "earlier", "earliest"}[i]})
			add(i, p, q.chosen)
		}
	} else {
		for i, station := range wanted[:min(len(wanted), mostLines)] {
			c.Series = append(c.Series, Series{station, "passengers", station})
			add(i, q.periods[0], func(s string) bool { return s == station })
		}
		if len(wanted) > mostLines {
			c.Note = fmt.Sprintf("The first %d of %d stations; choose others above.", mostLines, len(wanted))
		}
	}
	if q.From != q.To {
		c.Note = strings.TrimSpace("Mean of a day. " + c.Note)
	}
	if q.From == q.To && q.To == q.today && q.until < int64(q.End) && q.until >= int64(q.First) {
		c.Note = strings.TrimSpace(c.Note + " The hour from " + hour(q.until) + " is not over.")
	}
	for _, h := range q.hours() {
		row := Row{Name: hour(h)}
		for line := range c.Series {
			s := sums[lineAt{line, h}]
			s.value /= float64(max(days[lineAt{line, h}], 1))
			row.Values = append(row.Values, cell(s.figure()))
		}
		c.Rows = append(c.Rows, row)
	}
	return c
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
