package view

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A file says what it is of to somebody who has not seen the page.
func TestAnswer_WriteCSV(t *testing.T) {
	t.Parallel()
	computed := now.Add(-time.Minute)
	a := &Answer{
		Simulated: true, ComputedAt: &computed,
		Periods: []Period{{"this", "today", today, today}, {"before", "yesterday", today.AddDays(-1), today.AddDays(-1)}},
		Hours:   [2]int{6, 12}, TimeZone: "Europe/Paris", Stations: []Station{{"Gare de l’Est", true}, {"B", false}},
	}
	c := Chart{ID: "entered_by_station", By: "Station", Note: "Each until 10:00.", Rows: []Row{
		{Name: "A, \"big\"", Values: []any{1.5, notYet{}, "x", 5. / 6}, Marks: []string{"not over"}}, {Name: "=cmd()", Values: []any{nil, 0.0, "-1", nil}},
	}}
	for _, p := range a.Periods {
		c.Series = append(c.Series, Series{Label: p.Label, Unit: "passengers", Period: p, End: 10})
	}
	c.Series = append(c.Series, Series{Label: "Note"}, Series{Label: "On time", Unit: "share"})
	var b strings.Builder
	if err := a.WriteCSV(&b, &c); err != nil {
		t.Fatal(err)
	}
	of := ",2026-11-29,2026-11-29,06:00 to 12:00,Gare de l’Est,Europe/Paris,Each until 10:00.,2026-11-29T10:19:00Z,yes\n"
	want := "Station,today 2026-11-29 06:00 to 10:00 (passengers),yesterday 2026-11-28 06:00 to 10:00 (passengers),Note,On time (%),Remarks," +
		"From date,To date,Hours,Stations,Time zone,Note 2,Figures of,Simulated\n" +
		"\"A, \"\"big\"\"\",2,,x,83.3,today: not over" + of + "'=cmd(),,0,'-1,," + of
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := a.FileName(&c), "entered_by_station_2026-11-29_06-12h_Gare-de-l-Est_compared-with_2026-11-28.csv"; got != want {
		t.Errorf("the file is called %s, want %s", got, want)
	}
}
