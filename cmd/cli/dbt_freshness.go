package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/run"
)

// A sourceJSON is a source as source freshness --json prints it; fields may be
// added.
type sourceJSON struct {
	Name   string `json:"name"`
	Status string `json:"status"` // pass, warn, error or runtime error
	Said   string `json:"said"`
}

func freshnessDbt(ctx context.Context, c *dbtCall) error {
	runner, err := newRunner(ctx, c.config.Config, c.streams)
	if err != nil {
		return err
	}
	defer runner.Close()
	start := time.Now()
	ages, err := runner.Freshness(ctx, c.options(run.Options{}))
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return run.ErrInterrupted
	}
	if len(ages) == 0 {
		fmt.Fprintln(c.streams.Err, "nothing to look at: no selected source has loaded_at_field and freshness")
	}
	old, unread := 0, 0
	told := []sourceJSON{}
	for _, age := range ages {
		switch age.Status {
		case "pass", "warn":
		case "error":
			old++
		default:
			unread++
		}
		said := age.Message
		if said == "" {
			said = "newest row is " + age.AskedAt.Sub(age.Newest).Round(time.Second).String() + " old"
		}
		name := age.Source.SourceName + "." + age.Source.Name
		if told = append(told, sourceJSON{name, age.Status, said}); !c.asJSON {
			printLine(c.streams.Out, age.Status, age.Took.Milliseconds(), name, said)
		}
	}
	if c.asJSON {
		if err := printJSON(c.streams.Out, map[string]any{"sources": told}); err != nil {
			return err
		}
	}
	if err := c.write(artifact.SourcesName, artifact.Sources(start.UTC().Format(time.RFC3339Nano), time.Now(), time.Since(start), ages)); err != nil {
		return err
	}
	return stale(old, unread)
}

// stale keeps apart what is known to be old and what nobody could read.
func stale(old, unread int) error {
	var faults []error
	if old > 0 {
		faults = append(faults, fmt.Errorf("too old: %d of the sources", old))
	}
	if unread > 0 {
		faults = append(faults, fmt.Errorf("could not be read: %d of the sources", unread))
	}
	return errors.Join(faults...)
}
