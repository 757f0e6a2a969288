package transformtest

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/local/staged"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	check(t, err)
	return location
}

func TestDashboards_HoldWhatTheEventsSay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Paris"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location := zone(t, name)
			now := time.Date(2026, 11, 22, 14, 0, 0, 0, location)
			midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, location)
			arrived := now.Add(-time.Hour)
			s := start(t, location, now)

			s.run()
			s.run() // which finds no rows to ask about
			s.verify("without events")

			random := staged.NewGenerator(1, staged.Within(midnight.Add(-72*time.Hour), now))
			first := random.Records(600)
			s.Append(arrived, first...)
			s.run()
			s.verify("first events")

			edges := staged.NewGenerator(2, staged.Around(midnight, midnight.Add(24*time.Hour), now,
				// the nights in which Paris changes its clocks, both hours of the autumn's repeated one
				time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)))
			for key, offset := range random.Offsets {
				edges.Offsets[key] = offset
			}
			s.Append(arrived.Add(20*time.Minute), edges.Records(300)...)
			s.run()
			s.verify("edges of days and clock changes")

			// Redelivered: some of the first batch again, much later; and in one append with new ones.
			s.Append(arrived.Add(30*time.Minute), append(first[:200:200], edges.Records(50)...)...)
			s.run()
			s.verify("redelivered records")

			// Visible late: stamped nine minutes before the newest row.
			s.Append(arrived.Add(21*time.Minute), edges.Records(50)...)
			s.run()
			s.verify("rows that became visible late")

			// Late events of any age.
			edges.Moments = staged.Within(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), now)
			s.Append(arrived.Add(40*time.Minute), edges.Records(60)...)
			s.run()
			s.verify("late events")

			s.restart()
			s.run()
			s.verify("a new instance")

			s.now = s.now.Add(24 * time.Hour)
			s.run()
			s.verify("the next day")
		})
	}
}

func TestDashboards_AnswerAnyAcceptedNumber(t *testing.T) {
	t.Parallel()
	s := start(t, zone(t, "Pacific/Kiritimati"), time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))
	g := staged.NewGenerator(3, func(*rand.Rand) time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC) })
	for _, n := range []int{60, 10} { // a first run, and one that replaces
		records := g.Records(n)
		for i := range records {
			records[i].Event = staged.Extreme(records[i].Event)
		}
		s.Append(s.now, records...)
		s.run()
	}
	if n := s.Query("select count(*) from prod_data.train_dashboard")[0][0].(int64); n == 0 {
		t.Error("train_dashboard is empty")
	}
}

func TestTransform_DoesNothingWithoutNewRows(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))
	g := staged.NewGenerator(4, staged.Within(s.now.Add(-50*time.Hour), s.now))
	s.Append(s.now, g.Records(100)...)
	s.run()
	settled := s.run()
	// The second run may replace what the first created: it asks differently.
	if again := s.run(); len(statuses(again, "created", "replaced")) > 0 || again.TestsRun > 0 {
		t.Errorf("a run without new rows built %v and ran %d tests; the one before built %v", statuses(again, "created", "replaced"), again.TestsRun, statuses(settled, "created", "replaced"))
	}
	var incident expect.Record
	for incident.Topic != "incidents" {
		incident = g.Record()
	}
	s.Append(s.now, incident)
	got := statuses(s.run(), "created", "replaced")
	if len(got) != 1 || got[0] != "station_hours" {
		t.Errorf("an incident had %v built, want the table of hours", got)
	}
	s.verify("after an incident")
}
