package warehouse

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"
)

// TestTable_FromPython runs the table's expressions with Google's client for Python, which must get what Go's gets.
func TestTable_FromPython(t *testing.T) {
	python := os.Getenv("STATIONFLOW_PYTHON")
	if python == "" {
		t.Skip("STATIONFLOW_PYTHON is not set: see .ci/run")
	}
	w, _ := start(t, "")
	output, err := exec.Command(python, "testdata/table.py", w.RESTURL(), testProject, "testdata/bigquery.tsv").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Logf("%s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var answers [][3]any
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	y := &tally{t: t, refused: map[int]string{}, example: map[int]example{}}
	byLine := map[int]example{}
	for _, e := range examples(t) {
		byLine[e.line] = e
	}
	for _, answer := range answers {
		y.hold("from Python, over "+answer[1].(string), byLine[int(answer[0].(float64))], answer[2].(string))
	}
	if y.right < 1000 || len(y.refused) > len(byLine)/10 {
		t.Errorf("%d right answers, %d refused", y.right, len(y.refused))
	}
}
