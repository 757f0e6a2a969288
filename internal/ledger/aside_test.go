package ledger

import (
	"slices"
	"testing"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake"
)

// A record whose bytes were set aside in the lake, since no file could hold it,
// is not missed there; another one is.
func TestCheck_KnowsWhatWasSetAside(t *testing.T) {
	w := newWorld()
	w.finds[0] = object("a", zero, Span{0, 5}, Span{9, 100})
	w.aside = map[Place]Spans{zero: {{5, 6}}}
	report := w.check(t)
	if got := said(report.Problems); !slices.Equal(got, []string{"not_in_lake incidents/0 6"}) {
		t.Errorf("problems are %v", got)
	}
	if got := said(report.Notes); !slices.Contains(got, "set_aside incidents/0 5") {
		t.Errorf("notes are %v", got)
	}
}

func TestParseAside(t *testing.T) {
	name := lake.QuarantineObject("incidents", incidents, 3, 1042)
	if offset, ok := lake.ParseAside(name); !ok || offset != 1042 {
		t.Errorf("%s is of offset %d, %v", name, offset, ok)
	}
	for _, other := range []string{lake.QuarantineKeyObject("incidents", incidents, 3, 1042), lake.QuarantineHeadersObject("incidents", incidents, 3, 1042), "quarantine/incidents/x.bin", ""} {
		if offset, ok := lake.ParseAside(other); ok {
			t.Errorf("%s is of offset %d", other, offset)
		}
	}
}

// Nobody misses a canary, nor minds one that was refused or given up.
func TestCheck_LeavesCanariesOut(t *testing.T) {
	w := newWorld()
	canary := place(event.CanaryTopic, "0f9b3c52-0000-4000-8000-000000000000", 0)
	w.runs = append(w.runs, run(QuarantineTable, canary, 3, 3))
	w.letters = append(w.letters, letterOf("m", canary, 4, 4, true, true))
	if report := w.check(t); !report.Complete || len(report.Notes) > 1 {
		t.Errorf("problems %v, notes %v", said(report.Problems), said(report.Notes))
	}
}
