package telemetry

import (
	"log/slog"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/ledger"
)

// A partition of a topic.
type partition struct {
	topic  string
	number int32
}

// arrived are the offsets that have arrived of each partition since the start.
type arrived map[partition]ledger.Spans

// again notes a batch, and reports whether all of its records had arrived
// before: a replay or a second delivery says nothing about how fresh staging is.
// What lies before the first offset that came arrived before the start.
func (a arrived) again(line map[string]slog.Value) bool {
	ranges, err := batch.ParseRanges(text(line["ranges"]))
	again := err == nil && len(ranges) > 0
	for _, r := range ranges {
		at, span := partition{text(line["topic"]), r.Partition}, ledger.Span{First: r.First, Next: r.Last + 1}
		known := a[at]
		if len(known) == 0 || r.Last >= known[0].First && len(ledger.Of(span).From(known[0].First).Not(known)) > 0 {
			again = false
		}
		if len(known) == 0 || r.Last >= known[0].First {
			a[at] = known.Or(ledger.Of(span))
		}
	}
	return again
}
