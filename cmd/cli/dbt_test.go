package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/event"
)

func dbt(t *testing.T, line string) (code int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	streams := Streams{Getenv: func(name string) string {
		return map[string]string{"GOOGLE_CLOUD_PROJECT": "some-project"}[name]
	}, Out: &o, Err: &e}
	code = Main(t.Context(), strings.Fields("dbt "+line), streams, Commands())
	return code, o.String(), e.String()
}

func TestDbt_ListsWhatIsSelected(t *testing.T) {
	code, out, errs := dbt(t, "ls --select 1+train_dashboard,resource_type:model incident_dashboard --output name --exclude test_type:data test_type:unit")
	if diff := cmp.Diff("station_hours\nincident_dashboard\ntrain_movements_hourly\ntrain_dashboard\n", out); code != 0 || diff != "" {
		t.Errorf("%d %s %s", code, errs, diff)
	}
	code, out, _ = dbt(t, "ls --select source:staging.quarantine+ --exclude resource_type:test")
	if diff := cmp.Diff("source:stationflow.staging.quarantine\nstationflow.staging.stg_quarantine\n", out); code != 0 || diff != "" {
		t.Error(diff)
	}
	code, out, _ = dbt(t, "ls --select source:staging.quarantine+ --resource-type model source test --exclude-resource-types test")
	if diff := cmp.Diff("source:stationflow.staging.quarantine\nstationflow.staging.stg_quarantine\n", out); code != 0 || diff != "" {
		t.Error(diff)
	}
	code, out, _ = dbt(t, "ls -s incidents_hourly,resource_type:model --output json")
	want := `{"alias":"incidents_hourly","config":{"materialized":"view"},"depends_on":{"nodes":["model.stationflow.station_hours"]},` +
		`"name":"incidents_hourly","original_file_path":"models/marts/incidents_hourly.sql","package_name":"stationflow","resource_type":"model","tags":[],"unique_id":"model.stationflow.incidents_hourly"}`
	if line, _, _ := strings.Cut(out, "\n"); code != 0 || line != want {
		t.Errorf("%d %s", code, line)
	}
}

func TestDbt_SaysWhatIsWrong(t *testing.T) {
	for line, want := range map[string]struct {
		code int
		says string
	}{
		"":                                  {2, "say which command: stationflow dbt --help"},
		"clone":                             {2, `there is no command "clone": stationflow dbt --help lists them`},
		"ls --select nothing":               {1, `the selector "nothing" selects nothing`},
		"ls --output yaml":                  {2, `--output is "yaml"`},
		"ls --vars 3":                       {2, `--vars "3" is not YAML with names and values`},
		"ls --project-dir nowhere":          {1, "dbt_project.yml"},
		"run all":                           {2, `unexpected argument "all"`},
		"run --selct all":                   {2, "flag provided but not defined: --selct: see stationflow dbt run --help"},
		"run --output name":                 {2, "not defined: --output"},
		"build --resource-type table":       {2, `"table" is no type of resources: it is one of model, seed, `},
		"run --resource-type model":         {2, "not defined: --resource-type: see stationflow dbt run --help"},
		"show":                              {2, "say what to show: --select NAME or --inline SQL, one of them"},
		"show -s a --output csv":            {2, `--output is "csv": it is text or json`},
		"run --defer":                       {2, "--defer needs --state FOLDER"},
		"run --defer --defer-state nowhere": {2, "--defer: open nowhere/manifest.json"},
		"ls --full-refresh":                 {2, "not defined: --full-refresh"},
	} {
		code, out, errs := dbt(t, line)
		if code != want.code || !strings.Contains(errs, want.says) || strings.Contains(errs, "--target-path") || out != "" {
			t.Errorf("%q: exit code %d, %q and %q, want %d and only %q", line, code, out, errs, want.code, want.says)
		}
	}
}

func TestDbt_Help(t *testing.T) {
	for line, want := range map[string]string{
		"--help":                  "stationflow dbt COMMAND --help lists the command's flags",
		"run --help":              "  --full-refresh\n",
		"ls --help":               "  --output FORMAT\n",
		"source freshness --help": "  --select SELECTORS\n",
	} {
		if code, out, errs := dbt(t, line); code != 0 || !strings.Contains(out, want) || errs != "" {
			t.Errorf("%q: exit code %d, %q and %q, want %q", line, code, out, errs, want)
		}
	}
}

