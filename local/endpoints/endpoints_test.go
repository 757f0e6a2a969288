package endpoints_test

import (
	"encoding/json"
	"maps"
	"os"
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

// The members are a contract with whoever reads the file: they are added to,
// and never renamed.
func TestWrite_HasTheMembersOfTheContract(t *testing.T) {
	e := endpoints.Endpoints{Project: "p", Bucket: "b", StagingDataset: "s", ProdDataset: "d", Kafka: "h:1", PubSub: "h:2", BigQueryGRPC: "h:3",
		BigQuery: "http://h:4", Storage: "http://h:5", Functions: "http://h:6", Bridge: "http://h:7", Dashboard: "http://h:8", SchemaRegistry: "http://h:9"}
	folder := t.TempDir()
	file := filepath.Join(folder, "endpoints.json")
	if err := os.WriteFile(file, []byte("of a run before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"project": "p", "bucket": "b", "staging_dataset": "s", "prod_dataset": "d", "kafka": "h:1", "pubsub": "h:2", "bigquery_grpc": "h:3",
		"bigquery": "http://h:4", "storage": "http://h:5", "functions": "http://h:6", "bridge": "http://h:7", "dashboard": "http://h:8", "schema_registry": "http://h:9"}
	if !maps.Equal(got, want) {
		t.Errorf("the file has %v, want %v", got, want)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v (%v), want the file alone", left, err)
	}
}
