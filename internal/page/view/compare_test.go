package view

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// changed is what the page says of a figure and an earlier period.
func changed(a *Answer, id string, period int) string {
	for _, f := range a.Figures {
		if f.ID == id {
			c := f.Compared[period-1]
			show := func(value *float64) string {
				if value == nil {
					return "-"
				}
				return fmt.Sprint(*value)
			}
			return strings.TrimSpace(show(c.Value) + ": " + show(c.This) + " " + show(c.Before) + " " + joined(c.Shared, c.Note))
		}
	}
	return "there is no figure " + id
}

// hourly adds who entered at a station in each hour of a day, from one up to
// another.
func (m *marts) hourly(daysAgo int, from, to int64, station string, n float64) {
	for h := from; h < to; h++ {
		m.entered(daysAgo, h, station, n)
	}
}

// An hour that one of two periods has no data for is compared in neither, and
// where most are so nothing is compared.
func TestCompare_HoursThatBothHave(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fill func(m *marts)
		want string
	}{
		"whole":    {func(m *marts) { m.hourly(2, 0, 24, "A", 5) }, "120: 240 120"},
		"a gap":    {func(m *marts) { m.hourly(2, 0, 18, "A", 5) }, "90: 180 90 18 of 24 hours"},
		"half":     {func(m *marts) { m.hourly(2, 0, 12, "A", 5) }, "60: 120 60 12 of 24 hours"},
		"3 hours":  {func(m *marts) { m.hourly(2, 0, 3, "A", 1) }, "3: - - no comparison: 3 of 24 hours have data in both"},
		"nothing":  {func(*marts) {}, "-: - -"},
		"measured": {func(m *marts) { m.hourly(2, 0, 24, "A", 0) }, "0: 240 0"},
		"another station is away": {func(m *marts) {
			m.hourly(2, 0, 24, "A", 5)
			m.hourly(1, 0, 24, "B", 1000)
		}, "120: 240 120 24 of 48 hours (24 hours × 2 stations)"},
		"both have gaps": {func(m *marts) {
			m.flow = nil
			m.hourly(1, 0, 20, "A", 10)
			m.hourly(2, 4, 24, "A", 5)
		}, "100: 160 80 16 of 24 hours"},
	} {
		m := &marts{}
		m.hourly(1, 0, 24, "A", 10)
		row.fill(m)
		a := ask(t, looked(t, m), "range=dates&from=2026-11-28&to=2026-11-28&compare=before")
		if got := changed(a, "entered", 1); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
}

