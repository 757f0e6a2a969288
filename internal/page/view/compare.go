package view

import (
	"fmt"
	"strings"

	"cloud.google.com/go/civil"
)

// An evidence is what tells that a station was heard of in an hour. An hour
// without it is a gap, which is not 0, and nothing is compared with a gap.
type evidence int

const (
	enteredKnown evidence = iota
	exitedKnown
	flowKnown
	ticketsKnown
	// trainsKnown takes an hour without trains at a station that sent something
	// for 0, if trains arrived elsewhere in that hour.
	trainsKnown
	// anythingKnown is for what is rare: an hour without an incident has none.
	anythingKnown
)

// hears calls mark with the place of each row of a window that is evidence.
func (q *question) hears(w window, e evidence, mark func(*place)) {
	q.each(w, func(_ civil.Date, d *day) {
		switch e {
		case enteredKnown, exitedKnown, flowKnown:
			rows(d.flow, w, q.chosen, func(f *flow) {
				if e == enteredKnown && f.Entered.Valid || e == exitedKnown && f.Exited.Valid || e == flowKnown && f.Records > 0 {
					mark(&f.place)
				}
			})
		case ticketsKnown:
			rows(d.tickets, w, q.chosen, func(k *tickets) { mark(&k.place) })
		case trainsKnown, anythingKnown:
			trains := [24]bool{}
			rows(d.arrivals, w, q.chosen, func(a *arrivals) { trains[a.Hour] = true })
			any := func(p *place) {
				if e == anythingKnown || trains[p.Hour] {
					mark(p)
				}
			}
			rows(d.flow, w, q.chosen, func(r *flow) { any(&r.place) })
			rows(d.tickets, w, q.chosen, func(r *tickets) { any(&r.place) })
			rows(d.arrivals, w, q.chosen, func(r *arrivals) { any(&r.place) })
			rows(d.incidents, w, q.chosen, func(r *events) { any(&r.place) })
			rows(d.failures, w, q.chosen, func(r *events) { any(&r.place) })
		}
	})
}

// A hourSet is a set of hours, each of one station and one day of a period. Days
// are counted from the period's first, so that sets of periods can be compared.
type hourSet []bool

// slotOf is where a set of p's hours has a place; -1 for a station without a
// place in the order.
func (q *question) slotOf(p Period, at *place) int {
	station, known := q.order[at.Station]
	if !known {
		return -1
	}
	return (at.Date.DaysSince(p.From)*24+int(at.Hour))*len(q.stations) + station
}

// heard are the hours of a period that can be compared and have evidence.
func (q *question) heard(e evidence, period int) hourSet {
	key := [2]int{int(e), period}
	if set, known := q.sets[key]; known {
		return set
	}
	p := q.periods[period]
	set := make(hourSet, (p.To.DaysSince(p.From)+1)*24*len(q.stations))
	q.hears(q.window(p, true), e, func(at *place) {
		if slot := q.slotOf(p, at); slot >= 0 {
			set[slot] = true
		}
	})
	q.sets[key] = set
	return set
}

// A basis are the hours that several periods all have data for, of those that
// any of them has.
type basis struct {
	evidence  evidence
	periods   []int
	both      hourSet
	hours, of int
	span      int   // hours of the day and date, at whichever station
	gaps      []int // slots that only some of the periods have
}

// basis compares the period that was asked for with others.
func (q *question) basis(e evidence, periods ...int) basis {
	b := basis{evidence: e, periods: append([]int{0}, periods...), both: append(hourSet{}, q.heard(e, 0)...)}
	either := append(hourSet{}, b.both...)
	for _, period := range periods {
		for slot, known := range q.heard(e, period) {
			b.both[slot] = b.both[slot] && known
			either[slot] = either[slot] || known
		}
	}
	last := -1
	for slot := range either {
		if !either[slot] {
			continue
		}
		b.of++
		if b.both[slot] {
			b.hours++
		} else {
			b.gaps = append(b.gaps, slot)
		}
		if at := slot / len(q.stations); at != last {
			b.span++
			last = at
		}
	}
	return b
}

// enough reports whether the common hours may stand for the periods: they are
// half of the hours at least.
func (b *basis) enough() bool { return b.hours > 0 && 2*b.hours >= b.of }

func (b *basis) whole() bool { return b.hours == b.of }

// within is the part of a period that can be compared and is in the basis.
func (q *question) within(p Period, b *basis) window {
	w := q.window(p, true)
	w.only = func(at *place) bool {
		slot := q.slotOf(p, at)
		return slot >= 0 && b.both[slot]
	}
	return w
}

// started reports whether some of the hours that were asked for are over, so
// that there is something to compare.
func (q *question) started() bool {
	return q.From != q.today || q.until > int64(q.First)
}

// toCome reports whether none of the hours that were asked for has begun.
func (q *question) toCome() bool { return !q.started() && int64(q.First) > q.hour }

// ahead reports whether an hour of the only day that was asked for is to come.
func (q *question) ahead(hour int64) bool {
	return q.From == q.today && hour >= q.until && hour > q.hour
}

