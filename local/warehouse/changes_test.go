package warehouse

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
)

// changing are statements that change rows, in the order in which they run, and how many they change.
var changing = []struct {
	sql     string
	changed Changes
}{
	{"insert into d.t (n, s) values (1, 'a'), (2, 'b'), (3, 'c')", Changes{Inserted: 3}},
	{"insert into d.t (n, s) select n + 10, s from d.t", Changes{Inserted: 3}},
	{"update d.t set s = 'z' where n > 10", Changes{Updated: 3}},
	{"update d.t set s = 'z' where n > 100", Changes{}},
	{"delete from d.t where n = 1", Changes{Deleted: 1}},
	{"merge into d.t t using d.new w on t.n = w.n when matched and w.n = 2 then update set s = 'm' " +
		"when not matched then insert (n, s) values (w.n, w.s) when not matched by source and t.n = 13 then delete",
		Changes{Inserted: 1, Updated: 1, Deleted: 1}},
	{"delete from d.t where true", Changes{Deleted: 5}},
	{"insert into `d.t` values (1, 'a'), (2, 'b')", Changes{Inserted: 2}},
	{"truncate table `d`.t", Changes{Deleted: 2}},
	{"truncate table d.t", Changes{}},
}

const changingTables = "create schema d; create table d.t (n int64, s string); " +
	"create table d.new as select 2 as n, 'b' as s union all select 9, 'n'"

func (c Changes) total() int64 { return c.Inserted + c.Updated + c.Deleted }

func TestDML_SaysHowManyRowsItChanged(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, changingTables)
	for _, test := range changing {
		got := jobStatistics(t, client, test.sql)
		stats := got.DMLStats
		if stats == nil || got.NumDMLAffectedRows != test.changed.total() ||
			(Changes{stats.InsertedRowCount, stats.UpdatedRowCount, stats.DeletedRowCount}) != test.changed {
			t.Errorf("%s: changed %d: %+v, want %+v", test.sql, got.NumDMLAffectedRows, stats, test.changed)
		}
	}
	if got := jobStatistics(t, client, "select 1"); got.DMLStats != nil || got.NumDMLAffectedRows != 0 {
		t.Errorf("a SELECT changed rows: %+v", got)
	}
}

func jobStatistics(t *testing.T, client *bigquery.Client, sql string) *bigquery.QueryStatistics {
	t.Helper()
	job, err := client.Query(sql).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	status, err := job.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.Statistics.Details.(*bigquery.QueryStatistics)
}

// TestDML_ZeroRowsAreWritten holds the form: numbers as texts, and zeros too, of DML alone.
func TestDML_ZeroRowsAreWritten(t *testing.T) {
	w, _ := start(t, "")
	run(t, restClient(t, w), changingTables)
	ask := func(sql string) (answer map[string]any) {
		body, _ := json.Marshal(map[string]any{"query": sql, "useLegacySql": false})
		url := w.RESTURL() + "/bigquery/v2/projects/" + testProject + "/queries"
		response, err := http.Post(url, "application/json", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if got := ask("delete from d.t where n = 5"); got["numDmlAffectedRows"] != "0" {
		t.Errorf("jobs.query of a DELETE: %v", got)
	}
	if got := ask("select 1"); got["numDmlAffectedRows"] != nil {
		t.Errorf("jobs.query of a SELECT: %v", got)
	}
}

const changesInPython = `
import json, sys
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
client = bigquery.Client(sys.argv[2], AnonymousCredentials(), client_options=ClientOptions(api_endpoint=sys.argv[1]))
out = []
for sql in json.load(sys.stdin):
    job = client.query(sql)
    rows = job.result()
    stats = job.dml_stats
    out.append([job.num_dml_affected_rows, rows.num_dml_affected_rows, stats.inserted_row_count, stats.updated_row_count, stats.deleted_row_count])
print(json.dumps(out))
`

func TestDML_SaysHowManyRowsItChangedToPython(t *testing.T) {
	python := os.Getenv("STATIONFLOW_PYTHON")
	if python == "" {
		t.Skip("STATIONFLOW_PYTHON is not set: see .ci/run")
	}
	w, _ := start(t, "")
	run(t, restClient(t, w), changingTables)
	statements := make([]string, len(changing))
	for i, test := range changing {
		statements[i] = test.sql
	}
	input, err := json.Marshal(statements)
	if err != nil {
		t.Fatal(err)
	}
	program := exec.CommandContext(context.WithoutCancel(t.Context()), python, "-c", changesInPython, w.RESTURL(), testProject)
	program.Stdin, program.Stderr = strings.NewReader(string(input)), os.Stderr
	output, err := program.Output()
	if err != nil {
		t.Fatalf("asking with Python's client: %v", err)
	}
	var got [][]int64
	if err := json.Unmarshal(output, &got); err != nil || len(got) != len(changing) {
		t.Fatalf("Python's client printed %s: %v", output, err)
	}
	for i, test := range changing {
		n, c := test.changed.total(), test.changed
		if want := []int64{n, n, c.Inserted, c.Updated, c.Deleted}; !slices.Equal(got[i], want) {
			t.Errorf("%s: %v, want %v", test.sql, got[i], want)
		}
	}
}
