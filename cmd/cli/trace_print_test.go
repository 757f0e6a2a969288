package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/internal/waterfall"
)

// What verify complains of trace says, too.
func TestPrintTrace_SaysWhatIsWrong(t *testing.T) {
	one := &ledger.Trace{Place: ledger.Place{Topic: "incidents", Partition: 3}, Offset: 17, Text: "it is in staging", Problems: []ledger.Finding{
		{Kind: ledger.NotInLake, Text: "in staging and not in the lake", Remedy: "Send it again: stationflow replay kafka --topic incidents --partition 3 --offsets 17-17"},
		{Kind: ledger.Different, Text: `other values in the lake than in staging: severity is "Minor" in staging and "Major" in the lake`},
	}}
	var out strings.Builder
	if err := printTrace(one, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"not there; in staging and not in the lake. Send it again: stationflow replay kafka --topic incidents --partition 3 --offsets 17-17\n",
		`  other values in the lake than in staging: severity is "Minor" in staging and "Major" in the lake` + "\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

// Of a batch's many objects and tables only the record's own are shown.
func TestOwnSpans(t *testing.T) {
	span := func(id, name, value string) waterfall.Span {
		return waterfall.Span{ID: id, Name: name, Start: time.Unix(1, 0), End: time.Unix(2, 0), Attributes: map[string]string{name: value}}
	}
	all := []waterfall.Trace{{ID: "t", Spans: []waterfall.Span{span("1", "stationflow.batch_id", "b"), span("2", "stationflow.object", "mine"),
		span("3", "stationflow.object", "other"), span("4", "stationflow.table", "projects/p/datasets/s/tables/incidents"), span("5", "stationflow.table", "projects/p/datasets/s/tables/quarantine")}}}
	of := &ledger.Trace{Lake: []ledger.AtObject{{Name: "mine"}}, Rows: []ledger.AtRow{{Table: "incidents"}}}
	own, others := ownSpans(of, all)
	if len(own) != 1 || len(own[0].Spans) != 3 || others != 2 || own[0].Spans[1].ID != "2" || own[0].Spans[2].ID != "4" {
		t.Errorf("%+v and %d more", own, others)
	}
	if own, others := ownSpans(&ledger.Trace{}, all); len(own[0].Spans) != 5 || others != 0 {
		t.Errorf("of a record that is nowhere yet: %+v and %d more", own, others)
	}
}
