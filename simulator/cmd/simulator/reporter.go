package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

// How often a person is told, by a line that is written over and by lines that
// stay, and the least time over which a rate is taken.
const (
	onTerminal = 100 * time.Millisecond
	elsewhere  = 10 * time.Second
	rateWindow = 3 * time.Second
)

// A reporter tells a person how far the simulation is: on a terminal by one
// line that is written over, elsewhere by a line now and then.
type reporter struct {
	out      io.Writer
	clock    simulator.Clock
	terminal bool
	told     time.Time // when it last told
	before   sample    // a while ago
	rate     float64   // of late, events a second
}

// A sample is what was written at some moment.
type sample struct {
	at     time.Duration
	events int
}

func newReporter(out io.Writer, clock simulator.Clock) *reporter {
	r := &reporter{out: out, clock: clock, told: clock.Now()}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		r.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return r
}

func (r *reporter) report(p simulator.Progress) {
	every := elsewhere
	if r.terminal {
		every = onTerminal
	}
	now := r.clock.Now()
	if now.Sub(r.told) < every {
		return
	}
	r.told = now
	if passed := p.Elapsed - r.before.at; passed >= rateWindow {
		r.rate = float64(p.Total()-r.before.events) / passed.Seconds()
		r.before = sample{p.Elapsed, p.Total()}
	} else if r.before == (sample{}) {
		r.rate = p.Rate()
	}
	if r.terminal {
		// To the beginning of the line, and clear it; what does not fit is cut.
		fmt.Fprintf(r.out, "\r\x1b[K\x1b[?7l%s\x1b[?7h", line(p, r.rate))
		return
	}
	fmt.Fprintln(r.out, line(p, r.rate))
}

// finish writes the summary, with the rate of the whole run.
func (r *reporter) finish(p simulator.Progress) {
	if r.terminal {
		fmt.Fprint(r.out, "\r\x1b[K")
	}
	fmt.Fprintf(r.out, "%s in %v\n", line(p, p.Rate()), p.Elapsed.Round(10*time.Millisecond))
}

func line(p simulator.Progress, rate float64) string {
	return fmt.Sprintf("%.1f events/s, %s", rate, p)
}
