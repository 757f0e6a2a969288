package registry

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/cmd/cli"
)

// stationflow calls the tool and returns its exit code and what it wrote.
func stationflow(t *testing.T, url string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	getenv := func(name string) string { return map[string]string{"SCHEMA_REGISTRY_URL": url}[name] }
	status := cli.Main(t.Context(), append([]string{"schema"}, args...), cli.Streams{Getenv: getenv, Out: &out, Err: &out}, cli.Commands())
	return status, out.String()
}

// The runbook quotes what ingest and the tool say of a registry that cannot be
// asked.
func TestRunbook_QuotesWhatIsSaid(t *testing.T) {
	text, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Schema registry\n")
	section, _, _ = strings.Cut(section, "\n## ")
	answers := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		return server.URL
	}
	for what, c := range map[string]struct{ url, quoted string }{
		"another password": {answers(http.StatusUnauthorized), "refuses the user (status 401)"},
		"another address":  {answers(http.StatusNotFound), "there is no schema registry at"},
		"an outage":        {answers(http.StatusInternalServerError), "asking the schema registry at"},
		"nobody there":     {"http://127.0.0.1:1", "asking the schema registry at"},
	} {
		status, said := stationflow(t, c.url, "check", "incidents")
		if status != 1 || !strings.Contains(said, c.quoted) || strings.Count(section, `"`+c.quoted) != 1 {
			t.Errorf("%s: the tool ends with %d and says\n%sand the runbook quotes %q %d times, want once",
				what, status, said, c.quoted, strings.Count(section, `"`+c.quoted))
		}
	}
}

// The tool registers what is generated, tells CI what may not follow on it, and
// says each mistake in one sentence.
func TestSchemaCommand(t *testing.T) {
	r, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.Handler())
	defer server.Close()
	file := filepath.Join(t.TempDir(), "mine.avsc")
	if err := os.WriteFile(file, []byte(`{"type":"record","name":"Incident","namespace":"io.stationflow","fields":[{"name":"id","type":"int"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args   string
		status int
		said   []string
	}{
		{"check", 0, []string{"incidents-value", "passenger_flow-value", "is not there yet"}},
		{"register", 0, []string{"incidents-value            version 1, id 1\n", "passenger_flow-value       version 1, id 6\n"}},
		{"register", 0, []string{"incidents-value            version 1, id 1\n"}},
		{"check", 0, []string{"incidents-value            is BACKWARD compatible with version 1\n"}},
		{"check --compatibility FULL incidents", 1, []string{"refused: its compatibility is BACKWARD, not FULL", "the registry refuses 1 of 1 schemas"}},
		{"register --compatibility FULL incidents", 0, []string{"version 1, id 1"}},
		{"check --compatibility FULL incidents", 0, []string{"is FULL compatible with version 1"}},
		{"check --format protobuf incidents", 1, []string{"refused: it is not FULL compatible with version 1", "another type"}},
		{"check --file " + file + " --subject incidents-value", 1, []string{"refused: it is not FULL compatible with version 1: the new schema cannot read"}},
		{"register --file " + file + " --subject incidents-value", 1, []string{"refused: Schema being registered is incompatible"}},
		{"register --format protobuf train_arrivals", 1, []string{"refused"}},
		{"register --format json --compatibility NONE train_arrivals", 0, []string{"version 2, id 7"}},
		{"", 2, []string{`"" is not what schema does`}},
		{"register --format xml", 2, []string{`--format is "xml": set it to avro, protobuf or json`}},
		{"register --compatibility MOST", 2, []string{`--compatibility is "MOST"`}},
		{"register lifts", 2, []string{`there is no topic "lifts"`}},
		{"register --file " + file, 2, []string{"--file and --subject go together"}},
	} {
		status, said := stationflow(t, server.URL, strings.Fields(step.args)...)
		for _, want := range step.said {
			if !strings.Contains(said, want) || status != step.status {
				t.Errorf("schema %s ends with %d, says\n%swant %d, %s", step.args, status, said, step.status, want)
			}
		}
	}
	if status, said := stationflow(t, "", "check"); status != 1 || !strings.Contains(said, "SCHEMA_REGISTRY_URL is not set") {
		t.Errorf("without a registry: %d, %s", status, said)
	}
	if status, said := stationflow(t, "http://127.0.0.1:1", "check"); status != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "connection refused") {
		t.Errorf("nobody listens: %d, %s", status, said)
	}
	if status, said := stationflow(t, server.URL+"/elsewhere", "check"); status != 1 || !strings.Contains(said, "there is no schema registry at") {
		t.Errorf("another path: %d, %s", status, said)
	}
}
