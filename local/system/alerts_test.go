package system

import (
	"testing"
	"time"

	"github.com/stationflow/stationflow/functions/alert"
)

// An alert is open from its beginning until its duration has passed.
func TestAlerts_AreOpenUntilTheyEnd(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	mark := func(key string, began time.Time, lasts time.Duration) readMark {
		return readMark{mark: alert.Mark{Notification: alert.Notification{Key: key, BeganAt: began, EndsAt: began.Add(lasts)}}}
	}
	a := alerts{read: map[string]readMark{
		"1": mark("first", noon, 30*time.Minute),
		"2": mark("second", noon.Add(10*time.Minute), time.Minute),
	}}
	for after, want := range map[time.Duration][]string{
		-2 * time.Minute: {}, 0: {"first"}, 10 * time.Minute: {"second", "first"}, 11 * time.Minute: {"first"}, 30 * time.Minute: {},
	} {
		var got []string
		for _, one := range a.now(noon.Add(after)) {
			got = append(got, one.Key)
		}
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%v after noon %q are open, want %q", after, got, want)
		}
	}
}
