package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/status"
)

const statusHelp = `usage: stationflow status [FLAGS]

Says of each hop from Kafka to the dashboards how it does: what passed, what
waits and for how long, what failed and what to do about it; how fresh staging
is, how the last transform ended, and which alerts are open. It ends with 0 when
every hop does what it should, with 1 when one is behind or failing, and with 2
when that could not be found out. Of the local system it is what its page shows;
of a project, or of a system elsewhere, it asks Kafka, BigQuery, Pub/Sub and
the lake.

Examples:
  stationflow status
  stationflow status --watch
  stationflow status --json | jq -r '.hops[] | select(.state == "failing") | .note'
  until stationflow status > /dev/null; do sleep 5; done

`

// A statusCall is one call of stationflow status.
type statusCall struct {
	streams  Streams
	watch    bool
	every    time.Duration
	asJSON   bool
	maxBytes int64
}

// errUnwell is what status ends with when a hop is behind or failing.
var errUnwell = errors.New("not well")

func runStatus(ctx context.Context, args []string, streams Streams) error {
	c := statusCall{streams: streams}
	if err := c.parse(args); err != nil {
		return err
	}
	look := c.cloud
	if c.streams.system != nil {
		look = c.page
	}
	if c.watch {
		return c.watching(ctx, look)
	}
	var now status.Status
	var raw []byte
	err := c.streams.during("asking how it does", func() (err error) {
		now, raw, err = look(ctx)
		return err
	})
	if len(now.Hops) > 0 {
		err = errors.Join(err, c.print(now, raw))
	}
	return undecided(ctx, err, errUnwell)
}

func (c *statusCall) parse(args []string) error {
	flags := flag.NewFlagSet("stationflow status", flag.ContinueOnError)
	flags.BoolVar(&c.watch, "watch", false, "go on until interrupted; on a terminal in place")
	flags.DurationVar(&c.every, "every", 2*time.Second, "with --watch: a new look each `DURATION`")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON, as the page has it at /api/pipeline")
	flags.Int64Var(&c.maxBytes, "max-bytes", 1<<30, "of a project: the most that is read of the warehouse, `N` bytes")
	if err := c.streams.parse(flags, args, statusHelp); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	case c.every < 100*time.Millisecond:
		return program.Mistakef("--every is %v: it must be 100ms or more", c.every)
	case c.maxBytes < 1:
		return program.Mistakef("--max-bytes is %d: it must be 1 or more", c.maxBytes)
	}
	return nil
}

// page asks the local system's page.
func (c *statusCall) page(ctx context.Context) (status.Status, []byte, error) {
	return c.streams.askPage(ctx)
}

// watching shows one look after the other, in place on a terminal. JSON is an
// object a line.
func (c *statusCall) watching(ctx context.Context, look func(context.Context) (status.Status, []byte, error)) error {
	_, inPlace := c.streams.terminal()
	inPlace = inPlace && !c.asJSON
	for first := true; ; first = false {
		now, _, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // that is how it ends
		case len(now.Hops) == 0 && first:
			return undecided(ctx, err)
		case inPlace:
			fmt.Fprint(c.streams.Out, "\x1b[H\x1b[J")
		case !first && !c.asJSON:
			fmt.Fprintln(c.streams.Out)
		}
		if c.asJSON {
			err = errors.Join(err, json.NewEncoder(c.streams.Out).Encode(now))
		} else {
			width, _ := c.streams.terminal()
			printStatus(c.streams.Out, now, width)
		}
		if err != nil {
			fmt.Fprintf(c.streams.Err, "not all could be found out: %v\n", err)
		}
		if pause.For(ctx, c.every) != nil {
			return nil //nolint:nilerr // likewise
		}
	}
}

// print shows a look. The error says whether all is well.
func (c *statusCall) print(now status.Status, raw []byte) error {
	switch {
	case c.asJSON && raw != nil:
		if _, err := c.streams.Out.Write(raw); err != nil {
			return err
		}
	case c.asJSON:
		if err := printJSON(c.streams.Out, now); err != nil {
			return err
		}
	default:
		width, _ := c.streams.terminal()
		printStatus(c.streams.Out, now, width)
	}
	if s := now.Overall.State; s == status.Behind || s == status.Failing {
		return fmt.Errorf("%w: %s is %s", errUnwell, hopOf(now, s), s)
	}
	if slices.ContainsFunc(now.Alerts, func(a status.Alert) bool { return a.Trouble != "" }) {
		return fmt.Errorf("%w: not everybody was told of an alert; see why: stationflow alerts", errUnwell)
	}
	return nil
}

// hopOf names the first hop in a state.
func hopOf(now status.Status, state status.State) string {
	for _, hop := range now.Hops {
		if hop.State == state {
			return hop.Name
		}
	}
	return "the pipeline"
}
