package view

import (
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// How many days a figure is of is said beside it.
func TestAnswer_DaysThatHaveData(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.entered(1, 8, "A", 10)
	m.entered(3, 8, "A", 10)
	for _, f := range ask(t, looked(t, m), "range=7d").Figures {
		want := map[string]int{"entered": 2, "waiting": 2, "incidents": 2, "failures": 2}[f.ID]
		if f.OfDays != 7 || f.Days != want {
			t.Errorf("%s is of %d of %d days, want %d of 7", f.ID, f.Days, f.OfDays, want)
		}
	}
}

// A station that reports no passengers while others do is named.
func TestAnswer_SilentStations(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.entered(0, 10, "A", 1)
	m.entered(0, 8, "B", 1)
	m.entered(0, 9, "C", 1)
	m.entered(2, 23, "D", 1)
	m.flow = append(m.flow, flow{place: at(0, 10, "B"), Entered: float(9)}) // estimated
	m.arrivals = []arrivals{{place: at(0, 10, "E"), Arrivals: 1}}
	s := looked(t, m)
	want := []string{"B: no passenger records since the hour of 08:00", "D: no passenger records since the hour of Fri 27 Nov 23:00", "E: no passenger records in the last 90 days"}
	if diff := cmp.Diff(want, ask(t, s, "").Silent); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := ask(t, s, "station=A").Silent; len(got) > 0 {
		t.Errorf("of A alone: %q", got)
	}
}

// A second peak is apart from the first and fuller than the hours beside it, and
// both are of the hours that were asked for.
func TestCharts_SecondPeak(t *testing.T) {
	t.Parallel()
	m := &marts{}
	for h, n := range map[int64]float64{6: 20, 7: 80, 8: 100, 9: 90, 10: 30, 11: 29, 12: 40, 16: 60, 17: 70, 18: 65} {
		m.entered(2, h, "A", n)
	}
	s := looked(t, m)
	for address, want := range map[string]string{
		"":           "A[08:00 100 17:00 70 <nil> <nil> Friday 08:00 100]",
		"hours=6-10": "A[08:00 100 <nil> <nil> <nil> <nil> Friday 08:00 100]",
		"hours=6-17": "A[08:00 100 12:00 40 <nil> <nil> Friday 08:00 100]",
	} {
		c := chart(t, ask(t, s, address), "peak_hours")
		if got := written(c); !cmp.Equal(got, []string{want}) {
			t.Errorf("%q: %s, want %s", address, got, want)
		}
		if within := strings.Contains(c.Note, " Within 06:00–10:00."); within != (address == "hours=6-10") {
			t.Errorf("%q: the note is %q", address, c.Note)
		}
	}
}

// A cell of the week that a station is missing in says so.
func TestCharts_HeatOfSomeStations(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(2, 8, 10, "A", 10)
	m.entered(2, 8, "B", 10)
	m.entered(0, 8, "C", 10) // which has no complete day
	a := ask(t, looked(t, m), "")
	c := chart(t, a, "entered_by_weekday_and_hour")
	if got := fmt.Sprintf("%q", c.Rows[4].Marks); got != `["" "1 of 2 stations"]` || !strings.Contains(c.Note, "Hatched: not all stations have data.") {
		t.Errorf("marked %s, %q", got, c.Note)
	}
	var file strings.Builder
	if err := a.WriteCSV(&file, &c); err != nil || !strings.Contains(file.String(), "09: 1 of 2 stations") {
		t.Errorf("%v: the file is %s", err, file.String())
	}
}

// No two columns of a file have the same name.
func TestAnswer_ColumnsOfFiles(t *testing.T) {
	t.Parallel()
	m := &marts{}
	m.hourly(0, 6, 9, "A", 10)
	m.hourly(1, 6, 9, "A", 10)
	a := ask(t, looked(t, m), "range=7d")
	for i := range a.Charts {
		var file strings.Builder
		if err := a.WriteCSV(&file, &a.Charts[i]); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		head, err := csv.NewReader(strings.NewReader(file.String())).Read()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range head {
			if seen[name] {
				t.Errorf("%s has two columns %s", a.Charts[i].ID, name)
			}
			seen[name] = true
		}
	}
}

// The page says what late is, as the dbt project has it.
func TestCharts_SayWhatLateIs(t *testing.T) {
	t.Parallel()
	project, err := os.ReadFile("../../../dbt/dbt_project.yml")
	if err != nil || !strings.Contains(string(project), "punctuality_threshold_minutes: 5\n") || !strings.HasPrefix(lateMeans, "Late: more than 5 minutes ") {
		t.Errorf("%v: the dbt project has another threshold than %q", err, lateMeans)
	}
	m := &marts{}
	for i := range mostTrains + 2 {
		m.late = append(m.late, late{place: at(0, 8, "A"), Train: fmt.Sprint("T", i), Late: 1, Scheduled: 1, MinutesLate: float(float64(10 + i))})
	}
	a := ask(t, looked(t, m), "")
	if note := chart(t, a, "punctuality_by_day").Note; !strings.HasPrefix(note, lateMeans) {
		t.Errorf("day by day the page says %q", note)
	}
	c := chart(t, a, "late_trains")
	if !strings.HasPrefix(c.Note, "15 of 17 late trains. Those that were late most often, then those with the longest delays.") || c.Rows[0].Name != "T16" {
		t.Errorf("of late trains the page says %q, and %s is the first", c.Note, c.Rows[0].Name)
	}
}

// Of many places the worst are shown, and how many there are is said.
func TestCharts_SomePlaces(t *testing.T) {
	t.Parallel()
	m := &marts{}
	for i := range 20 {
		m.incidents = append(m.incidents, events{place: at(0, 8, "A"), Zone: fmt.Sprintf("A / Dock %d", i), What: "fire", Count: int64(i + 1)})
	}
	c := chart(t, ask(t, looked(t, m), ""), "platforms")
	if c.Note != "12 of 20 places, those with most incidents." || c.Rows[0].Name != "A / Dock 19" {
		t.Errorf("of places the page says %q, and %s is the first", c.Note, c.Rows[0].Name)
	}
}