// warehouse runs a dbt command against what answers as BigQuery.
func warehouse(ctx context.Context, line, address string) (code int, out, errs string) {
	var o, e strings.Builder
	streams := Streams{Getenv: func(name string) string {
		return map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "BIGQUERY_EMULATOR_HOST": address}[name]
	}, Out: &o, Err: &e}
	code = Main(ctx, strings.Fields(line), streams, Commands())
	return code, o.String(), e.String()
}

// What Google's client would try for minutes is found out at once.
func TestReach_NothingListens(t *testing.T) {
	t.Chdir(t.TempDir()) // where no other project is
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"dbt run", "dbt test", "dbt source freshness", "transform"} {
		code, _, errs := warehouse(t.Context(), line, "http://"+address)
		want := "nothing listens at " + address + " (BIGQUERY_EMULATOR_HOST): start the system with `stationflow up`, or unset it\n"
		if code != 1 || !strings.HasSuffix(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d and %q, want %q", line, code, errs, want)
		}
	}
	t.Setenv("PUBSUB_EMULATOR_HOST", address)
	if code, _, errs := warehouse(t.Context(), "deadletters list", ""); code != 1 || !strings.Contains(errs, "nothing listens at "+address+" (PUBSUB_EMULATOR_HOST)") {
		t.Errorf("deadletters: exit code %d and %q", code, errs)
	}
}

// A source that nobody could read is not called old.
func TestDbt_FreshnessThatCannotBeRead(t *testing.T) {
	t.Chdir(t.TempDir())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"error": {"code": 400, "message": "no"}}`, http.StatusBadRequest)
	}))
	defer server.Close()
	code, out, errs := warehouse(t.Context(), "dbt source freshness", server.URL)
	if code != 1 || !strings.Contains(out, "runtime error") || !strings.Contains(errs, fmt.Sprintf("could not be read: %d of the sources", len(event.Topics()))) || strings.Contains(errs, "old") {
		t.Errorf("exit code %d, %s and %s", code, out, errs)
	}
}

// What needs no warehouse asks for none.
func TestDbt_WorksOffline(t *testing.T) {
	t.Chdir(t.TempDir())
	for line, want := range map[string]string{
		"dbt ls --select incidents_hourly --output name --exclude resource_type:test": "incidents_hourly\n",
		"dbt parse": "sources are as they should be\n",
		"dbt compile --select incidents_hourly --exclude resource_type:test": "compiled 1 models and tests to target/compiled\n",
	} {
		for _, address := range []string{"", "http://127.0.0.1:1"} {
			var o, e strings.Builder
			streams := Streams{Getenv: func(name string) string { return map[string]string{"BIGQUERY_EMULATOR_HOST": address}[name] }, Out: &o, Err: &e}
			if code := Main(t.Context(), strings.Fields(line), streams, Commands()); code != 0 || !strings.HasSuffix(o.String(), want) {
				t.Errorf("%s: exit code %d, %s and %s", line, code, o.String(), e.String())
			}
		}
	}
	if content, err := os.ReadFile("target/manifest.json"); err != nil || !strings.Contains(string(content), "incidents_hourly") {
		t.Error(err)
	}
}

func TestStale(t *testing.T) {
	if stale(0, 0) != nil || stale(2, 0).Error() != "too old: 2 of the sources" {
		t.Errorf("%v and %v", stale(0, 0), stale(2, 0))
	}
}

// Who interrupts a command gets one line.
func TestMain_Interrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	for line, want := range map[string]string{
		"dbt run":              "stationflow dbt: interrupted; nothing was published\n",
		"dbt test":             "stationflow dbt: interrupted\n",
		"dbt source freshness": "stationflow dbt: interrupted\n",
		"transform":            "stationflow transform: interrupted; nothing was published\n",
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { interrupt() }))
		code, _, errs := warehouse(ctx, line, server.URL)
		server.Close()
		if code != interrupted || errs != want {
			t.Errorf("%s: exit code %d and %q, want %d and %q", line, code, errs, interrupted, want)
		}
	}
}
