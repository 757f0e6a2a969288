package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"
)

// now is a Sunday, 29 November, shortly after ten.
var (
	now   = time.Date(2026, 11, 29, 10, 20, 0, 0, time.UTC)
	today = civil.DateOf(now)
)

// marts stand for the warehouse.
type marts struct {
	reading
	fresh []freshness
	going []disturbance
	err   error
	froms []civil.Date // of each reading
	asked int          // how often for disturbances
}

func (m *marts) marts(_ context.Context, from civil.Date) (*reading, error) {
	m.froms = append(m.froms, from)
	read := m.reading
	read.freshness = m.fresh
	read.flow = nil
	for _, f := range m.flow {
		if !f.Date.Before(from) {
			read.flow = append(read.flow, f)
		}
	}
	return &read, m.err
}

func (m *marts) disturbances(context.Context, time.Time) ([]disturbance, error) {
	m.asked++
	return m.going, nil
}

func float(f float64) bigquery.NullFloat64 { return bigquery.NullFloat64{Float64: f, Valid: true} }
func text(s string) bigquery.NullString    { return bigquery.NullString{StringVal: s, Valid: true} }

func at(daysAgo int, hour int64, station string) place {
	return place{today.AddDays(-daysAgo), hour, station}
}

// entered adds passengers who entered.
func (m *marts) entered(daysAgo int, hour int64, station string, n float64) {
	m.flow = append(m.flow, flow{place: at(daysAgo, hour, station), Entered: float(n), Records: 1})
}

