package ledger

import (
	"testing"

	"github.com/stationflow/stationflow/event"
)

// Both values are named where they differ, as people write them.
func TestDifferences(t *testing.T) {
	columns := []event.Column{{Name: "severity", Type: event.String}, {Name: "duration", Type: event.Int64}, {Name: "factor", Type: event.Float64}, {Name: "timestamp", Type: event.Timestamp}}
	filed := "Minor" + separator + "5" + separator + "250000" + separator + "1763796600000000"
	for staged, want := range map[string]string{
		filed: "",
		"Major" + separator + null + separator + "250000" + separator + "1763796600000000": `severity is "Major" in staging and "Minor" in the lake, duration is null in staging and 5 in the lake`,
		"Minor" + separator + "5" + separator + "1500000" + separator + "1763796601500000": "factor is 1.5 in staging and 0.25 in the lake, timestamp is 2025-11-22T07:30:01.5Z in staging and 2025-11-22T07:30:00Z in the lake",
	} {
		if got := differences(columns, staged, filed); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