// A figure is compared by what it is made of: an hour without an incident has
// none where anything else is known, but one without tickets is a gap.
func TestCompare_EachByItsOwnData(t *testing.T) {
	t.Parallel()
	m := &marts{}
	for daysAgo := 1; daysAgo <= 2; daysAgo++ {
		m.hourly(daysAgo, 6, 10, "A", 10)
		for h := int64(6); h < 10; h++ {
			if h%2 == 0 || daysAgo == 1 {
				m.arrivals = append(m.arrivals, arrivals{place: at(daysAgo, h, "A"), Arrivals: 2})
			}
		}
	}
	m.incidents = []events{{place: at(1, 7, "A"), What: "fire", Count: 1}}
	a := ask(t, looked(t, m), "range=dates&from=2026-11-28&to=2026-11-28&compare=before&hours=6-10")
	for id, want := range map[string]string{
		"entered":   "40: 40 40",
		"incidents": "0: 1 0",
		"arrivals":  "4: 4 4 2 of 4 hours, without 07:00 and 09:00, for which A has no train records on Fri 27 Nov",
	} {
		if got := changed(a, id, 1); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// Charts show beside each other only hours that all of their periods have.
func TestCharts_CompareHoursThatAllHave(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(1, 0, 24, "A", 10)
	m.hourly(1, 0, 24, "B", 1)
	m.hourly(8, 0, 16, "A", 5)
	m.hourly(8, 0, 24, "B", 1)
	s := looked(t, m)
	c := chart(t, ask(t, s, "range=yesterday&compare=week"), "entered_by_station")
	if diff := cmp.Diff([]string{"A[160 80]", "B[24 24]"}, written(c)); diff != "" || !strings.Contains(c.Note, "40 of 48 hours (24 hours × 2 stations) have data in all periods") {
		t.Errorf("%q (-want +got):\n%s", c.Note, diff)
	}
	m.flow = nil
	m.hourly(1, 0, 24, "A", 10)
	m.hourly(1, 0, 24, "B", 1)
	m.hourly(8, 0, 3, "A", 5)
	c = chart(t, ask(t, looked(t, m), "range=yesterday&compare=week"), "entered_by_station")
	if diff := cmp.Diff([]string{"A[240]", "B[24]"}, written(c)); diff != "" || c.Note != "No comparison with Sat 21 Nov: 3 of 48 hours (24 hours × 2 stations) have data in both." {
		t.Errorf("%q (-want +got):\n%s", c.Note, diff)
	}
	m.hourly(8, 0, 24, "A", 10) // and B is away
	c = chart(t, ask(t, looked(t, m), "range=yesterday&compare=week"), "entered_by_station")
	if diff := cmp.Diff([]string{"A[240 255]", "B[24 <nil>]"}, written(c)); diff != "" {
		t.Errorf("%q (-want +got):\n%s", c.Note, diff)
	}
}

// Hours that have not begun have no figure and are compared with nothing; an
// hour that goes on has a figure so far.
func TestAnswer_HoursToCome(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(0, 6, 11, "A", 10)
	m.hourly(1, 6, 22, "A", 5)
	m.hourly(7, 6, 22, "A", 5)
	s := looked(t, m)
	ahead := ask(t, s, "hours=11-14")
	if got := figure(ahead, "entered"); got != "- -" || !ahead.ToCome {
		t.Errorf("of hours to come the page says %s, to come %v", got, ahead.ToCome)
	}
	c := chart(t, ahead, "entered_by_station")
	if got := fmt.Sprint(written(c), len(c.Series)); got != "[A[{}]] 1" {
		t.Errorf("by station: %s", got)
	}
	going := ask(t, s, "hours=10-14")
	if got := changed(going, "entered", 1); going.ToCome || figure(going, "entered") != "10 - - -" || got != "-: - - no comparison yet: none of these hours is over" {
		t.Errorf("of an hour that goes on the page says %s, %s", figure(going, "entered"), got)
	}
	if got := fmt.Sprint(written(chart(t, going, "entered_by_station"))); got != "[A[10]]" {
		t.Errorf("by station: %s, want what came so far", got)
	}
	var hours []string
	for _, row := range chart(t, going, "entered_by_hour").Rows {
		hours = append(hours, fmt.Sprint(row.Name, row.Values))
	}
	if diff := cmp.Diff([]string{"10:00[10 5 5]", "11:00[{} 5 5]", "12:00[{} 5 5]", "13:00[{} 5 5]"}, hours); diff != "" {
		t.Errorf("by hour (-want +got):\n%s", diff)
	}
	if week := ask(t, s, "range=7d&hours=11-14"); week.ToCome || figure(week, "entered") != "15 15 -" {
		t.Errorf("of a week the page says %s", figure(week, "entered"))
	}
}

// In the first hour of a day's service nothing can be compared yet, and what came
// so far is shown.
func TestAnswer_FirstHour(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(0, 10, 11, "A", 10)
	m.hourly(1, 10, 22, "A", 5)
	a := ask(t, looked(t, m), "compare=before")
	if got := changed(a, "entered", 1); figure(a, "entered") != "10 - -" || got != "-: - - no comparison yet: the hours that are over have no data" {
		t.Errorf("the page says %s, %s", figure(a, "entered"), got)
	}
	if got := fmt.Sprint(written(chart(t, a, "entered_by_station"))); got != "[A[10]]" {
		t.Errorf("by station: %s, want what came so far", got)
	}
}

// A mean is of the days that have data for the hour: a gap is not 0, and an hour
// that was measured as 0 is.
func TestCharts_GapsAreNotZero(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(1, 8, 10, "A", 30) // Saturday
	m.hourly(8, 8, 9, "A", 10)  // Saturday before
	m.hourly(2, 8, 9, "A", 0)   // Friday
	m.hourly(2, 10, 11, "A", 7) // Friday
	m.entered(1, 8, "B", 1)
	a := ask(t, looked(t, m), "compare=none")
	want := []string{
		"Monday[<nil> <nil> <nil>]", "Tuesday[<nil> <nil> <nil>]", "Wednesday[<nil> <nil> <nil>]", "Thursday[<nil> <nil> <nil>]",
		"Friday[0 <nil> 7]", "Saturday[21 30 <nil>]", "Sunday[<nil> <nil> <nil>]",
	}
	var got []string
	for _, row := range chart(t, a, "entered_by_weekday_and_hour").Rows {
		line := row.Name + "["
		for i, value := range row.Values {
			line += map[bool]string{true: " "}[i > 0] + fmt.Sprint(value)
		}
		got = append(got, line+"]")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	week := ask(t, looked(t, m), "range=7d&compare=none&station=A")
	if diff := cmp.Diff([]string{"08:00[15]", "09:00[30]", "10:00[7]"}, written(chart(t, week, "entered_by_hour"))); diff != "" {
		t.Errorf("by hour (-want +got):\n%s", diff)
	}
}

// The arrow's own numbers are there, and the hour that is not in them is named
// with the station and the incident that emptied it.
func TestCompare_NamesTheHoursThatAreMissing(t *testing.T) {
	t.Parallel()
	m := &marts{}
	for _, h := range []int64{6, 7, 8} {
		m.entered(0, h, "B", 100)
	}
	m.arrivals = []arrivals{{place: at(0, 9, "B"), Arrivals: 2}}
	m.hourly(1, 6, 10, "B", 150)
	m.hourly(7, 6, 9, "B", 50)
	day := now.Truncate(24 * time.Hour)
	m.going = []disturbance{{Kind: "incident", Station: "B", Zone: "B / Dock 1", BeganAt: day.Add(8*time.Hour + 15*time.Minute), EndsAt: day.Add(10*time.Hour + 24*time.Minute)}}
	a := ask(t, looked(t, m), "station=B&hours=6-10")
	const why = "without 09:00, for which B has no passenger records today; incident 08:15–10:24"
	if got, want := changed(a, "entered", 1), "600: 300 450 3 of 4 hours, "+why; got != want {
		t.Errorf("the page says %s, want %s", got, want)
	}
	if got, want := changed(a, "entered", 2), "150: 300 150"; got != want {
		t.Errorf("of an hour that neither has the page says %s, want %s", got, want)
	}
	note := chart(t, a, "entered_by_station").Note
	if !strings.Contains(note, why) || !strings.Contains(note, "without 09:00, for which B sent nothing at all a week ago") {
		t.Errorf("by station the page says %q", note)
	}
	m.going = nil
	m.incidents = []events{{place: at(1, 8, "B"), What: "fire", Count: 1, Minutes: float(90)}}
	m.flow = nil
	m.hourly(0, 6, 10, "B", 150)
	m.hourly(1, 6, 9, "B", 150)
	if got, want := changed(ask(t, looked(t, m), "station=B&hours=6-10&compare=before"), "entered", 1),
		"450: 450 450 3 of 4 hours, without 09:00, for which B sent nothing at all yesterday; incident from the hour of 08:00 on"; got != want {
		t.Errorf("the page says %s, want %s", got, want)
	}
}

// Incidents are counted in all hours that are over: an hour without any other
// record hides none.
func TestCompare_CountsIncidentsInEveryHour(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(1, 6, 20, "A", 10)
	m.hourly(2, 6, 16, "A", 10)
	m.incidents = []events{{place: at(1, 18, "A"), What: "fire", Count: 2}, {place: at(2, 3, "A"), What: "fire", Count: 1}}
	a := ask(t, looked(t, m), "range=yesterday&compare=before")
	if got, want := changed(a, "incidents", 1), "1: 2 1 10 of 15 hours have data in both"; got != want {
		t.Errorf("the page says %s, want %s", got, want)
	}
	if got := written(chart(t, a, "incidents_by_type")); !cmp.Equal(got, []string{"fire[2 1]"}) {
		t.Errorf("by type: %s", got)
	}
}

// Days that simulated stations have played more than once are compared with
// nothing; others are.
func TestCompare_DayThatIsCountedTwice(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(0, 6, 20, "A", 20)
	m.hourly(1, 6, 20, "A", 10)
	m.hourly(2, 6, 20, "A", 10)
	s := New(Config{from: m, Now: func() time.Time { return now }, Moment: func() Moment { return Moment{At: now, Simulated: true, Over: true, Again: true} }})
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := ask(t, s, ""); !a.Again || len(a.Periods) != 1 || figure(a, "entered") != "280 280" {
		t.Errorf("today is compared: %v, %s", a.Periods, figure(a, "entered"))
	}
	if a := ask(t, s, "range=yesterday&compare=before"); a.Again || changed(a, "entered", 1) != "140: 140 140" {
		t.Errorf("yesterday is not compared: %s", changed(a, "entered", 1))
	}
}

// What goes on is marked: the hours of today that are not over, and today among
// days.
func TestCharts_MarkWhatIsNotOver(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(0, 6, 11, "A", 10)
	m.hourly(1, 6, 22, "A", 5)
	for daysAgo := range 3 {
		m.arrivals = append(m.arrivals, arrivals{place: at(daysAgo, 8, "A"), Arrivals: 2, Scheduled: 2, OnTime: 1})
	}
	marked := func(a *Answer, id string) (all []string) {
		for _, row := range chart(t, a, id).Rows {
			if row.Marks != nil {
				all = append(all, fmt.Sprint(row.Name, row.Marks))
			}
		}
		return all
	}
	s := looked(t, m)
	a := ask(t, s, "compare=before&station=A")
	if got := marked(a, "entered_by_hour"); !cmp.Equal(got, []string{"10:00[not over]"}) {
		t.Errorf("by hour %q is marked", got)
	}
	if got := marked(a, "punctuality_by_day"); !cmp.Equal(got, []string{"2026-11-29[not over not over]"}) {
		t.Errorf("by day %q is marked", got)
	}
	if note := chart(t, a, "entered_by_hour").Note; !strings.Contains(note, "Today is complete until 10:00: what is hollow is not over yet.") {
		t.Errorf("by hour the page says %q", note)
	}
	if note := chart(t, ask(t, s, "compare=none"), "entered_by_station").Note; note != "Today so far." {
		t.Errorf("by station the page says %q", note)
	}
	a = ask(t, s, "range=yesterday")
	if got := append(marked(a, "entered_by_hour"), marked(a, "punctuality_by_day")...); got != nil {
		t.Errorf("of yesterday %q is marked", got)
	}
}
