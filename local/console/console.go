// Package console tells a person at a terminal, or the reader of a log, how
// the pipeline does: in one line that is written over each second on a
// terminal, and every ten seconds elsewhere. A hop that falls behind, fails or
// recovers gets lines of its own, with the reason and what to do.
//
// It shows what the page shows, from the same Status. No line is wider than
// Width, and a hop that wavers cannot flood: a change is told only once it has
// lasted, and at most so often.
package console

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/stationflow/stationflow/local/dashboard"
)

// Width is how many columns a line takes at most; the last of the usual 80
// stays free, because some terminals break the line when it is filled.
const Width = 79

// How often things are written.
const (
	Every     = time.Second      // how often Show wants to be called
	elsewhere = 10 * time.Second // between two lines that stay
	lasting   = 3 * time.Second  // how long a hop must have changed
	between   = 30 * time.Second // between two changes of a hop that are told
)

// A Console writes to one output. It is not safe for concurrent use.
type Console struct {
	out      io.Writer
	terminal bool
	written  time.Time // of the last status line
	told     map[dashboard.Hop]telling
}

// A telling is what is known of a hop.
type telling struct {
	state   dashboard.State // that was told, calm for all that need no word
	at      time.Time       // when
	now     dashboard.State // that it was in when last shown
	changed time.Time       // into now
}

// calm stands for the states that nobody needs to be told of.
const calm = dashboard.Flowing

// refusing is the state of a quarantine into which much goes. Nothing is broken
// then, but somebody sends what nobody can use.
const refusing dashboard.State = "refusing"

// quarantine has the quarantine told of as a hop is.
func quarantine(r dashboard.RefusedStatus) dashboard.HopStatus {
	q := dashboard.HopStatus{Hop: "quarantine", Name: "Quarantine", Health: dashboard.Health{State: calm}}
	if r.Note != "" {
		q.Health = dashboard.Health{State: refusing, Note: r.Note, Remedy: r.Remedy}
	}
	return q
}

// New returns a Console. terminal says whether out is one, where a line can be
// written over.
func New(out io.Writer, terminal bool) *Console {
	return &Console{out: out, terminal: terminal, told: map[dashboard.Hop]telling{}}
}

// IsTerminal reports whether lines written to out can be written over.
func IsTerminal(out io.Writer, getenv func(string) string) bool {
	file, isFile := out.(*os.File)
	if !isFile || getenv("TERM") == "dumb" {
		return false
	}
	about, err := file.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}

// Show writes what there is to say about a status. Call it every second.
func (c *Console) Show(s dashboard.Status) {
	for _, hop := range append(slices.Clip(s.Hops), quarantine(s.Refused)) {
		if text := c.change(hop, s.At); text != "" {
			c.clear()
			fmt.Fprint(c.out, text)
			if c.terminal {
				c.written = time.Time{} // the status goes below
			}
		}
	}
	switch {
	case c.terminal:
		c.clear()
		fmt.Fprint(c.out, Line(s))
		c.written = s.At
	case s.At.Sub(c.written) >= elsewhere:
		fmt.Fprintln(c.out, Line(s))
		c.written = s.At
	}
}

// Done leaves the last line standing.
func (c *Console) Done() {
	if c.terminal && !c.written.IsZero() {
		fmt.Fprintln(c.out)
	}
}

// clear makes room on a terminal where the status line stands.
func (c *Console) clear() {
	if c.terminal && !c.written.IsZero() {
		fmt.Fprint(c.out, "\r\x1b[K")
	}
}

// change is what is to be told of a hop; "" for nothing.
func (c *Console) change(hop dashboard.HopStatus, now time.Time) string {
	state := hop.State
	if state != dashboard.Failing && state != dashboard.Behind && state != refusing {
		state = calm
	}
	t, known := c.told[hop.Hop]
	if !known {
		t = telling{state: calm, now: calm}
	}
	if t.now != state {
		t.now, t.changed = state, now
	}
	tell := t.now != t.state && now.Sub(t.changed) >= lasting && (t.at.IsZero() || now.Sub(t.at) >= between)
	if tell {
		t.state, t.at = t.now, now
	}
	c.told[hop.Hop] = t
	switch {
	case !tell:
		return ""
	case state == calm:
		return told(now.Format(time.TimeOnly)+" "+string(hop.State)+"  ", hop.Name+" is well again.", "")
	}
	return told(now.Format(time.TimeOnly)+" "+string(hop.State)+"  ", hop.Name+": "+hop.Note, hop.Remedy)
}
