package waterfall_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/waterfall"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// span lasts from so many milliseconds after noon.
func span(id, parent, name string, from, to int) waterfall.Span {
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	return waterfall.Span{TraceID: "t", ID: id, Parent: parent, Name: name, Service: "s", Start: at(from), End: at(to)}
}

func TestPrint(t *testing.T) {
	failed := span("d", "c", "append rows", 850, 1000)
	failed.Error = "it is\nfull"
	batch := span("a", "", "batch incidents", 0, 800)
	batch.Links = []waterfall.Link{{}, {}}
	traces := []waterfall.Trace{{ID: "4bf9", Spans: []waterfall.Span{failed, span("c", "a", "ingest incidents", 800, 1000), batch}}}
	var out strings.Builder
	waterfall.Print(&out, traces)
	want := `  trace 4bf9
    batch incidents     12:00:00.000      800ms  |==========================      |  s, links 2
      ingest incidents  12:00:00.800      200ms  |                         ====== |  s
        append rows     12:00:00.850      150ms  |                           =====|  s, it is full
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every span is shown once, whatever they say of one another.
func TestRows_ShowEverySpan(t *testing.T) {
	for name, spans := range map[string][]waterfall.Span{
		"none":                  {},
		"no parent":             {span("a", "", "a", 0, 1), span("b", "", "b", 0, 1)},
		"a parent not sent":     {span("a", "x", "a", 0, 1), span("b", "a", "b", 0, 1)},
		"its own parent":        {span("a", "a", "a", 0, 1)},
		"each other's parent":   {span("a", "b", "a", 0, 1), span("b", "a", "b", 0, 1), span("c", "", "c", 0, 1)},
		"the same id":           {span("a", "", "a", 0, 1), span("a", "", "a", 0, 1), span("b", "a", "b", 0, 1)},
		"ends before it begins": {span("a", "", "a", 5, 1)},
		"no time":               {{ID: "a", Name: "a"}},
	} {
		trace := waterfall.Trace{Spans: spans}
		rows := trace.Rows()
		shown := map[*waterfall.Span]bool{}
		for _, r := range rows {
			if shown[r.Span] || r.From < 0 || r.Width < 0 || r.From+r.Width > 1.0001 {
				t.Errorf("%s: %+v", name, r)
			}
			shown[r.Span] = true
		}
		if len(shown) != len(spans) {
			t.Errorf("%s: %d of %d spans are shown", name, len(shown), len(spans))
		}
		waterfall.Print(&strings.Builder{}, []waterfall.Trace{trace})
	}
}

// A deep trace is shown in the order of what is within what.
func TestRows_Deep(t *testing.T) {
	var spans []waterfall.Span
	for i := range 1000 {
		spans = append(spans, span(fmt.Sprint(i), fmt.Sprint(i-1), "x", i, 2000-i))
	}
	trace := waterfall.Trace{Spans: spans}
	for i, r := range trace.Rows() {
		if r.Depth != i || r.ID != fmt.Sprint(i) {
			t.Fatalf("row %d is span %s at depth %d", i, r.ID, r.Depth)
		}
	}
}
