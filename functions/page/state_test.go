package page

import (
	"testing"
	"time"
)

// An audit of another day has its date, so that nobody takes it for one of now.
func TestAudit_SaysWhichDayItWas(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	checked := time.Date(2026, 11, 29, 23, 17, 0, 0, time.UTC) // 00:17 of the 30th there
	for now, want := range map[time.Time]string{
		time.Date(2026, 11, 30, 8, 0, 0, 0, paris): "The audit at 00:17 found every record.",
		time.Date(2026, 12, 1, 0, 10, 0, 0, paris): "The audit at 00:17 on 30 November found every record.",
	} {
		if got := (&audit{CheckedAt: checked, Partitions: 2}).note(now); got != want {
			t.Errorf("at %s: %q, want %q", now, got, want)
		}
	}
}
