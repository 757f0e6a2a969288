package dashboard

import (
	"testing"
	"time"
)

// What is said of the quarantine names the topic, the share and the reason, and
// where to look.
func TestRefused(t *testing.T) {
	t.Parallel()
	tickets := Refusals{"ticket_validations", 900, 900, "missing_field"}
	flow := Refusals{"passenger_flow", 3, 1_204, ""}
	other := Refusals{"incidents", 1, 90, "not_json"}
	for name, test := range map[string]struct {
		topics []Refusals
		note   string
	}{
		"little": {nil, ""},
		"one":    {[]Refusals{tickets}, "Refused within 15 min: 900 of 900 records of ticket_validations (100.0 %), most often for missing_field."},
		"two":    {[]Refusals{tickets, flow}, "Refused within 15 min: 900 of 900 records of ticket_validations (100.0 %), most often for missing_field; 3 of 1,204 records of passenger_flow (0.2 %)."},
		"four":   {[]Refusals{tickets, flow, other, other}, "Refused within 15 min: 900 of 900 records of ticket_validations (100.0 %), most often for missing_field; 3 of 1,204 records of passenger_flow (0.2 %); 2 other topics too."},
	} {
		r := Refused{Window: 15 * time.Minute, Topics: test.topics}
		got := r.status()
		if got.Note != test.note || len(got.Topics) != len(test.topics) {
			t.Errorf("%s: %+v, want the note %q", name, got, test.note)
		}
		want := ""
		if len(test.topics) > 0 {
			want = "Each is kept with its reason: stationflow quarantine list"
			for _, topic := range test.topics {
				want += " --topic " + topic.Topic
			}
			want += " --from 15m"
		}
		if got.Remedy != want {
			t.Errorf("%s: the remedy is %q, want %q", name, got.Remedy, want)
		}
	}
}
