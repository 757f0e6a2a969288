package transformtest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/staged"
)

// mostTablesRead is what docs/costs.md counts with: BigQuery bills each table
// that a statement reads at 10 MiB at least, and a run with new records of
// every topic bills little else while tables are small.
const mostTablesRead = 80

func TestRun_ReadsFewTables(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(24, staged.Within(noon.Add(-4*time.Hour), noon))
	s.Append(noon, g.Records(200)...)
	p := s.throughProxy()
	s.config.Exclude = []string{"tag:deep"} // as in production
	s.restart()
	s.run()
	var read atomic.Int32
	p.set(func(_ http.ResponseWriter, r *http.Request, body string, _ func()) bool {
		var sent struct{ Query string }
		if r.Method == http.MethodPost && json.Unmarshal([]byte(body), &sent) == nil {
			for statement := range strings.SplitSeq(sent.Query, ";") {
				read.Add(int32(tablesRead(strings.TrimSpace(statement))))
			}
		}
		return false
	})
	s.Append(noon.Add(time.Minute), g.Records(100)...)
	s.run()
	if got := read.Load(); got > mostTablesRead || got < mostTablesRead-5 {
		t.Errorf("a run reads %d tables, docs/costs.md says %d: correct it, %s and this test", got, mostTablesRead, "local/deploytest/costs_test.go")
	}
}

var tableName = regexp.MustCompile("`" + project + "`\\.`\\w+`\\.`\\w+`")

// tablesRead are the tables that BigQuery reads for a statement: not the one
// that rows are inserted into, none for TRUNCATE or bare counts.
func tablesRead(statement string) int {
	names := map[string]bool{}
	for _, name := range tableName.FindAllString(statement, -1) {
		names[name] = true
	}
	switch {
	case strings.HasPrefix(statement, "truncate "), strings.Contains(statement, "(select count(*) from `"):
		return 0
	case strings.HasPrefix(statement, "insert "):
		return len(names) - 1
	}
	return len(names)
}
