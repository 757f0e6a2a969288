package cli

import (
	"fmt"
	"time"

	"github.com/stationflow/stationflow/internal/program"
)

// momentForms are how a person may write a moment; without a zone it is UTC.
var momentForms = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

const momentUsage = "2026-11-22, 2026-11-22T07:30 (UTC) or 2026-11-22T07:30+01:00"

// parsePeriod reads the flags --from and --to; what is not given stays zero.
func parsePeriod(from, to string) (begin, end time.Time, err error) {
	for _, one := range []struct {
		name, text string
		to         *time.Time
	}{{"--from", from, &begin}, {"--to", to, &end}} {
		if one.text == "" {
			continue
		}
		if *one.to, err = parseMoment(one.text); err != nil {
			return begin, end, program.Mistakef("%s is %q: write it as %s", one.name, one.text, momentUsage)
		}
	}
	if !begin.IsZero() && !end.IsZero() && !begin.Before(end) {
		return begin, end, program.Mistakef("--from %s is not before --to %s", from, to)
	}
	return begin, end, nil
}

func parseMoment(text string) (time.Time, error) {
	for _, form := range momentForms {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no moment", text)
}
