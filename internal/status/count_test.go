package status

import (
	"strings"
	"testing"
)

func TestCountNote(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		kafka, bridge, ingest int64
		rate                  float64
		want                  string
	}{
		"nothing":            {0, 0, 0, 0, ""},
		"as many":            {100, 100, 100, 0, ""},
		"a replay":           {100, 100, 140, 0, "Ingest counts more records than Kafka holds."},
		"records on the way": {1000, 1000, 1100, 100, ""},
		"Kafka deleted":      {10, 100, 100, 0, "Bridge, Ingest count more records than Kafka holds."},
	} {
		got := CountNote([]OfHop{
			{Hop: Kafka, Name: "Kafka", Unit: Records, Records: row.kafka, PerSecond: &row.rate},
			{Hop: Bridge, Name: "Bridge", Unit: Records, Records: row.bridge}, {Hop: Ingest, Name: "Ingest", Unit: Records, Records: row.ingest},
			{Hop: TransformRuns, Name: "Transform", Unit: Models, Records: 1000}, {Hop: Prod, Name: "Prod", Unit: Rows, Records: 1e6},
		})
		if !strings.HasPrefix(got, row.want) || row.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