// looked returns a store that has read the marts.
func looked(t *testing.T, m *marts) *Store {
	t.Helper()
	if m.fresh == nil {
		m.fresh = []freshness{{Topic: "incidents", Since: today, ComputedAt: now}}
	}
	s := New(Config{from: m, Now: func() time.Time { return now }})
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(t *testing.T, s *Store, address string) *Answer {
	t.Helper()
	values, err := url.ParseQuery(address)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.Answer(values)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return answer
}

func chart(t *testing.T, a *Answer, id string) Chart {
	t.Helper()
	for _, c := range a.Charts {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("there is no chart %s", id)
	return Chart{}
}

// written are the rows of a chart as text.
func written(c Chart) []string {
	var lines []string
	for _, row := range c.Rows {
		lines = append(lines, fmt.Sprint(row.Name, row.Values))
	}
	return lines
}

// figure is what was counted, of it the complete hours, and earlier periods.
func figure(a *Answer, id string) string {
	show := func(f *float64) string {
		if f == nil {
			return "-"
		}
		return fmt.Sprint(*f)
	}
	for _, f := range a.Figures {
		if f.ID == id {
			line := show(f.Value) + " " + show(f.Until)
			for _, before := range f.Compared {
				line += " " + show(before.Value)
			}
			return line
		}
	}
	return "there is no figure " + id
}

// How many entered at Station B this morning, and in the same hours yesterday
// and a week ago: the hour that goes on counts today, and nowhere else.
func TestAnswer_ComparesTheSameHours(t *testing.T) {
	t.Parallel()
	m := &marts{}
	for daysAgo, scale := range map[int]float64{0: 1, 1: 10, 7: 100, 8: 1000} {
		for hour := int64(6); hour < 23; hour++ {
			if daysAgo == 0 && hour > 10 {
				break
			}
			m.entered(daysAgo, hour, "Station B", scale*float64(hour))
			m.entered(daysAgo, hour, "Station A", 1e6)
		}
	}
	s := looked(t, m)
	for address, want := range map[string]string{
		"station=Station+B":                                           "40 30 300 3000",
		"station=Station+B&hours=6-12":                                "40 30 300 3000",
		"station=Station+B&hours=6-8":                                 "13 13 130 1300",
		"station=Station+B&hours=11-14":                               "- -",
		"station=Station+B&compare=week":                              "40 30 3000",
		"station=Station+B&compare=before":                            "40 30 300",
		"station=Station+B&compare=none":                              "40 30",
		"station=Station+B&range=yesterday&hours=6-12":                "510 510 - 51000",
		"station=Station+B&range=7d":                                  "2420 2410 241000",
		"range=dates&from=2026-11-21&to=2026-11-22&station=Station+B": "261800 261800 - -",
	} {
		if got := figure(ask(t, s, address), "entered"); got != want {
			t.Errorf("%s: entered %s, want %s", address, got, want)
		}
	}
	_, err := s.Answer(url.Values{"station": {"Station A", "Nowhere"}})
	if err == nil || err.Error() != `there is no station (station) "Nowhere": use Station A or Station B` {
		t.Errorf("of a station that is not there the page says: %v", err)
	}
}

// The time there may be ahead of the sums: hours that they have not reached are
// not compared. Where the clock tells the time, sums that were computed in an
// hour know all of those before, though nobody came.
func TestAnswer_HoursThatTheSumsHaveNotReached(t *testing.T) {
	t.Parallel()
	m := &marts{fresh: []freshness{{Topic: "incidents", ComputedAt: now}}}
	m.entered(0, 7, "A", 5)
	m.entered(0, 8, "A", 1)
	m.entered(1, 7, "A", 4)
	m.entered(1, 8, "A", 3)
	for simulated, want := range map[bool]string{true: "6 5 4", false: "6 6 7"} {
		s := New(Config{from: m, Now: func() time.Time { return now }, Moment: func() Moment { return Moment{At: now, Simulated: simulated} }})
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := figure(ask(t, s, "compare=before"), "entered"); got != want {
			t.Errorf("simulated %v: entered %s, want %s", simulated, got, want)
		}
	}
}

// Once simulated stations have played today to its end, all of its hours are
// complete although the clock stands at the morning again.
func TestAnswer_DayThatIsPlayedAgain(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.entered(0, 20, "A", 5)
	m.entered(1, 20, "A", 4)
	s := New(Config{from: m, Now: func() time.Time { return now }, Moment: func() Moment { return Moment{At: now, Over: true} }})
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := figure(ask(t, s, "compare=before"), "entered"); got != "5 5 4" {
		t.Errorf("entered %s, want 5 5 4", got)
	}
}

// A mean by hour is of the days whose hour is over: today counts in no hour that
// has not ended.
func TestCharts_MeanOfAnHour(t *testing.T) {
	m := &marts{}
	for daysAgo := range 3 {
		for hour := range int64(24) {
			if daysAgo > 0 || hour <= 10 {
				m.entered(daysAgo, hour, "Station A", 90)
			}
		}
	}
	a := ask(t, looked(t, m), "range=7d&compare=none&station=Station+A")
	for _, row := range chart(t, a, "entered_by_hour").Rows {
		if len(row.Values) != 1 || row.Values[0] != 90. {
			t.Errorf("%s: %v, want 90 in every hour", row.Name, row.Values)
		}
	}
}

// Hours in which nothing ever came give empty lists, never null: the page reads
// them.
func TestCharts_HoursWithoutAnything(t *testing.T) {
	m := &marts{}
	m.entered(1, 9, "Station A", 3)
	for _, hours := range []string{"2-4", "9-10"} {
		text, err := json.Marshal(ask(t, looked(t, m), "hours="+hours).Charts)
		if err != nil || strings.Contains(string(text), `"values":null`) || strings.Contains(string(text), `"series":null`) {
			t.Errorf("%s: %v, %s", hours, err, text)
		}
	}
}

// The heat map is of complete days alone, each hour of a weekday by how many of
// it have data.
func TestCharts_PeakHours(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.entered(0, 8, "A", 1e6) // today is not over
	m.entered(1, 8, "A", 30)  // Saturday
	m.entered(8, 8, "A", 10)  // Saturday before
	m.entered(8, 17, "A", 50)
	m.entered(2, 17, "A", 8) // Friday
	m.entered(2, 17, "B", 4)
	s := looked(t, m)
	heat := chart(t, ask(t, s, ""), "entered_by_weekday_and_hour")
	if !strings.Contains(heat.Note, "3 complete days, 21 Nov to 27 Nov") && !strings.Contains(heat.Note, "3 complete days, 21 Nov to 28 Nov") {
		t.Errorf("the note is %q", heat.Note)
	}
	var got []string
	for _, row := range heat.Rows {
		for i, value := range row.Values {
			if f, ok := value.(float64); ok && f > 0 {
				got = append(got, fmt.Sprintf("%s %s %v", row.Name, heat.Series[i].Label, f))
			}
		}
	}
	if diff := cmp.Diff([]string{"Friday 17 12", "Saturday 08 20", "Saturday 17 50"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{"A[17:00 8 <nil> <nil> 17:00 50 Saturday 17:00 50]", "B[17:00 4 <nil> <nil> <nil> <nil> Friday 17:00 4]"}
	if diff := cmp.Diff(want, written(chart(t, ask(t, s, ""), "peak_hours"))); diff != "" {
		t.Errorf("peaks (-want +got):\n%s", diff)
	}
}

func TestCharts_LateTrains(t *testing.T) {
	t.Parallel()
	m := &marts{reading: reading{
		arrivals: []arrivals{
			{place: at(0, 8, "A"), Direction: text("West"), Arrivals: 4, Scheduled: 4, OnTime: 1, MinutesLate: float(40)},
			{place: at(0, 8, "A"), Direction: text("East"), Arrivals: 2, Scheduled: 2, OnTime: 2, MinutesLate: float(1)},
			{place: at(1, 8, "B"), Direction: text("West"), Arrivals: 4, Scheduled: 4, OnTime: 3, MinutesLate: float(9)},
			{place: at(1, 8, "B"), Arrivals: 1, Scheduled: 0, OnTime: 0},
		},
		late: []late{
			{place: at(0, 8, "A"), Direction: text("West"), Train: "W1", Late: 2, Scheduled: 2, MinutesLate: float(30)},
			{place: at(0, 9, "B"), Direction: text("West"), Train: "W1", Late: 1, Scheduled: 1, MinutesLate: float(6)},
			{place: at(0, 9, "A"), Direction: text("West"), Train: "W2", Late: 1, Scheduled: 1, MinutesLate: float(10)},
		},
	}}
	m.entered(0, 8, "A", 1)
	m.entered(1, 8, "B", 1)
	a := ask(t, looked(t, m), "range=7d&compare=none")
	for id, want := range map[string][]string{
		"late_trains":              {"W1[West 3 12 1 A, B]", "W2[West 1 10 1 A]"},
		"punctuality_by_direction": {"East[1 0.5]", "West[0.5 6.125]", "unknown[<nil> <nil>]"},
		"punctuality_by_day":       {"2026-11-28[0.75 <nil> 0.75 <nil>]", "2026-11-29[0.5 1 0.25 <nil>]"},
		"punctuality_by_station":   {"A[0.5]", "B[0.75]"},
	} {
		if diff := cmp.Diff(want, written(chart(t, a, id))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	if note := chart(t, a, "late_trains").Note; !strings.Contains(note, "all others are counted by direction") {
		t.Errorf("of late trains the page says %q, not that only these have numbers", note)
	}
	if got := figure(a, "punctuality_rate"); got != "0.6 0.6" {
		t.Errorf("punctuality is %s, want 0.6 twice", got)
	}
}

func TestCharts_Platforms(t *testing.T) {
	t.Parallel()
	m := &marts{reading: reading{
		incidents: []events{
			{place: at(1, 8, "A"), Zone: "A / Dock 2", What: "Technique", Severity: text("Minor"), Count: 1, Minutes: float(5)},
			{place: at(6, 8, "A"), Zone: "A / Dock 2", What: "fire", Severity: text("Major"), Count: 2, Minutes: float(50)},
			{place: at(7, 8, "B"), Zone: "B / Dock 1", What: "fire", Severity: text("Major"), Count: 9, Minutes: float(50)},
		},
		failures: []events{{place: at(0, 8, "B"), Zone: "B / Dock 1", What: "lift", Count: 3, Minutes: float(1)}},
	}}
	for daysAgo := range 14 { // an hour of which something is known has no incident else
		m.entered(daysAgo, 8, "A", 1)
		m.entered(daysAgo, 8, "B", 1)
	}
	a := ask(t, looked(t, m), "range=7d")
	if diff := cmp.Diff([]string{"A / Dock 2[3 0 55]", "B / Dock 1[0 3 0]"}, written(chart(t, a, "platforms"))); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Technique[1 0]", "fire[2 9]"}, written(chart(t, a, "incidents_by_type"))); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestAnswer_Open(t *testing.T) {
	t.Parallel()
	began := now.Add(-time.Hour)
	m := &marts{going: []disturbance{
		{Kind: "equipment failure", What: "lift", Station: "A", Zone: "A / Dock 1", BeganAt: now, EndsAt: now.Add(time.Minute)},
		{Kind: "incident", What: "minor", Station: "A", Zone: "A / Dock 1", Severity: text("Minor"), BeganAt: began.Add(time.Minute), EndsAt: now.Add(time.Second)},
		{Kind: "incident", What: "major", Station: "B", Zone: "elsewhere", Severity: text("Major"), BeganAt: began, EndsAt: now.Add(time.Hour)},
		{Kind: "incident", What: "over", Station: "B", Zone: "B / Dock 1", Severity: text("Major"), BeganAt: began, EndsAt: now},
		{Kind: "incident", What: "long over", Station: "B", Zone: "B / Dock 1", Severity: text("Major"), BeganAt: began, EndsAt: now.Add(-time.Hour)},
		{Kind: "incident", What: "to come", Station: "B", Zone: "B / Dock 1", Severity: text("Major"), BeganAt: now.Add(time.Second), EndsAt: now.Add(time.Hour)},
	}}
	s := looked(t, m)
	var got []string
	for _, o := range ask(t, s, "").Open {
		got = append(got, fmt.Sprint(o.What, " ", o.Place, " ", o.Age, " ", o.Past))
	}
	if diff := cmp.Diff([]string{"major elsewhere 3600 false", "minor Dock 1 3540 false", "lift Dock 1 0 false", "over Dock 1 3600 true"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if open := ask(t, s, "station=A").Open; len(open) != 2 {
		t.Errorf("at A: %+v, want two", open)
	}
}

// Marts are read while somebody looks, and then only the days that can have
// changed; a reading that fails leaves what was there, and is told.
func TestStore_ReadsLittle(t *testing.T) {
	t.Parallel()
	clock, m := now, &marts{}
	m.entered(0, 8, "A", 1)
	s := New(Config{from: m, Now: func() time.Time { return clock }})
	changed := func() {
		t.Helper()
		if err := s.Changed(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	changed() // the first time, so that the page is quick
	changed() // nobody looks
	if len(m.froms) != 1 || m.froms[0] != today.AddDays(1-Days) {
		t.Errorf("read from %v, want once, the oldest day", m.froms)
	}
	s.asked.Store(clock.UnixNano()) // somebody looks
	changed()
	if m.asked != 1 {
		t.Errorf("asked %d times what goes on, though nothing of it came", m.asked)
	}
	m.fresh = []freshness{{Topic: "incidents", Since: today.AddDays(-9), ArrivedAt: clock}}
	changed() // finds out that older days have changed
	changed() // knows it
	clock = clock.Add(remembered)
	s.asked.Store(clock.UnixNano())
	changed()
	if want := []civil.Date{m.froms[0], today.AddDays(-1), today.AddDays(-1), today.AddDays(-9), today.AddDays(-9), m.froms[0]}; !cmp.Equal(m.froms, want) {
		t.Errorf("read from %v, want %v", m.froms, want)
	}
	if m.asked != 3 {
		t.Errorf("asked %d times what goes on, want once more after incidents came, and with all days", m.asked)
	}
	m.err = errors.New("away")
	if err := s.Changed(t.Context()); err == nil {
		t.Error("a reading that failed is not told")
	}
	if a := ask(t, s, ""); !strings.Contains(a.Failure, "away") || figure(a, "entered") == "- -" || a.Version != 6 {
		t.Errorf("failure %q, version %d, entered %s: want the reason, and the figures as they were", a.Failure, a.Version, figure(a, "entered"))
	}
}
