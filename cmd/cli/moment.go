package cli

import (
	"flag"
	"fmt"
	"time"

	"github.com/stationflow/stationflow/internal/program"
)

// momentForms are how a person may write a moment; without a zone it is UTC.
var momentForms = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

const momentUsage = "2026-11-22, 2026-11-22T07:30 (UTC), 2026-11-22T07:30+01:00, or an age such as 24h"

// moment returns what reads a flag that is a moment.
func moment(now time.Time, to *time.Time) func(string) error {
	return func(text string) (err error) {
		*to, err = parseMoment(now, text)
		return err
	}
}

// period defines --from and --to over fields; what is not given stays zero.
func period(flags *flag.FlagSet, now time.Time, from, to *time.Time, what string) {
	flags.Func("from", what+" at this `TIME` or later: "+momentUsage, moment(now, from))
	flags.Func("to", what+" before this `TIME`, likewise", moment(now, to))
}

// checkPeriod says that a period ends before it begins.
func checkPeriod(from, to time.Time) error {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return program.Mistakef("--from %s is not before --to %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return nil
}

func parseMoment(now time.Time, text string) (time.Time, error) {
	if age, err := time.ParseDuration(text); err == nil {
		return now.Add(-age).UTC(), nil
	}
	for _, form := range momentForms {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("write it as %s", momentUsage)
}
