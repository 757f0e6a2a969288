package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"github.com/stationflow/stationflow/functions/alert"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/status"
)

const alertsHelp = `usage: stationflow alerts [FLAGS]

Lists the alerts of the newest events, also of those that have ended: what they
said, which channels took them and when, and why a channel did not. They are kept
in the lake for 90 days. LAKE_BUCKET says where it is. It ends with 1 when a
channel does not take one of them: those come first, and all of them, however few
-n asks for.

Examples:
  stationflow alerts
  stationflow alerts --from 24h
  stationflow alerts --json | jq '.alerts[] | select(.done | not) | .failed'

`

// errUntold ends the command when somebody was not told.
var errUntold = errors.New("not everybody was told; the log has each attempt: " + seeLog)

type alertsCall struct {
	streams  *Streams
	bucket   string
	location *time.Location
	from, to time.Time
	n        int
	asJSON   bool

	simulated bool // events have the time of simulated stations
}

// runAlerts lists who was told of what.
func runAlerts(ctx context.Context, args []string, streams Streams) error {
	c := &alertsCall{streams: &streams}
	if err := c.parse(args); err != nil {
		return err
	}
	if err := reach(ctx, streams.Getenv, "STORAGE_EMULATOR_HOST"); err != nil {
		return undecided(ctx, err)
	}
	var marks []alert.Mark
	c.simulated = streams.isSimulated(ctx)
	err := streams.during("reading the alerts", func() error {
		client, err := storage.NewClient(ctx, storage.WithJSONReads())
		if err != nil {
			return fmt.Errorf("connecting to Cloud Storage: %w", err)
		}
		defer func() { _ = client.Close() }()
		marks, err = alert.Newest(ctx, client.Bucket(c.bucket), c.from, c.to, c.n)
		return err
	})
	if err == nil {
		err = c.print(marks)
	}
	return undecided(ctx, err, errUntold)
}

func (c *alertsCall) parse(args []string) error {
	flags := flag.NewFlagSet("stationflow alerts", flag.ContinueOnError)
	period(flags, time.Now(), &c.from, &c.to, "events that began")
	flags.IntVar(&c.n, "n", 20, "so many at most, `N`")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
	if err := c.streams.parse(flags, args, alertsHelp); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	case c.n < 1 || c.n > 10_000:
		return program.Mistakef("-n is %d: it must be from 1 to 10000", c.n)
	}
	if err := checkPeriod(c.from, c.to); err != nil {
		return err
	}
	var err error
	c.bucket, err = read(c.streams, func(r *env.Reader) string {
		c.location = r.Location("STATION_TIMEZONE", "UTC")
		return r.Required("LAKE_BUCKET", "set it to the name of the lake's Cloud Storage bucket")
	})
	return program.AsMistake(err)
}

func (c *alertsCall) print(marks []alert.Mark) error {
	untold := slices.ContainsFunc(marks, func(m alert.Mark) bool { return len(m.Failed) > 0 })
	if c.asJSON {
		if err := printJSON(c.streams.Out, map[string]any{"alerts": marksJSON(marks)}); err != nil {
			return err
		}
	} else {
		for i := range marks {
			c.printOne(c.streams.Out, &marks[i])
		}
		if len(marks) == 0 {
			fmt.Fprintln(c.streams.Out, "no alerts")
		}
	}
	if untold {
		return errUntold
	}
	return nil
}

// A markJSON is an alert as --json prints it; fields may be added.
type markJSON struct {
	alert.Mark
	ClaimedUntil *time.Time `json:"claimed_until"` // null while no delivery sends it
}

func marksJSON(marks []alert.Mark) []markJSON {
	all := []markJSON{}
	for i := range marks {
		all = append(all, markJSON{marks[i], status.Time(time.UTC, marks[i].ClaimedUntil)})
	}
	return all
}

// printOne writes what an alert said, and below who was told.
func (c *alertsCall) printOne(out io.Writer, m *alert.Mark) {
	n := &m.Notification
	when := n.BeganAt.In(c.location).Format("2006-01-02 15:04 MST")
	indent := strings.Repeat(" ", len(when)+2)
	if c.simulated {
		when += " (simulated)"
	}
	fmt.Fprintf(out, "%s  %s\n", when, n.Text)
	var told []string
	for _, channel := range slices.Sorted(maps.Keys(m.Sent)) {
		told = append(told, channel+" at "+m.Sent[channel].In(c.location).Format("2006-01-02 15:04:05 MST"))
	}
	switch {
	case len(told) > 0:
		fmt.Fprintf(out, indent+"told: %s\n", strings.Join(told, ", "))
	case m.Done:
		fmt.Fprintln(out, indent+"told: nobody, because no channel is set")
	case len(m.Failed) == 0:
		fmt.Fprintln(out, indent+"told: nobody yet")
	}
	if trouble := m.Trouble(); trouble != "" {
		fmt.Fprintf(out, indent+"not told: %s\n", oneLine(trouble))
	}
}
