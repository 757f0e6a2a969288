package view

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"cloud.google.com/go/civil"
)

// mostGaps is how many hours that are missing are named.
const mostGaps = 3

// records are what an hour that is missing has none of.
var records = map[evidence]string{
	enteredKnown: "passenger records", exitedKnown: "passenger records", flowKnown: "passenger records",
	ticketsKnown: "ticket records", trainsKnown: "train records",
}

// missing names the hours that are not compared, where these are few: the
// station that has no records then, whether it sent anything else, and an
// incident that may be why.
func (q *question) missing(b *basis) string {
	if len(b.gaps) > mostGaps {
		return ""
	}
	hours, why := map[string][]string{}, []string{}
	for _, slot := range b.gaps {
		for _, period := range b.periods {
			if q.heard(b.evidence, period)[slot] {
				continue
			}
			at, reason := q.gap(b.evidence, period, slot)
			if hours[reason] == nil {
				why = append(why, reason)
			}
			hours[reason] = append(hours[reason], at)
		}
	}
	for i, reason := range why {
		why[i] = "without " + listed(hours[reason], "and") + ", for which " + reason
	}
	return strings.Join(why, "; ")
}

// gap is one hour without records, and why it is one.
func (q *question) gap(e evidence, period, slot int) (at, reason string) {
	p, station := q.periods[period], q.stations[slot%len(q.stations)]
	h := int64(slot / len(q.stations) % 24)
	date := p.From.AddDays(slot / len(q.stations) / 24)
	at, reason = hour(h), fmt.Sprintf("%s has no %s", station, records[e])
	if !q.heard(anythingKnown, period)[slot] {
		reason = station + " sent nothing at all"
	}
	if p.From != p.To {
		at = q.label(date, date, q.today) + " " + at
	} else {
		reason += " " + on(p.Label)
	}
	if incident := q.incidentIn(date, h, station); incident != "" {
		reason += "; " + incident
	}
	return at, reason
}

// on is when a day of a label was: "today", "on Fri 27 Nov".
func on(label string) string {
	if unicode.IsUpper([]rune(label)[0]) {
		return "on " + label
	}
	return label
}

// incidentIn is the incident that went on at a station in an hour; "" for none.
// Of earlier days only the hour is known in which it began.
func (q *question) incidentIn(date civil.Date, h int64, station string) string {
	start := time.Date(date.Year, date.Month, date.Day, int(h), 0, 0, 0, q.now.Location())
	for _, d := range q.disturbances {
		if d.Kind == "incident" && d.Station == station && d.BeganAt.Before(start.Add(time.Hour)) && d.EndsAt.After(start) {
			clock := func(at time.Time) string { return at.In(start.Location()).Format("15:04") }
			return "incident " + clock(d.BeganAt) + "–" + clock(d.EndsAt)
		}
	}
	if d := q.days[date]; d != nil {
		for _, e := range d.incidents {
			if e.Station == station && e.Hour <= h && float64(60*(e.Hour+1))+e.Minutes.Float64 > float64(60*h) {
				return "incident from the hour of " + hour(e.Hour) + " on"
			}
		}
	}
	return ""
}

// daysHeard is how many of the days that were asked for have evidence.
func (q *question) daysHeard(e evidence) int {
	days := map[civil.Date]bool{}
	q.hears(q.window(q.periods[0], false), e, func(p *place) { days[p.Date] = true })
	return len(days)
}

// silentAfter is how many hours a station may be behind the others before the
// page says so.
const silentAfter = 2

// silent says of the chosen stations which have not reported passengers for
// longer than others have.
func (q *question) silent() []string {
	said, last, newest := []string{}, map[string]int{}, -1
	for date, d := range q.days {
		for i := range d.flow {
			if f := &d.flow[i]; f.Records > 0 {
				at := Days*24 - q.today.DaysSince(date)*24 + int(f.Hour)
				last[f.Station], newest = max(last[f.Station], at), max(newest, at)
			}
		}
	}
	for _, station := range q.wanted() {
		at, known := last[station]
		switch {
		case newest < 0 || known && newest-at < silentAfter:
		case !known:
			said = append(said, fmt.Sprintf("%s: no passenger records in the last %d days", station, Days))
		default:
			date, day := q.today.AddDays(at/24-Days), ""
			if date != q.today {
				day = q.label(date, date, q.today) + " "
			}
			said = append(said, fmt.Sprintf("%s: no passenger records since the hour of %s%s", station, day, hour(int64(at%24))))
		}
	}
	return said
}

// unfinished reports whether the last of the days that were asked for is today,
// and some of its hours that were asked for are not over.
func (q *question) unfinished() bool { return q.To == q.today && q.until < int64(q.End) }

// joined writes what is not "" with commas.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), ", ")
}
