package transformtest

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/local/staged"
)

// What a run reads is what docs/costs.md counts with: BigQuery bills each table
// that a statement reads at 10 MiB at least, and a run bills little else while
// tables are small.
func TestRun_ReadsFewTables(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/costs.md")
	check(t, err)
	late := 48 * time.Hour
	for _, c := range []struct {
		name   string
		topics []string
		age    time.Duration // of the events that arrive
		most   int
	}{
		{"news of all topics", event.Topics(), 0, 11},
		{"news of one topic", []string{"incidents"}, 0, 6},
		{"no news", nil, 0, 0},
		{"late events of all topics", event.Topics(), late, 28},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The same minute of an hour each time: events in an hour that the run
			// before did not see make the run ask more.
			now := time.Now().UTC().Truncate(time.Hour).Add(-30 * time.Minute)
			s := start(t, time.UTC, now)
			g := staged.NewGenerator(24, staged.Within(now.Add(-4*time.Hour), now))
			s.Append(now.Add(-50*time.Minute), g.Records(100)...)
			g.Moments = staged.Within(now.Add(-late-time.Hour), now.Add(-late))
			s.Append(now.Add(-51*time.Minute), g.Records(100)...)
			g.Moments = staged.Within(now.Add(-4*time.Hour), now)
			s.Append(now.Add(-20*time.Minute), g.Records(200)...)
			s.config.Exclude = []string{"tag:deep"} // as in production
			s.restart()
			s.run()
			s.Append(now.Add(-time.Minute), g.Records(100)...)
			s.run()
			s.Billed("transform")
			if c.age > 0 {
				g.Moments = staged.Within(now.Add(-c.age-time.Hour), now.Add(-c.age))
			}
			s.Append(now, slices.DeleteFunc(g.Records(100), func(r expect.Record) bool { return !slices.Contains(c.topics, r.Topic) })...)
			s.run()
			var read []string
			for _, query := range s.Billed("transform") {
				for _, table := range query.Tables {
					read = append(read, fmt.Sprintf("%s, %d columns by %s", table.Table, table.Columns, query.Kind))
				}
			}
			if len(read) > c.most || len(read) < c.most-3 {
				t.Errorf("a run reads %d tables, %d at most were expected: correct this test, docs/costs.md and internal/cost/model.go\n%s", len(read), c.most, strings.Join(read, "\n"))
			}
			if figure := fmt.Sprintf("%d tables", c.most); !bytes.Contains(page, []byte(figure)) {
				t.Errorf("docs/costs.md does not say that a run reads %s", figure)
			}
			s.verify("afterwards")
		})
	}
}

// isBareCount tells a statement that reads no column, which is free of charge.
func isBareCount(statement string) bool {
	return strings.Contains(statement, "(select count(*) from `")
}
