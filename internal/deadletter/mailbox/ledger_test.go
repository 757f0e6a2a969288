package mailbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/ledger"
)

// What a dead letter says of itself, in either form of the event.
func TestLetter_InLedger(t *testing.T) {
	const id = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
	place := func(partition int64) ledger.Place {
		return ledger.Place{Topic: "incidents", TopicID: id, Partition: partition}
	}
	for name, c := range map[string]struct {
		attributes map[string]string
		want       ledger.DeadLetter
	}{
		"v2": {
			map[string]string{"ce-source": "//kafka/c/incidents", "ce-topicid": id, "ce-lane": "rows", "ce-ranges": "3:41-44,11:7-7"},
			ledger.DeadLetter{ID: "m", Topic: "incidents", Rows: true, Ranges: map[ledger.Place]ledger.Span{place(3): {First: 41, Next: 45}, place(11): {First: 7, Next: 8}}},
		},
		"v1": {
			map[string]string{"ce-source": "//kafka/c/incidents/3", "ce-topicid": id, "ce-firstoffset": "41", "ce-lastoffset": "44"},
			ledger.DeadLetter{ID: "m", Topic: "incidents", Rows: true, Lake: true, Ranges: map[ledger.Place]ledger.Span{place(3): {First: 41, Next: 45}}},
		},
		"no batch":    {map[string]string{"a": "b"}, ledger.DeadLetter{ID: "m"}},
		"no ranges":   {map[string]string{"ce-source": "//kafka/c/incidents", "ce-topicid": id, "ce-ranges": "3:9-1"}, ledger.DeadLetter{ID: "m"}},
		"no topic id": {map[string]string{"ce-source": "//kafka/c/incidents", "ce-ranges": "3:1-9"}, ledger.DeadLetter{ID: "m"}},
	} {
		if diff := cmp.Diff(c.want, (&Letter{ID: "m", Attributes: c.attributes}).inLedger()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
