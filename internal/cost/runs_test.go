package cost

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// The runs of a month are the turns that the schedule has in it.
func TestWorkload_RunsAreTheTurnsOfTheSchedule(t *testing.T) {
	begin := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(0, 0, 30)
	for _, text := range []string{
		"* * * * *", "*/7 * * * *", "0 * * * *", "59 23 * * *", "*/15 6-22 * * *", "5,10,20-30/3 */5 * * *",
		"0 12 1 * *", "* * 30 * *", "0 0 31 * *", "0 0 30 2 *", "*/10 * * 2-12 *", "0 9 * jan *",
		"0 6 * * mon-fri", "30 * * * 0,6", "0 3 13 * 5", "*/20 4 */2 * 1", "0 0 1-7 * *", "TZ=Asia/Tokyo 0 3 * * *",
		"@hourly", "@daily", "@weekly", "@yearly", "@every 5m", "@every 7h1s",
	} {
		schedule, err := cron.ParseStandard(text)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for at := schedule.Next(begin.Add(-time.Second)); !at.IsZero() && at.Before(end); at = schedule.Next(at) {
			want++
		}
		if got, err := (Workload{Schedule: text}).runs(); err != nil || got != float64(want) {
			t.Errorf("%s: %v runs (%v), want %d", text, got, err, want)
		}
	}
}
