package transformtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/staged"
)

// What a run reads is what docs/costs.md counts with: BigQuery bills each table
// that a statement reads at 10 MiB at least, and a run with new records of
// every topic bills little else while tables are small. Rows that arrived more
// than a day ago, by the warehouse's clock, make each model ask twice.
func TestRun_ReadsFewTables(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/costs.md")
	check(t, err)
	for _, c := range []struct {
		name string
		age  time.Duration // of what is known of the dates that get new rows
		most int
	}{{"new dates", 0, 80}, {"dates of late events", 30 * time.Hour, 92}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().UTC()
			s := start(t, time.UTC, now)
			known := now.Add(-c.age)
			g := staged.NewGenerator(24, staged.Within(known.Add(-4*time.Hour), known))
			s.Append(known, g.Records(200)...)
			p := s.throughProxy()
			s.config.Exclude = []string{"tag:deep"} // as in production
			s.restart()
			s.run()
			var read atomic.Int32
			p.set(func(_ http.ResponseWriter, r *http.Request, body string, _ func()) bool {
				var sent struct {
					Configuration struct{ Query struct{ Query string } }
				}
				if r.Method == http.MethodPost && json.Unmarshal([]byte(body), &sent) == nil {
					for statement := range strings.SplitSeq(sent.Configuration.Query.Query, ";") {
						read.Add(int32(tablesRead(strings.TrimSpace(statement))))
						for _, found := range stagingRead.FindAllStringSubmatch(statement, -1) {
							if found[1] == "" && !isBareCount(statement) {
								t.Errorf("%s is read as a whole:\n%s", found[0], statement)
							}
						}
					}
				}
				return false
			})
			s.Append(now, g.Records(100)...)
			s.run()
			if got := int(read.Load()); got > c.most || got < c.most-5 {
				t.Errorf("a run reads %d tables, %d at most were expected: correct this test, docs/costs.md and internal/cost/model.go", got, c.most)
			}
			if figure := fmt.Sprintf("%d tables", c.most); !bytes.Contains(page, []byte(figure)) {
				t.Errorf("docs/costs.md does not say that a run reads %s", figure)
			}
		})
	}
}

var tableName = regexp.MustCompile("`" + project + "`\\.`\\w+`\\.`\\w+`")

// stagingRead matches where a staging table is read, and the literal bound on
// its rows' arrival, if there is one: it spares BigQuery all days before.
var stagingRead = regexp.MustCompile("`staging_data`\\.`\\w+`(?:\\s+where (ingested_at >=? timestamp_micros\\(\\d))?")

// isBareCount tells a statement that reads no column, which is free of charge.
func isBareCount(statement string) bool {
	return strings.Contains(statement, "(select count(*) from `")
}

// tablesRead are the tables that BigQuery reads for a statement: not the one
// that rows are inserted into, none for TRUNCATE or bare counts.
func tablesRead(statement string) int {
	names := map[string]bool{}
	for _, name := range tableName.FindAllString(statement, -1) {
		names[name] = true
	}
	switch {
	case strings.HasPrefix(statement, "truncate "), isBareCount(statement):
		return 0
	case strings.HasPrefix(statement, "insert "):
		return len(names) - 1
	}
	return len(names)
}
