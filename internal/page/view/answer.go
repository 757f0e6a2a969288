package view

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// An Answer is the document of one question. Times are RFC 3339 in the
// network's zone; a nil value is one that nobody knows, which is not 0.
type Answer struct {
	Version  int64      `json:"version"` // of what was read
	ReadAt   *time.Time `json:"read_at"` // null before the first reading
	Reading  bool       `json:"reading"` // a run has changed them since
	Failure  string     `json:"failure"` // of the last reading; "" when it did not fail
	TimeZone string     `json:"time_zone"`
	Now      time.Time  `json:"now"` // in the network
	Oldest   civil.Date `json:"oldest"`
	Today    civil.Date `json:"today"`

	Simulated  bool       `json:"simulated"`   // the stations are
	Again      bool       `json:"again"`       // today is asked for and counted more than once: nothing is compared
	ComputedAt *time.Time `json:"computed_at"` // of the newest figures; null without any

	Range   string   `json:"range"`
	Hours   [2]int   `json:"hours"`
	Compare string   `json:"compare"`
	Periods []Period `json:"periods"` // the first is the one that was asked for
	// Until is the hour before which today's hours are complete, and up to
	// which earlier periods are compared; null where today is not asked for.
	Until    *int      `json:"until"`
	ToCome   bool      `json:"to_come"`  // none of the hours that were asked for has begun
	Stations []Station `json:"stations"` // all there are, in their order

	Figures   []Figure   `json:"figures"`
	Charts    []Chart    `json:"charts"`
	Open      []Open     `json:"open"` // what goes on now, at the chosen stations
	Freshness []Fresh    `json:"freshness"`
	Silent    []string   `json:"silent"`    // of stations that have not reported passengers for longer than others
	Estimated bool       `json:"estimated"` // some of the passengers were not reported
	FirstDay  civil.Date `json:"first_day"` // that has figures
}

// A Station is one that has figures. Its colour is its place in the order.
type Station struct {
	Name   string `json:"name"`
	Chosen bool   `json:"chosen"`
}

// A Figure is one number for the whole of a period, and of those before.
type Figure struct {
	ID       string     `json:"id"`
	Label    string     `json:"label"`
	Unit     string     `json:"unit"`
	Value    *float64   `json:"value"`    // so far, where today is asked for
	Until    *float64   `json:"until"`    // of the complete hours alone
	Days     int        `json:"days"`     // that have data for it, of those that were asked for
	OfDays   int        `json:"of_days"`  // that were asked for
	Compared []Compared `json:"compared"` // for each further period; none of hours to come
}

// A Refusal is the document of a question that cannot be answered, with what can
// be asked.
type Refusal struct {
	Error    string     `json:"error"` // a sentence for the person who asks
	Oldest   civil.Date `json:"oldest"`
	Today    civil.Date `json:"today"`
	Stations []Station  `json:"stations"`
}

// Refuse makes the document of an error of Answer.
func (s *Store) Refuse(why error) Refusal {
	today := s.today()
	r := Refusal{Error: why.Error(), Oldest: today.AddDays(1 - Days), Today: today, Stations: []Station{}}
	for _, name := range s.last.Load().stations {
		r.Stations = append(r.Stations, Station{Name: name})
	}
	return r
}

// A question is an Ask with what it is asked of.
type question struct {
	Ask
	*content
	today   civil.Date
	now     time.Time // in the network
	until   int64     // hours before this one are over today
	hour    int64     // of now
	periods []Period
	order   map[string]int     // the place of each station
	sets    map[[2]int]hourSet // by evidence and period
	pairs   map[[2]int]*pair   // likewise
	sums    map[int]*tally     // by period
}

// Answer answers a question. A question that cannot be understood is an error
// with a sentence for the person who asks.
func (s *Store) Answer(values url.Values) (*Answer, error) {
	moment := s.Moment()
	now := moment.At.In(s.Location)
	today := civil.DateOf(now)
	ask, err := ParseAsk(values, today)
	if err != nil {
		return nil, err
	}
	s.asking()
	q := &question{Ask: ask, content: s.last.Load(), today: today, now: now, hour: int64(now.Hour()),
		order: map[string]int{}, sets: map[[2]int]hourSet{}, pairs: map[[2]int]*pair{}, sums: map[int]*tally{}}
	q.until = q.complete(moment, now)
	if err := q.known(); err != nil {
		return nil, err
	}
	q.periods = q.Ask.periods(today)
	again := moment.Again && q.To == today
	if again {
		q.periods = q.periods[:1]
	}
	a := &Answer{
		Version: q.version, Reading: s.seen.Load() < s.runs.Load(), Failure: q.failure, TimeZone: s.Location.String(), Now: now,
		Oldest: today.AddDays(1 - Days), Today: today, FirstDay: q.first(today),
		Simulated: moment.Simulated, Again: again, Silent: q.silent(),
		Range: q.Range, Hours: [2]int{q.First, q.End}, Compare: q.Compare, Periods: q.periods,
		Stations: []Station{}, Open: q.open(now), Freshness: q.fresh(s.Now(), s.Location),
	}
	if !q.readAt.IsZero() {
		at := q.readAt.In(s.Location)
		a.ReadAt = &at
	}
	if at := s.Last().ComputedAt; !at.IsZero() {
		a.ComputedAt = new(at.In(s.Location))
	}
	if q.To == today {
		a.Until = new(int(min(q.until, int64(q.End))))
	}
	a.ToCome = q.toCome()
	for i, name := range q.stations {
		q.order[name] = i
		a.Stations = append(a.Stations, Station{name, len(q.Stations) > 0 && q.chosen(name)})
	}
	a.Figures, a.Estimated = q.figures()
	a.Charts = q.charts()
	for i := range a.Charts { // an empty list, never null
		a.Charts[i].Series = append([]Series{}, a.Charts[i].Series...)
		a.Charts[i].Rows = append([]Row{}, a.Charts[i].Rows...)
		for j := range a.Charts[i].Rows {
			a.Charts[i].Rows[j].Values = append([]any{}, a.Charts[i].Rows[j].Values...)
		}
	}
	return a, nil
}

