package endpoints_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/local/endpoints"
)

// A shell that reads the file gives its programs every variable.
func TestWriteEnvironment(t *testing.T) {
	e := endpoints.Endpoints{Project: "p", Bucket: "b", Kafka: "127.0.0.1:1", BigQuery: "http://127.0.0.1:2"}
	file := filepath.Join(t.TempDir(), "environment")
	if err := endpoints.WriteEnvironment(file, e.Environment("records")); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", `. "$1" && env`, "sh", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := "\n" + string(out)
	for _, variable := range e.Environment("records") {
		if !strings.Contains(lines, "\n"+variable+"\n") {
			t.Errorf("%s is not in the environment", variable)
		}
	}
}
