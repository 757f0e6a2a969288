package simulator_test

import (
	"testing"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

func TestNew_StartsWithTheStep(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ zone, start, want string }{
		{"UTC", "2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z"},
		{"UTC", "2026-11-22T12:34:56Z", "2026-11-22T12:30:00Z"},
		{"UTC", "2026-11-22T05:59:59Z", "2026-11-22T06:00:00Z"},
		{"UTC", "2026-11-22T22:54:59Z", "2026-11-22T22:50:00Z"},
		{"UTC", "2026-11-22T22:55:00Z", "2026-11-23T06:00:00Z"},
		{"UTC", "2026-12-31T23:59:59Z", "2027-01-01T06:00:00Z"},
		{"Europe/Paris", "2026-11-22T21:56:00Z", "2026-11-23T06:00:00+01:00"},
		{"Europe/Paris", "2026-07-01T05:03:00Z", "2026-07-01T07:00:00+02:00"},
		{"Asia/Kathmandu", "2026-11-22T06:03:00Z", "2026-11-22T11:45:00+05:45"},
		// Summer time ends, and begins, between these closings and openings.
		{"Europe/Paris", "2026-10-24T22:55:00+02:00", "2026-10-25T06:00:00+01:00"},
		{"Europe/Paris", "2026-03-28T22:55:00+01:00", "2026-03-29T06:00:00+02:00"},
	} {
		location, err := time.LoadLocation(row.zone)
		if err != nil {
			t.Fatal(err)
		}
		start, err := time.Parse(time.RFC3339, row.start)
		if err != nil {
			t.Fatal(err)
		}
		n := simulator.New(simulator.Config{Start: start, Location: location})
		if got := n.Now().Format(time.RFC3339); got != row.want {
			t.Errorf("starting at %s in %s begins with %s, want %s", row.start, row.zone, got, row.want)
		}
	}
}

func TestStep_SkipsTheNight(t *testing.T) {
	t.Parallel()
	n := simulator.New(simulator.Config{Start: sunday(time.UTC).Add(16*time.Hour + 50*time.Minute)})
	if events := n.Step(); len(events) == 0 {
		t.Error("nothing happened in the last step of the day")
	}
	if want := sunday(time.UTC).AddDate(0, 0, 1); !n.Now().Equal(want) {
		t.Errorf("the next step begins at %s, want %s", n.Now(), want)
	}
}
