package expect

import (
	"testing"
	"time"
	_ "time/tzdata"
)

// Two ways to the same figures: the loops of this package, and a pencil.
func TestDashboards_AgreeWithTheReferenceDay(t *testing.T) {
	day, err := ReferenceDay()
	if err != nil {
		t.Fatal(err)
	}
	got := Dashboards(day.Records, day.Now, day.Location, 5*time.Minute)
	if len(day.Tables) != len(got) {
		t.Errorf("reference.txt has %d tables, there are %d", len(day.Tables), len(got))
	}
	for table, rows := range got {
		for _, difference := range Diff(day.Tables[table], rows) {
			t.Errorf("%s: %s", table, difference)
		}
	}
}
