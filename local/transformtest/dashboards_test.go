package transformtest

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stationflow/stationflow/local/expect"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	check(t, err)
	return location
}

func TestDashboards_HoldWhatTheEventsSay(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Paris"} {
		t.Run(name, func(t *testing.T) {
			location := zone(t, name)
			now := time.Date(2026, 11, 22, 14, 0, 0, 0, location)
			midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, location)
			arrived := now.Add(-time.Hour)
			s := start(t, location, now)

			s.run()
			s.run() // which finds no rows to ask about
			s.verify("without events")

			random := newGenerator(1, within(midnight.Add(-72*time.Hour), now))
			first := random.records(600)
			s.append(arrived, first...)
			s.run()
			s.verify("first events")

			edges := newGenerator(2, around(midnight, midnight.Add(24*time.Hour), now,
				// the nights in which Paris changes its clocks, both hours of the autumn's repeated one
				time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)))
			for key, offset := range random.offsets {
				edges.offsets[key] = offset
			}
			s.append(arrived.Add(20*time.Minute), edges.records(300)...)
			s.run()
			s.verify("edges of days and clock changes")

			// Redelivered: some of the first batch again, much later; and in one append with new ones.
			s.append(arrived.Add(30*time.Minute), append(first[:200:200], edges.records(50)...)...)
			s.run()
			s.verify("redelivered records")

			// Visible late: stamped nine minutes before the newest row.
			s.append(arrived.Add(21*time.Minute), edges.records(50)...)
			s.run()
			s.verify("rows that became visible late")

			// Late events of any age.
			edges.moments = within(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), now)
			s.append(arrived.Add(40*time.Minute), edges.records(60)...)
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
	s := start(t, zone(t, "Pacific/Kiritimati"), time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))
	g := newGenerator(3, func(*rand.Rand) time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC) })
	for _, n := range []int{60, 10} { // a first run, and one that replaces
		records := g.records(n)
		for i := range records {
			records[i].Event = extreme(records[i].Event)
		}
		s.append(s.now, records...)
		s.run()
	}
	if n := s.query("select count(*) from prod_data.train_dashboard")[0][0].(int64); n == 0 {
		t.Error("train_dashboard is empty")
	}
}

func TestTransform_DoesNothingWithoutNewRows(t *testing.T) {
	s := start(t, time.UTC, time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))
	g := newGenerator(4, within(s.now.Add(-50*time.Hour), s.now))
	s.append(s.now, g.records(100)...)
	s.run()
	settled := s.run()
	// The second run may replace what the first created: it asks differently.
	if again := s.run(); len(statuses(again, "created", "replaced")) > 0 || again.TestsRun > 0 {
		t.Errorf("a run without new rows built %v and ran %d tests; the one before built %v", statuses(again, "created", "replaced"), again.TestsRun, statuses(settled, "created", "replaced"))
	}
	var incident expect.Record
	for incident.Topic != "incidents" {
		incident = g.record()
	}
	s.append(s.now, incident)
	got := statuses(s.run(), "created", "replaced")
	if len(got) != 2 || got[0] != "incident_dashboard" || got[1] != "incidents_hourly" {
		t.Errorf("an incident had %v built, want its mart and its dashboard", got)
	}
	s.verify("after an incident")
}
