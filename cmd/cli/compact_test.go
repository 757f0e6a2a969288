package cli

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/internal/program"
)

func TestParseCompact(t *testing.T) {
	hour := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		args  string
		want  compact.Choice
		fault string
	}{
		{"", compact.Choice{}, ""},
		{"--hour 2026-11-22T07:30 --topic incidents --dry-run", compact.Choice{Topics: []string{"incidents"}, From: hour, To: hour.Add(time.Hour), DryRun: true}, ""},
		{"--from 2026-11-22T07:00 --to 2026-11-22T08:00", compact.Choice{From: hour, To: hour.Add(time.Hour)}, ""},
		{"--topic nothing", compact.Choice{}, `there is no topic "nothing"`},
		{"--hour soon", compact.Choice{}, `invalid value "soon" for flag --hour: write it as 2026-11-22`},
		{"--hour 2026-11-22 --to 2026-11-23", compact.Choice{}, "--hour is one hour"},
		{"--from 2026-11-23 --to 2026-11-22", compact.Choice{}, "is not before"},
		{"all", compact.Choice{}, `unexpected argument "all"`},
	} {
		var out bytes.Buffer
		got, _, err := parseCompact(strings.Fields(c.args), &Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &out}, time.Now())
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || program.ExitCode(err) != 2 {
				t.Errorf("%s: %v, want %s", c.args, err, c.fault)
			}
			continue
		}
		if err != nil || !got.From.Equal(c.want.From) || !got.To.Equal(c.want.To) || got.DryRun != c.want.DryRun || strings.Join(got.Topics, " ") != strings.Join(c.want.Topics, " ") {
			t.Errorf("%s: %+v, %v, want %+v", c.args, got, err, c.want)
		}
	}
	if _, _, err := parseCompact([]string{"--help"}, &Streams{Out: new(bytes.Buffer)}, time.Now()); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}

func TestPrintCompaction(t *testing.T) {
	var out bytes.Buffer
	hour := compact.Hour{Topic: "incidents", Hour: time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC), Objects: 60, Into: 1, Records: 1200, Duplicates: 20, Bytes: 216_000, BytesAfter: 80_000}
	printCompaction(&out, &compact.Result{Hours: []compact.Hour{hour}, Deleted: 1, DeletedBytes: 900, Replaced: 60, Waiting: 2, Left: []string{"object x: it is cut"}})
	want := `incidents 2026-11-22T07:00Z: 60 objects (216 kB) merged into 1 (80 kB) with 1200 records; 20 rows were of records that are there already
left as it is: object x: it is cut
1 hour merged, 1 object (900 bytes) deleted; 60 objects replaced by others stay until their time; 2 hours not closed yet, or still being written
`
	if got := out.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
