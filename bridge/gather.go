package bridge

import (
	"slices"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/tracing"
)

// minRoom is the memory that a batch starts with, in bytes.
const minRoom = 16 << 10

// A gathering is a batch that is being filled; the zero value is an empty one.
type gathering struct {
	encoder *batch.Encoder // nil while it is empty
	runs    []*run         // one a partition
	last    *run           // the one that was added to last
	began   time.Time      // when its first record came
	age     *time.Timer    // runs out when it has to leave
	due     bool           // it has to leave
	taken   int64          // of the session's memory, in bytes
	links   *tracing.Links // nil where no spans are recorded
}

func (g *gathering) empty() bool { return g.encoder == nil }

// run returns what the batch holds of a partition, nil for nothing.
func (g *gathering) run(p *partition) *run {
	if g.last != nil && g.last.of == p {
		return g.last
	}
	if i := slices.IndexFunc(g.runs, func(r *run) bool { return r.of == p }); i >= 0 {
		g.last = g.runs[i]
		return g.last
	}
	return nil
}

// begin makes it a batch, which has to leave after so long.
func (g *gathering) begin(encoder *batch.Encoder, began time.Time, leave time.Duration, left func()) {
	g.encoder, g.began = encoder, began
	g.age = time.AfterFunc(leave, left)
}

// join takes in what another batch holds, which must fit.
func (g *gathering) join(other *gathering) {
	for _, r := range other.runs {
		of := g.run(r.of)
		if of == nil {
			of = &run{of: r.of, first: r.first, timestamp: r.timestamp}
			g.runs, g.last = append(g.runs, of), of
		}
		of.next = r.next
		of.bytes += r.bytes
	}
	g.encoder.Join(other.encoder)
	if other.links != nil {
		g.links.Join(other.links)
	}
}

// leave returns what was gathered, and begins again empty.
func (g *gathering) leave() gathering {
	left := *g
	if left.age != nil {
		left.age.Stop()
	}
	*g = gathering{}
	return left
}
