package system

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/simulator"
)

func TestDaysBefore(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]string{0: "", 1: "22", 2: "22 27", 6: "22 27 26 25 24 23", 7: "22 27 26 25 24 23 21"} {
		var got []string
		for _, day := range daysBefore(time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), count) {
			got = append(got, day.Format("02"))
		}
		if joined := strings.Join(got, " "); joined != want {
			t.Errorf("%d days: %q, want %q", count, joined, want)
		}
	}
}

// The days that a folder has are not sent again; each is sent whole, and
// nothing of another day.
func TestPast_SendsEachDayOnce(t *testing.T) {
	t.Parallel()
	folder, days := t.TempDir(), []time.Time{sunday, sunday.AddDate(0, 0, -3)}
	config := simulator.Config{Seed: 2, Location: time.UTC, Plan: simulator.Demo(sunday.AddDate(0, 0, 2))}
	first, err := readPast(folder, days, config)
	if err != nil || len(first.days) != 2 {
		t.Fatalf("%v: %d days are to be sent, want 2", err, len(first.days))
	}
	sent := &memory{}
	first.pause = 0
	if err := first.send(context.Background(), days[1], sent); err != nil {
		t.Fatal(err)
	}
	if sent.steps != 203 {
		t.Errorf("%d steps were sent, want a day's 203", sent.steps)
	}
	for _, e := range sent.sent {
		if !strings.Contains(e, "2026-02-26T") {
			t.Fatalf("sent %s, want events of 26 February only", e)
		}
	}
	again, err := readPast(folder, days, config)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(days[:1], again.days); diff != "" {
		t.Errorf("days that are left (-want +got):\n%s", diff)
	}
}

// The time of the stations stays within today, and the page knows when today
// has been played to its end.
func TestStationClock(t *testing.T) {
	t.Parallel()
	var clock stationClock
	now := time.Now().UTC()
	if m := clock.moment(time.UTC); m.Simulated || m.Over {
		t.Errorf("without stations: %+v", m)
	}
	morning := midnightAfter(now).Add(-18 * time.Hour)
	clock.at.Store(&morning)
	if m := clock.moment(time.UTC); !m.Simulated || m.Over || m.Again || !m.At.Equal(morning) {
		t.Errorf("in the morning: %+v", m)
	}
	clock.laps.Store(1)
	if m := clock.moment(time.UTC); !m.Over || !m.Again {
		t.Errorf("in the second lap: %+v", m)
	}
	next := midnightAfter(now).Add(6 * time.Hour)
	clock.at.Store(&next)
	if m := clock.moment(time.UTC); !m.Over || m.Again || m.At.Day() == next.Day() {
		t.Errorf("at the end of the first lap: %+v, want today, counted once", m)
	}
	clock.laps.Store(2)
	if m := clock.moment(time.UTC); !m.Again {
		t.Errorf("at the end of the second lap: %+v", m)
	}
}

// How often today was played to its end is known from what a folder keeps.
func TestSimulation_Over(t *testing.T) {
	t.Parallel()
	midnight := sunday.AddDate(0, 0, 1)
	six := func(day time.Time) time.Time { return day.Add(6 * time.Hour) }
	s := simulation{Laps: []lap{
		{sunday.AddDate(0, 0, -1), six(midnight), 1}, // from yesterday through today
		{six(sunday), six(midnight), 2},
		{six(sunday), sunday.Add(9 * time.Hour), 1}, // the present one
	}}
	if got := s.over(midnight); got != 3 {
		t.Errorf("today was played %d times, want 3", got)
	}
	if got := s.over(midnight.AddDate(0, 0, 1)); got != 0 {
		t.Errorf("tomorrow was played %d times", got)
	}
}
