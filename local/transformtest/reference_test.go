package transformtest

import (
	"testing"

	"github.com/stationflow/stationflow/local/expect"
)

// Every figure of the dashboards, against one worked out by hand.
func TestDashboards_HoldTheFiguresOfTheReferenceDay(t *testing.T) {
	t.Parallel()
	day, err := expect.ReferenceDay()
	check(t, err)
	s := start(t, day.Location, day.Now)
	s.Append(day.Now, day.Records...)
	s.run()
	for table, rows := range day.Tables {
		for _, difference := range expect.Diff(rows, s.Dashboard(prod, table)) {
			t.Errorf("%s: %s", table, difference)
		}
	}
}
