package warehouse

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
)

// childVariable marks a process that a test has started to run itself in.
const childVariable = "STATIONFLOW_TEST_CHILD"

// child runs the calling test again in a process of its own, with a word for it, and returns how that ended. In the
// child, role is the word: the emulator keeps state for as long as its process lives.
func child(t *testing.T, word string) (output []byte, err error) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), childVariable+"="+word)
	return command.CombinedOutput()
}

func role() string { return os.Getenv(childVariable) }

// TestDataDir fills a warehouse in another process and reads it in this one: once after a clean end, once after a crash.
func TestDataDir_SurvivesTheProcess(t *testing.T) {
	if ending, dir, inChild := strings.Cut(role(), ":"); inChild {
		fill(t, dir, ending == "crash")
		return
	}
	for _, ending := range []string{"close", "crash"} {
		dir := t.TempDir()
		if output, err := child(t, ending+":"+dir); (err != nil) != (ending == "crash") {
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
				t.Errorf("after a %s: %s: %s", ending, sql, diff)
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

func fill(t *testing.T, dir string, crash bool) {
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
	if crash {
		os.Exit(3)
	}
	stop()
}