// known refuses stations that nothing is known of, once anything is known.
func (q *question) known() error {
	for _, name := range q.Stations {
		if len(q.stations) > 0 && !slices.Contains(q.stations, name) {
			return fmt.Errorf("there is no station (station) %q: use %s", name, listed(q.stations, "or"))
		}
	}
	return nil
}

// mostListed is how many names one sentence has.
const mostListed = 8

// listed writes names as people do; the last is after a word such as "and".
func listed(names []string, word string) string {
	if more := len(names) - mostListed; more > 1 {
		names = append(slices.Clone(names[:mostListed]), fmt.Sprintf("%d others", more))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}

// complete is the hour before which today's hours are complete: the sums have
// got into a later one, or were computed in one.
func (q *question) complete(moment Moment, now time.Time) int64 {
	if moment.Over {
		return 24
	}
	reached := int64(0)
	if d := q.days[q.today]; d != nil {
		for i := range d.flow {
			reached = max(reached, d.flow[i].Hour)
		}
		for i := range d.arrivals {
			reached = max(reached, d.arrivals[i].Hour)
		}
	}
	for _, topic := range q.freshness {
		if at := topic.ComputedAt.In(now.Location()); !moment.Simulated && civil.DateOf(at) == q.today {
			reached = max(reached, int64(at.Hour()))
		}
	}
	return min(reached, int64(now.Hour()))
}

// window is the whole of a period, or only the part of it that can be
// compared: its last day up to where today's hours are complete.
func (q *question) window(p Period, compared bool) window {
	w := window{from: p.From, to: p.To, first: int64(q.First), end: int64(q.End), lastEnd: 24}
	if compared && q.To == q.today {
		w.lastEnd = q.until
	}
	return w
}

// total sums everything of a window.
func (q *question) total(w window) *tally {
	if t := tallies(q.content, w, q.chosen, func(*place) struct{} { return struct{}{} })[struct{}{}]; t != nil {
		return t
	}
	return &tally{}
}

// zero is a count of nothing where there was something else to count.
func zero(t *tally, s sum) *float64 {
	if t.arrivals.known || t.flowRecords.known || t.incidents.known || t.failures.known {
		s.known = true
	}
	return s.figure()
}

func (q *question) figures() (all []Figure, estimated bool) {
	values := []struct {
		id, label, unit string
		evidence        evidence
		of              func(*tally) *float64
	}{
		{"entered", "Entered", "passengers", enteredKnown, func(t *tally) *float64 { return t.entered.figure() }},
		{"exited", "Exited", "passengers", exitedKnown, func(t *tally) *float64 { return t.exited.figure() }},
		{"waiting", "Mean waiting time", "minutes", flowKnown, func(t *tally) *float64 { return t.waiting.over(t.flowRecords) }},
		{"rejection_rate", "Tickets rejected", "share", ticketsKnown, (*tally).rejection},
		{"arrivals", "Arrivals", "trains", trainsKnown, func(t *tally) *float64 { return zero(t, t.arrivals) }},
		{"punctuality_rate", "Punctuality", "share", trainsKnown, (*tally).punctuality},
		{"delay", "Mean delay", "minutes", trainsKnown, (*tally).delay},
		{"incidents", "Incidents", "incidents", anythingKnown, func(t *tally) *float64 { return zero(t, t.incidents) }},
		{"failures", "Equipment failures", "failures", anythingKnown, func(t *tally) *float64 { return zero(t, t.failures) }},
	}
	whole := q.total(q.window(q.periods[0], false))
	for _, v := range values {
		f := Figure{ID: v.id, Label: v.label, Unit: v.unit, OfDays: q.To.DaysSince(q.From) + 1, Compared: []Compared{}}
		f.Days = q.daysHeard(v.evidence)
		if !q.toCome() {
			f.Value, f.Until = v.of(whole), v.of(q.upTo(0))
			for i := 1; i < len(q.periods); i++ {
				f.Compared = append(f.Compared, q.compare(v.evidence, i, v.of))
			}
		}
		all = append(all, f)
	}
	return all, whole.estimated
}

// hour writes an hour of the day.
func hour(h int64) string { return fmt.Sprintf("%02d:00", h) }
