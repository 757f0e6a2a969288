package system

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/local/dashboard"
)

// A topic is told of when more of it than the alert allows was refused within
// the window, however much was accepted before it, or of other topics.
func TestRefused(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for name, test := range map[string]struct {
		accepted map[int]map[string]int64 // rows so far, by minutes after the start
		refused  []refusedCount
		want     []dashboard.Refusals
	}{
		"nothing": {map[int]map[string]int64{0: {"incidents": 5}}, nil, nil},
		"all of a topic, after much": {map[int]map[string]int64{0: {"ticket_validations": 0}, 1: {"ticket_validations": 1_000_000, "incidents": 9}, 20: {"ticket_validations": 1_000_000, "incidents": 9_000_000}},
			[]refusedCount{{"ticket_validations", "missing_field", 899}, {"ticket_validations", "not_json", 1}},
			[]dashboard.Refusals{{Topic: "ticket_validations", Refused: 900, Records: 900, Reason: "missing_field"}}},
		"one in a hundred":              {map[int]map[string]int64{0: {"incidents": 0}, 1: {"incidents": 99}}, []refusedCount{{"incidents", "empty", 1}}, nil},
		"tombstones are nobody's fault": {map[int]map[string]int64{0: {"incidents": 0}, 1: {"incidents": 1}}, []refusedCount{{"incidents", "tombstone", 50}}, nil},
		"tombstones among others": {map[int]map[string]int64{0: {"incidents": 0}, 1: {"incidents": 1}}, []refusedCount{{"incidents", "tombstone", 50}, {"incidents", "empty", 1}},
			[]dashboard.Refusals{{Topic: "incidents", Refused: 1, Records: 2, Reason: "empty"}}},
		"more than that": {map[int]map[string]int64{0: {"incidents": 0}, 1: {"incidents": 98}}, []refusedCount{{"incidents", "empty", 1}},
			[]dashboard.Refusals{{Topic: "incidents", Refused: 1, Records: 99, Reason: "empty"}}},
		"the worst first": {map[int]map[string]int64{0: {"incidents": 0, "passenger_flow": 0}, 1: {"incidents": 10, "passenger_flow": 2}},
			[]refusedCount{{"incidents", "empty", 2}, {"passenger_flow", "b", 1}, {"passenger_flow", "a", 1}},
			[]dashboard.Refusals{{Topic: "passenger_flow", Refused: 2, Records: 4, Reason: "a"}, {Topic: "incidents", Refused: 2, Records: 12, Reason: "empty"}}},
	} {
		r := refused{window: 15 * time.Minute, share: 0.01}
		for minute := range 21 {
			if rows, read := test.accepted[minute]; read {
				r.note(began.Add(time.Duration(minute)*time.Minute), rows)
			}
		}
		r.set(test.refused)
		want := dashboard.Refused{Window: 15 * time.Minute, Topics: test.want}
		if diff := cmp.Diff(want, r.now()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}
