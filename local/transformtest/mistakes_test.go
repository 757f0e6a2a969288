package transformtest

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/local/staged"
)

// The comparison must see a mistake in the SQL: each of these is one.
func TestVerify_SeesMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, right, wrong string }{
		"redelivered records count twice": {"macros/records.sql", ") = 1", ") > 0"},
		"rows visible late are forgotten": {"macros/incremental.sql", "var('late_append_minutes')", "0"},
		"hours are UTC's":                 {"macros/time.sql", `'{{ var("timezone") }}')` + "\n{%- endmacro %}\n\n{#- The wall", "'UTC')\n{%- endmacro %}\n\n{#- The wall"},
		"delays are cut to minutes":       {"macros/time.sql", "(unix_micros({{ actual }}) - unix_micros({{ planned }})) / 60000000", "timestamp_diff({{ actual }}, {{ planned }}, minute)"},
		"nothing reported is 0":           {"models/marts/passenger_flow_hourly.sql", "coalesce(reported_entered, tickets_validated) as passengers_entered", "coalesce(reported_entered, tickets_validated, 0) as passengers_entered"},
		"ties go to the last name":        {"models/marts/passenger_flow_dashboard.sql", "order by passengers_total, dimension_value)", "order by passengers_total, dimension_value desc)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, err := fs.ReadFile(dbt.Files, c.file)
			check(t, err)
			if !strings.Contains(string(source), c.right) {
				t.Fatalf("%s has no %q any more", c.file, c.right)
			}
			s := start(t, zone(t, "Europe/Paris"), noon)
			s.restartWith(t, map[string]string{c.file: strings.Replace(string(source), c.right, c.wrong, 1)})
			g := staged.NewGenerator(9, staged.Within(noon.Add(-30*time.Hour), noon))
			first := g.Records(150)
			s.Append(noon, first...)
			s.Append(noon.Add(time.Minute), first[:20]...)
			if report := s.transform.Run(t.Context()); !report.OK() {
				return // a test of the project has seen it, and nothing wrong was published
			}
			// Nine minutes before the newest row, and of a day that has no newer row.
			g.Moments = staged.Within(noon.Add(-90*24*time.Hour), noon.Add(-80*24*time.Hour))
			s.Append(noon.Add(-9*time.Minute), g.Records(20)...)
			if report := s.transform.Run(t.Context()); !report.OK() {
				return
			}
			if len(s.differences()) == 0 {
				t.Error("the figures are as expected all the same")
			}
		})
	}
}
