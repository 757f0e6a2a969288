package system

import (
	"testing"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/local/telemetry"
)

// The page names the first thing that went wrong, in one sentence.
func TestWhyFailed(t *testing.T) {
	t.Parallel()
	model := func(status, err string) telemetry.Model {
		return telemetry.Model{Name: "m", Status: status, Error: err}
	}
	for name, test := range map[string]struct {
		run  telemetry.Transform
		want string
	}{
		"nothing known":   {telemetry.Transform{}, ""},
		"all well":        {telemetry.Transform{Models: []telemetry.Model{model("replaced", "")}}, ""},
		"a model":         {telemetry.Transform{Models: []telemetry.Model{model("skipped", "x failed"), model("failed", "division by zero")}}, "division by zero"},
		"without a cause": {telemetry.Transform{Models: []telemetry.Model{model("failed", "")}}, "Model m failed."},
		"a test":          {telemetry.Transform{Found: []telemetry.Finding{{Test: "a", Status: "warned"}, {Test: "b", Status: "failed", Rows: 1}}}, "Test b failed."},
		"only a warning":  {telemetry.Transform{Found: []telemetry.Finding{{Test: "a", Status: "warned"}}}, ""},
	} {
		if got := whyFailed(test.run); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	for batches, want := range map[int64]string{0: "", 1: "A batch fails: why", 2: "Batches fail, the last one: why"} {
		if got := failing(telemetry.Figures{Failing: batches, Cause: "why"}); got != want {
			t.Errorf("%d batches: %q, want %q", batches, got, want)
		}
	}
}

func TestUndelivered(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		partition bridge.PartitionStatus
		want      string
	}{
		"well":           {bridge.PartitionStatus{InFlight: 1}, ""},
		"functions away": {bridge.PartitionStatus{InFlight: 1, Problem: "dial tcp: connection refused"}, "No answer from http://f/ingest: connection refused."},
		"refused":        {bridge.PartitionStatus{InFlight: 1, Problem: "500"}, "No batch is taken by http://f/ingest: 500"},
		"not a post":     {bridge.PartitionStatus{Problem: "the topic is gone"}, ""},
	} {
		if got := undelivered(bridge.Snapshot{Partitions: []bridge.PartitionStatus{test.partition}}, "http://f/ingest"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
