package expect

import (
	"cmp"
	"slices"

	"github.com/stationflow/stationflow/event"
)

// An hour is a station's hour on the network's wall clock; the hour that
// autumn repeats is one.
type hour struct{ station, start string }

// A part is one of the two parts of a station's passengers in one hour.
type part struct {
	reported, standIn       float64
	isReported, hasStandsIn bool
}

func (p *part) report(n *int64) {
	if n != nil {
		p.reported, p.isReported = p.reported+float64(*n), true
	}
}

func (p *part) standsIn(n int64) {
	p.standIn, p.hasStandsIn = p.standIn+float64(n), true
}

// value is what was reported; where nothing was, what stands in for it.
func (p *part) value() *float64 {
	switch {
	case p.isReported:
		return &p.reported
	case p.hasStandsIn:
		return &p.standIn
	}
	return nil
}

type through struct{ entered, exited part }

func (n network) passengers(period string, e events) []Row {
	hours := map[hour]*through{}
	at := func(h hour) *through {
		if hours[h] == nil {
			hours[h] = &through{}
		}
		return hours[h]
	}
	const toHour = "2006-01-02 15"
	for _, f := range e.flow {
		h := at(hour{f.Station, f.Timestamp.In(n.location).Format(toHour)})
		h.entered.report(f.Entered)
		h.exited.report(f.Exited)
	}
	for _, t := range e.tickets {
		at(hour{t.Station, t.Timestamp.In(n.location).Format(toHour)}).entered.standsIn(t.Validations)
	}
	for _, a := range e.arrivals {
		at(hour{a.Station, a.Timestamp.In(n.location).Format(toHour)}).exited.standsIn(a.Passengers)
	}

	type figures struct{ entered, exited, total *float64 }
	stations := map[string]*figures{}
	var all figures
	for h, through := range hours {
		if stations[h.station] == nil {
			stations[h.station] = &figures{}
		}
		for _, f := range []*figures{&all, stations[h.station]} {
			f.entered = add(f.entered, through.entered.value())
			f.exited = add(f.exited, through.exited.value())
			f.total = add(f.total, add(through.entered.value(), through.exited.value()))
		}
	}

	rows := []Row{
		{Period: period, Metric: "passengers_entered", Value: all.entered},
		{Period: period, Metric: "passengers_exited", Value: all.exited},
		{Period: period, Metric: "passengers_total", Value: all.total},
	}
	var known []string
	for name, f := range stations {
		rows = append(rows,
			Row{period, "passengers_entered", "station", name, f.entered},
			Row{period, "passengers_exited", "station", name, f.exited},
			Row{period, "passengers_total", "station", name, f.total})
		if f.total != nil {
			known = append(known, name)
		}
	}
	if len(known) > 0 {
		busiest := slices.MinFunc(known, func(a, b string) int {
			return cmp.Or(cmp.Compare(*stations[b].total, *stations[a].total), cmp.Compare(a, b))
		})
		quietest := slices.MinFunc(known, func(a, b string) int {
			return cmp.Or(cmp.Compare(*stations[a].total, *stations[b].total), cmp.Compare(a, b))
		})
		rows = append(rows,
			Row{period, "busiest_station", "station", busiest, stations[busiest].total},
			Row{period, "quietest_station", "station", quietest, stations[quietest].total})
	}
	return append(rows, waiting(period, e)...)
}

func waiting(period string, e events) []Row {
	station := map[string]func(event.PassengerFlow) string{"station": func(f event.PassengerFlow) string { return f.Station }}
	rows := rowsOf(period, "average_waiting_time", e.flow, mean(func(f event.PassengerFlow) float64 { return f.WaitingTime }), station)
	return append(rows, rowsOf(period, "average_ticket_check_time", e.flow,
		mean(func(f event.PassengerFlow) float64 { return f.TicketCheckTime }), station)...)
}

// add adds what is known: NULL is nothing, not 0.
func add(a, b *float64) *float64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return number(*a + *b)
}
