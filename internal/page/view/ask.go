package view

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// An Ask is one question, as the address of the page has it: range=today,
// yesterday, 7d, 28d or dates with from and to, which alone mean dates too;
// hours=6-12, the first hour and
// the one before which it ends; a station for each that is wanted, none for
// all; compare=both, before, week or none.
type Ask struct {
	Range    string
	From, To civil.Date // both included
	First    int        // hours of the day from First up to, not including, End
	End      int
	Stations []string
	Compare  string
}

// ranges are the named ones: how many days they have, and how long ago they
// end.
var ranges = map[string]struct{ days, ago int }{"today": {1, 0}, "yesterday": {1, 1}, "7d": {7, 0}, "28d": {28, 0}}

// ParseAsk reads a question that is asked today. Its error is a sentence for
// the person who wrote the address.
func ParseAsk(values url.Values, today civil.Date) (Ask, error) {
	between := values.Get("from") != "" || values.Get("to") != ""
	a := Ask{Range: values.Get("range"), Compare: cmp.Or(values.Get("compare"), "both"), End: 24}
	if a.Range == "" {
		a.Range = map[bool]string{true: "dates", false: "today"}[between]
	}
	if named, ok := ranges[a.Range]; ok && between {
		return a, fmt.Errorf("the days (range) are %q, but from and to choose others: leave out the one or the other", a.Range)
	} else if ok {
		a.To = today.AddDays(-named.ago)
		a.From = a.To.AddDays(1 - named.days)
	} else if a.Range != "dates" {
		return a, fmt.Errorf("the days (range) are %q: use today, yesterday, 7d, 28d, or dates with from and to", a.Range)
	} else if err := a.dates(values, today); err != nil {
		return a, err
	}
	if !slices.Contains([]string{"both", "before", "week", "none"}, a.Compare) {
		return a, fmt.Errorf("the comparison (compare) is %q: use both, before, week or none", a.Compare)
	}
	if hours := values.Get("hours"); hours != "" {
		first, end, _ := strings.Cut(hours, "-")
		var faulty [2]error
		a.First, faulty[0] = strconv.Atoi(first)
		a.End, faulty[1] = strconv.Atoi(end)
		if faulty[0] != nil || faulty[1] != nil || a.First < 0 || a.End > 24 || a.First >= a.End {
			return a, fmt.Errorf("the hours (hours) are %q: use two hours of the day from 0 to 24, such as 6-12 from 06:00 to 12:00", hours)
		}
	}
	for _, station := range values["station"] {
		if station != "" && !slices.Contains(a.Stations, station) {
			a.Stations = append(a.Stations, station)
		}
	}
	return a, nil
}

func (a *Ask) dates(values url.Values, today civil.Date) error {
	for _, one := range []struct {
		name, of string
		into     *civil.Date
	}{{"from", "first", &a.From}, {"to", "last", &a.To}} {
		text := values.Get(one.name)
		date, err := civil.ParseDate(text)
		switch {
		case text == "":
			return fmt.Errorf("the %s day (%s) is missing: choose a date, such as %s", one.of, one.name, today)
		case err != nil:
			return fmt.Errorf("the %s day (%s) is %q, which is not a date: choose one such as %s", one.of, one.name, text, today)
		}
		*one.into = date
	}
	switch oldest := today.AddDays(1 - Days); {
	case a.To.Before(a.From):
		return fmt.Errorf("the first day (from), %s, is later than the last (to), %s: exchange them or choose others", a.From, a.To)
	case a.From.Before(oldest):
		return fmt.Errorf("the first day (from), %s, is too long ago: the page has the last %d days, so choose %s or later", a.From, Days, oldest)
	case a.To.After(today):
		return fmt.Errorf("the last day (to), %s, is still to come: choose %s, which is today, or earlier", a.To, today)
	}
	return nil
}

// chosen reports whether a station was asked for.
func (a *Ask) chosen(station string) bool {
	return len(a.Stations) == 0 || slices.Contains(a.Stations, station)
}

// A Period is one span of days that an answer has figures of: the one that was
// asked for, or an earlier one that it is compared with.
type Period struct {
	ID    string     `json:"id"` // this, before or week
	Label string     `json:"label"`
	From  civil.Date `json:"from"`
	To    civil.Date `json:"to"`
}

// periods are the one that was asked for, and those it is compared with.
func (a *Ask) periods(today civil.Date) []Period {
	days := a.To.DaysSince(a.From) + 1
	weeks := 7 * ((days + 6) / 7)
	all := []Period{{"this", a.label(a.From, a.To, today), a.From, a.To}}
	shift := func(id string, by int) {
		from, to := a.From.AddDays(-by), a.To.AddDays(-by)
		all = append(all, Period{id, a.label(from, to, today), from, to})
	}
	if days != weeks && (a.Compare == "both" || a.Compare == "before") {
		shift("before", days)
	}
	if a.Compare != "none" && (a.Compare != "before" || days == weeks) {
		shift("week", weeks)
	}
	return all
}

// label is what people call a span of days. Who chose dates sees dates.
func (a *Ask) label(from, to, today civil.Date) string {
	day := func(d civil.Date) string {
		at := d.In(time.UTC)
		return strconv.Itoa(d.Day) + at.Format(" Jan")
	}
	if from != to {
		return day(from) + " to " + day(to)
	}
	date := from.In(time.UTC).Format("Mon ") + day(from)
	word := map[int]string{0: "today", 1: "yesterday", 7: "a week ago"}[today.DaysSince(from)]
	switch {
	case word == "":
		return date
	case a.Range == "dates":
		return date + ", " + word
	}
	return word
}
