package warehouse

import (
	"os"
	"os/exec"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
)

// persistDir names, to a child process of TestDataDir, the folder to fill.
const persistDir = "STATIONFLOW_TEST_DATA_DIR"

// TestDataDir fills a warehouse in a process of its own, which the emulator's process-wide state does not outlive, and
// reads it in this one: once after a clean end, once after a crash.
func TestDataDir_SurvivesTheProcess(t *testing.T) {
	if dir := os.Getenv(persistDir); dir != "" {
		fill(t, dir)
		return
	}
	for _, crash := range []string{"", "crash"} {
		dir := t.TempDir()
		child := exec.Command(os.Args[0], "-test.run=^TestDataDir_SurvivesTheProcess$")
		child.Env = append(os.Environ(), persistDir+"="+dir, "STATIONFLOW_TEST_CRASH="+crash)
		if output, err := child.CombinedOutput(); (err != nil) != (crash != "") {
			t.Fatalf("filling: %v\n%s", err, output)
		}
		w, _ := start(t, dir)
		client := restClient(t, w)
		for sql, want := range map[string][][]bigquery.Value{
			"select name, number from s.streamed order by number": {{"a", int64(1)}, {"b", int64(2)}},
			"select * from s.made":                                {{int64(3), 0.5}},
			"select * from s.seen":                                {{int64(3)}},
		} {
			if diff := cmp.Diff(want, run(t, client, sql)); diff != "" {
				t.Errorf("%s: %s: %s", crash, sql, diff)
			}
		}
		// What was there can be written to, replaced and dropped.
		rows := newRowType(t, twoColumns)
		answer := connect(t, rawClient(t, w)).append(tableName("s", "streamed")+"/streams/_default", &rows, rows.row(t, "c", 3))
		if answer.GetError() != nil {
			t.Error(answer)
		}
		run(t, client, "create or replace view s.seen as select count(*) as n from s.streamed")
		if n := count(t, client, "select n from s.seen"); n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
		run(t, client, "drop table s.made")
	}
}

func fill(t *testing.T, dir string) {
	w, stop := start(t, dir)
	client := restClient(t, w)
	createTable(t, client, "streamed", twoColumns)
	rows := newRowType(t, twoColumns)
	connection := connect(t, rawClient(t, w))
	connection.append(tableName("s", "streamed")+"/streams/_default", &rows, rows.row(t, "a", 1))
	run(t, client, "create table s.made as select 3 as n, 0.5 as x")
	run(t, client, "create view s.seen as select n from s.made")
	if answer := connection.append("", nil, rows.row(t, "b", 2)); answer.GetError() != nil {
		t.Fatal(answer)
	}
	if os.Getenv("STATIONFLOW_TEST_CRASH") != "" {
		os.Exit(3)
	}
	stop()
}
