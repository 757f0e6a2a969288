package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
)

// progressEvery is how long work is silent.
const progressEvery = 2 * time.Second

// A progress tells a person now and then how far work has come.
type progress struct {
	clock mailbox.Clock
	out   io.Writer
	last  time.Time // zero before the first call
}

// tell prints a line, unless it is too early for one.
func (p *progress) tell(format string, args ...any) {
	now := p.clock.Now()
	if p.last.IsZero() {
		p.last = now
	}
	if now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	fmt.Fprintf(p.out, format+"\n", args...)
}

// printJSON prints a result for programs.
func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
