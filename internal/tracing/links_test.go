package tracing

import (
	"fmt"
	"strings"
	"testing"
)

// header is the traceparent of a span of the number.
func header(span int, flags string) []byte {
	return fmt.Appendf(nil, "00-%032x-%016x-%s", 1, span+1, flags)
}

// A span has links to the first producers that record theirs, each once in a
// row, and says how many it leaves out.
func TestLinks(t *testing.T) {
	for name, test := range map[string]struct {
		records        []string // flags of each, or what is no traceparent
		links, leftOut int
		first          string // flags of the first link
	}{
		"none":               {nil, 0, 0, ""},
		"what is not one":    {[]string{"", "x", "0"}, 0, 0, ""},
		"each one":           {[]string{"01", "01", "01"}, 3, 0, "01"},
		"sampled ones first": {[]string{"00", "01", "00", "01"}, 2, 2, "01"},
		"unsampled ones":     {[]string{"00", "00", "00"}, 1, 2, "00"},
		"as many as may be":  {strings.Fields(strings.Repeat("01 ", MostLinks)), MostLinks, 0, "01"},
		"more":               {strings.Fields(strings.Repeat("01 ", MostLinks+7)), MostLinks, 7, "01"},
	} {
		for cut := range len(test.records) + 1 { // in one batch, or in two that are joined
			var l, second Links
			for i, flags := range test.records {
				to := &l
				if i >= cut {
					to = &second
				}
				to.Add(header(i, flags), 3, int64(i))
			}
			l.Join(&second)
			got := l.all()
			if len(got) != test.links || l.LeftOut() != test.leftOut {
				t.Errorf("%s, cut at %d: %d links and %d left out, want %d and %d", name, cut, len(got), l.LeftOut(), test.links, test.leftOut)
			}
			if test.links > 0 && got[0].SpanContext.TraceFlags().String() != test.first {
				t.Errorf("%s: the first is %v", name, got[0].SpanContext)
			}
		}
	}
	var shared Links
	for range 5 {
		shared.Add(header(1, "01"), 0, 0)
	}
	if len(shared.all()) != 1 || shared.LeftOut() != 0 {
		t.Errorf("records of one span: %d links, %d left out", len(shared.all()), shared.LeftOut())
	}
}
