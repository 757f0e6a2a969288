package simulator_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

// The demo's stations differ, its weekends are quiet, its trains to the West
// are late and, day by day, a little less so, and from its day on an incident
// empties Station C in the morning's rush.
func TestDemo_TellsItsStory(t *testing.T) {
	t.Parallel()
	today := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC) // a Friday
	n := simulator.New(simulator.Config{Seed: 1, Start: today.AddDate(0, 0, -20), Plan: simulator.Demo(today)})
	type count struct{ all, late float64 }
	entered, hours, atWeekends := map[string]float64{}, map[int]float64{}, map[int]float64{}
	weekdays, weekends := 0.0, 0.0
	west, others, first, last := count{}, count{}, count{}, count{}
	rush := map[bool]int{} // trains at Station C from 08:10 to 09:25, on the day and before
	for n.Now().Before(today.AddDate(0, 0, 1)) {
		for _, e := range n.Step() {
			r := record{}
			if err := json.Unmarshal(e.Value, &r); err != nil {
				t.Fatal(err)
			}
			switch e.Topic {
			case "passenger_flow":
				entered[r.Station] += float64(r.Entered)
				if day := e.Time.Weekday(); day == time.Saturday || day == time.Sunday {
					atWeekends[e.Time.Hour()] += float64(r.Entered)
					weekends += float64(r.Entered) / 6
				} else {
					hours[e.Time.Hour()] += float64(r.Entered)
					weekdays += float64(r.Entered) / 15
				}
			case "train_arrivals":
				of := &others
				if r.Direction == "West" {
					of = &west
				}
				late := 0.0
				if r.Timestamp.Sub(r.Scheduled) > 5*time.Minute {
					late = 1
				}
				of.all, of.late = of.all+1, of.late+late
				if r.Direction == "West" && e.Time.Before(today.AddDate(0, 0, -15)) {
					first.all, first.late = first.all+1, first.late+late
				} else if r.Direction == "West" && !e.Time.Before(today.AddDate(0, 0, -4)) {
					last.all, last.late = last.all+1, last.late+late
				}
				if minute := e.Time.Hour()*60 + e.Time.Minute(); r.Station == "Station C" && minute >= 490 && minute < 565 {
					rush[!e.Time.Before(today)]++
				}
			}
		}
	}
	if !(entered["Station A"] > entered["Station B"] && entered["Station B"] > entered["Station C"] && entered["Station C"] > 1.5*entered["Station D"]) {
		t.Errorf("entered by station: %v, want each to be smaller than the one before", entered)
	}
	if hours[8] < 3*hours[12] || hours[17] < 3*hours[12] {
		t.Errorf("entered by hour: %v, want rushes at 8 and 17", hours)
	}
	if weekends > 0.7*weekdays || weekends < 0.5*weekdays {
		t.Errorf("%v passengers a day at weekends, %v else", weekends, weekdays)
	}
	if atWeekends[8] > atWeekends[14]/2 || atWeekends[14] < 1.1*atWeekends[10] || atWeekends[14] > 2*atWeekends[11] || atWeekends[17] > atWeekends[14] {
		t.Errorf("entered by hour at weekends: %v, want no rush, and most in the afternoon", atWeekends)
	}
	if west.late/west.all < 2*others.late/others.all {
		t.Errorf("late to the West %+v, elsewhere %+v", west, others)
	}
	if first.late/first.all < last.late/last.all+0.1 {
		t.Errorf("late to the West at first %+v, in the end %+v: want it to get better", first, last)
	}
	if rush[true] != 0 || rush[false] == 0 {
		t.Errorf("trains at Station C in the rush: %v, want none on the day of the incident", rush)
	}
}
