package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

// A reporter tells a person how far the simulation is: on a terminal by one
// line that is written over, elsewhere by a line now and then.
type reporter struct {
	out      io.Writer
	clock    simulator.Clock
	terminal bool
	every    time.Duration
	last     time.Time // when it last told
}

func newReporter(out io.Writer, clock simulator.Clock) *reporter {
	r := &reporter{out: out, clock: clock, every: 30 * time.Second, last: clock.Now()}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		r.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if r.terminal {
		r.every = 100 * time.Millisecond
	}
	return r
}

func (r *reporter) report(p simulator.Progress) {
	if now := r.clock.Now(); now.Sub(r.last) >= r.every {
		r.last = now
		r.print(p)
		if !r.terminal {
			fmt.Fprintln(r.out)
		}
	}
}

// finish writes the summary.
func (r *reporter) finish(p simulator.Progress) {
	r.print(p)
	fmt.Fprintln(r.out)
}

func (r *reporter) print(p simulator.Progress) {
	if r.terminal {
		fmt.Fprint(r.out, "\r\x1b[K") // back to the begin of the line, and clear it
	}
	fmt.Fprint(r.out, p)
}