// A Compared is a figure of an earlier period. A change is worked out of the
// hours alone that both periods have data for; but what is rare is counted in
// all hours that are over, as an hour without records hides no incident.
type Compared struct {
	Value  *float64 `json:"value"`  // of the earlier period, up to the same hour
	This   *float64 `json:"this"`   // of the period that was asked for, in the common hours; null without a comparison
	Before *float64 `json:"before"` // of the earlier one, likewise
	Hours  int      `json:"hours"`  // that are common, at each station
	Of     int      `json:"of"`     // hours for which one of the two has data
	Shared string   `json:"shared"` // the hours that are compared, where these are not all: "3 of 4 hours"
	Note   string   `json:"note"`   // which hours are missing, or why nothing is compared; "" where all is said
}

// compare works out a figure of an earlier period.
func (q *question) compare(e evidence, period int, of func(*tally) *float64) Compared {
	if !q.started() {
		return Compared{Note: "no comparison yet: none of these hours is over"}
	}
	c := Compared{Value: of(q.upTo(period))}
	shared := q.pair(e, period)
	if c.Value == nil {
		if shared.of == 0 && q.From == q.today {
			c.Note = "no comparison yet: the hours that are over have no data"
		}
		return c
	}
	c.Hours, c.Of = shared.hours, shared.of
	if shared.enough() {
		c.This, c.Before = of(shared.this), of(shared.before)
	}
	switch {
	case !shared.enough():
		c.Note = "no comparison: " + q.common(&shared.basis, "both")
	case shared.whole():
	case e == anythingKnown:
		c.Note = q.common(&shared.basis, "both")
	default:
		c.Shared, c.Note = q.counted(&shared.basis), q.missing(&shared.basis)
	}
	return c
}

// common says how many hours periods have in common.
func (q *question) common(b *basis, periods string) string {
	if b.hours == 0 {
		return "no hour has data in " + periods
	}
	return q.counted(b) + " have data in " + periods
}

// counted is how many hours periods have in common; those of several stations
// count for each.
func (q *question) counted(b *basis) string {
	n, of := len(q.wanted()), ""
	switch {
	case n > 1 && b.of == b.span*n:
		of = fmt.Sprintf(" (%d hours × %d stations)", b.span, n)
	case n > 1:
		of = fmt.Sprintf(" (at most %d hours × %d stations)", b.span, n)
	}
	return fmt.Sprintf("%d of %d hours%s", b.hours, b.of, of)
}

// A pair are the sums of the common hours of the period that was asked for and
// an earlier one.
type pair struct {
	basis
	this, before *tally
}

func (q *question) pair(e evidence, period int) *pair {
	key := [2]int{int(e), period}
	if q.pairs[key] == nil {
		b := q.basis(e, period)
		if b.whole() || e == anythingKnown {
			q.pairs[key] = &pair{b, q.upTo(0), q.upTo(period)}
		} else {
			q.pairs[key] = &pair{b, q.total(q.within(q.periods[0], &b)), q.total(q.within(q.periods[period], &b))}
		}
	}
	return q.pairs[key]
}

// upTo is all of a period up to where today's hours are complete.
func (q *question) upTo(period int) *tally {
	if q.sums[period] == nil {
		q.sums[period] = q.total(q.window(q.periods[period], true))
	}
	return q.sums[period]
}

// A beside says which periods a chart shows beside each other, and which of
// their hours.
type beside struct {
	periods []int // the first is the one that was asked for
	windows []window
	whole   window // of the first period, with the hours that others do not have
	note    string
}

// beside are the periods that can be compared. All are restricted to the hours
// that each of them has data for.
func (q *question) beside(e evidence) beside {
	s := beside{periods: []int{0}}
	var notes []string
	if len(q.periods) > 1 && q.started() {
		for i := 1; i < len(q.periods); i++ {
			b := q.basis(e, i)
			if b.enough() {
				s.periods = append(s.periods, i)
			} else {
				notes = append(notes, fmt.Sprintf("No comparison with %s: %s.", q.periods[i].Label, q.common(&b, "both")))
			}
		}
	}
	s.whole = q.window(q.periods[0], len(s.periods) > 1)
	if len(s.periods) == 1 {
		s.windows = []window{s.whole}
		if q.unfinished() && !q.toCome() {
			notes = append(notes, "Today so far.")
		}
		s.note = strings.Join(notes, " ")
		return s
	}
	if cut := q.cut(); cut != "" {
		notes = append(notes, cut)
	}
	b := q.basis(e, s.periods[1:]...)
	partly := !b.whole() && b.hours > 0 && e != anythingKnown
	if partly {
		notes = append(notes, fmt.Sprintf("Only hours that can be compared: %s.", joined(q.common(&b, "all periods"), q.missing(&b))))
	}
	for _, i := range s.periods {
		w := q.window(q.periods[i], true)
		if partly {
			w = q.within(q.periods[i], &b)
		}
		s.windows = append(s.windows, w)
	}
	s.note = strings.Join(notes, " ")
	return s
}

// cut says where periods end that are compared with today.
func (q *question) cut() string {
	if !q.unfinished() {
		return ""
	}
	return fmt.Sprintf("Each until %s: later hours of today are not over yet.", hour(q.until))
}
