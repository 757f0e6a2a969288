package view

import (
	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
)

// A window is the hours of some days.
type window struct {
	from, to   civil.Date
	first, end int64             // hours of the day, from first up to, not including, end
	lastEnd    int64             // the same for the last day
	only       func(*place) bool // these hours alone; nil for all
}

func (w window) holds(p *place) bool {
	return p.Hour >= w.first && p.Hour < w.end && (p.Date != w.to || p.Hour < w.lastEnd) && (w.only == nil || w.only(p))
}

// A sum is NULL until something is added that is not.
type sum struct {
	value float64
	known bool
}

func (s *sum) add(value bigquery.NullFloat64) {
	if value.Valid {
		s.value += value.Float64
		s.known = true
	}
}

func (s *sum) count(n int64) { s.value, s.known = s.value+float64(n), true }

// figure is the sum, nil for NULL.
func (s sum) figure() *float64 {
	if !s.known {
		return nil
	}
	return &s.value
}

// over divides sums, nil for what nobody knows.
func (s sum) over(by sum) *float64 {
	if !s.known || !by.known || by.value == 0 {
		return nil
	}
	return new(s.value / by.value)
}

// A tally is what is summed of some rows.
type tally struct {
	entered, exited, flowRecords, waiting    sum
	validated, rejected, known               sum
	arrivals, scheduled, onTime, minutesLate sum
	incidents, failures, incidentMinutes     sum
	estimated                                bool
}

func (t *tally) flow(f *flow) {
	t.entered.add(f.Entered)
	t.exited.add(f.Exited)
	t.waiting.add(f.Waiting)
	t.flowRecords.count(f.Records)
	t.estimated = t.estimated || f.Estimated.Bool
}

func (t *tally) tickets(k *tickets) {
	t.validated.add(k.Validated)
	t.rejected.add(k.Rejected)
	t.known.add(k.Known)
}

func (t *tally) arrival(a *arrivals) {
	t.arrivals.count(a.Arrivals)
	t.scheduled.count(a.Scheduled)
	t.onTime.count(a.OnTime)
	t.minutesLate.add(a.MinutesLate)
}

func (t *tally) incident(e *events) {
	t.incidents.count(e.Count)
	t.incidentMinutes.add(e.Minutes)
}

func (t *tally) failure(e *events) { t.failures.count(e.Count) }

// punctuality is the share of the scheduled arrivals that were on time.
func (t *tally) punctuality() *float64 { return t.onTime.over(t.scheduled) }

func (t *tally) delay() *float64 { return t.minutesLate.over(t.scheduled) }

func (t *tally) rejection() *float64 {
	all := t.known
	if t.rejected.known {
		all.value += t.rejected.value
	}
	return t.rejected.over(all)
}

// each calls do for every day of a window that has rows, in their order.
func (c *content) each(w window, do func(civil.Date, *day)) {
	for date := w.from; !date.After(w.to); date = date.AddDays(1) {
		if d := c.days[date]; d != nil {
			do(date, d)
		}
	}
}

// A place's rows are those of a window at some stations.
func rows[T any, P interface {
	*T
	where() *place
}](list []T, w window, chosen func(string) bool, do func(*T)) {
	for i := range list {
		if at := P(&list[i]).where(); w.holds(at) && chosen(at.Station) {
			do(&list[i])
		}
	}
}

// tallies sums all rows of a window by what key makes of their place.
func tallies[K comparable](c *content, w window, chosen func(string) bool, key func(*place) K) map[K]*tally {
	sums := map[K]*tally{}
	at := func(p *place) *tally {
		k := key(p)
		if sums[k] == nil {
			sums[k] = &tally{}
		}
		return sums[k]
	}
	c.each(w, func(_ civil.Date, d *day) {
		rows(d.flow, w, chosen, func(r *flow) { at(&r.place).flow(r) })
		rows(d.tickets, w, chosen, func(r *tickets) { at(&r.place).tickets(r) })
		rows(d.arrivals, w, chosen, func(r *arrivals) { at(&r.place).arrival(r) })
		rows(d.incidents, w, chosen, func(r *events) { at(&r.place).incident(r) })
		rows(d.failures, w, chosen, func(r *events) { at(&r.place).failure(r) })
	})
	return sums
}
