package dashboard

import (
	"strings"
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
	const select15 = "Each is kept with its reason: `select kafka_topic, reason, detail, value from staging_data.quarantine_records where ingested_at > timestamp_sub(current_timestamp(), interval 15 minute) order by ingested_at desc limit 20`."
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
		if want := map[bool]string{true: select15}[test.note != ""]; got.Remedy != want {
			t.Errorf("%s: the remedy is %q, want %q", name, got.Remedy, want)
		}
	}
	elsewhere := Refused{Window: time.Minute, Topics: []Refusals{tickets}, View: "s.quarantine_records"}
	if got := elsewhere.remedy(); !strings.Contains(got, "from s.quarantine_records where") || !strings.Contains(got, "interval 1 minute") {
		t.Errorf("the remedy of another dataset is %q", got)
	}
}
