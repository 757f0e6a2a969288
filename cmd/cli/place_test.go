package cli

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/running"
)

// local announces a system whose page answers as the handler does.
func announce(t *testing.T, folder string, pid int, handler http.Handler, environment ...string) string {
	t.Helper()
	page := httptest.NewServer(handler)
	t.Cleanup(page.Close)
	forget, err := running.Announce(folder, running.System{PID: pid, Page: page.URL, Environment: environment})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = forget() })
	return page.URL
}

// Which system a command works with: the local one that runs, the one whose
// variables the shell has read, or the project that the shell names.
func TestLocate(t *testing.T) {
	for _, name := range append(emulators, "GOOGLE_CLOUD_PROJECT") {
		t.Setenv(name, "") // and so what the command sets is taken back
	}
	one, two, none := t.TempDir(), t.TempDir(), t.TempDir()
	first := announce(t, one, 1, nil, "GOOGLE_CLOUD_PROJECT=here", "BIGQUERY_EMULATOR_HOST=http://one", "PUBSUB_EMULATOR_HOST=pubsub")
	announce(t, two, 1, nil, "GOOGLE_CLOUD_PROJECT=here", "BIGQUERY_EMULATOR_HOST=http://one")
	announce(t, two, 2, nil, "GOOGLE_CLOUD_PROJECT=there", "BIGQUERY_EMULATOR_HOST=http://two")
	shell := map[string]string{"GOOGLE_CLOUD_PROJECT": "cloud", "TERM": "kept"}
	read := func(address string) map[string]string {
		all := maps.Clone(shell)
		all["GOOGLE_CLOUD_PROJECT"], all["BIGQUERY_EMULATOR_HOST"] = "read", address
		return all
	}
	for name, c := range map[string]struct {
		folder, args          string
		shell                 map[string]string
		project, found, fault string
		exported              bool
	}{
		"the one that runs":           {one, "", shell, "here", "http://one", "", true},
		"although one runs":           {one, "--cloud", shell, "cloud", "", "", false},
		"none runs":                   {none, "", shell, "cloud", "", "", false},
		"nobody looks":                {"", "", shell, "cloud", "", "", false},
		"two run":                     {two, "", shell, "", "", "2 local systems run: choose one", false},
		"two run, the project":        {two, "--cloud", shell, "cloud", "", "", false},
		"two run, the shell says":     {two, "", read("http://two"), "read", "http://two", "", false},
		"the shell names another":     {one, "", read("http://three"), "read", "", "", false},
		"a part of the one that runs": {one, "", map[string]string{"GOOGLE_CLOUD_PROJECT": "here", "PUBSUB_EMULATOR_HOST": "pubsub", "TERM": "kept"}, "here", "http://one", "", true},
		"the shell's is not a cloud":  {one, "--cloud", read("http://two"), "", "", "this shell has read the variables of a local system (BIGQUERY_EMULATOR_HOST)", false},
		"flags behind the arguments":  {one, "x --cloud", shell, "cloud", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			os.Unsetenv("BIGQUERY_EMULATOR_HOST")
			var said strings.Builder
			s := Streams{Getenv: func(n string) string { return c.shell[n] }, Out: &said, Err: &said, Running: c.folder}
			err := s.parse(flag.NewFlagSet("x", flag.ContinueOnError), strings.Fields(c.args), "")
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v, want %s", err, c.fault)
				}
				return
			}
			if err != nil || s.Getenv("GOOGLE_CLOUD_PROJECT") != c.project || s.Getenv("TERM") != "kept" {
				t.Errorf("%v, project %s, %s", err, s.Getenv("GOOGLE_CLOUD_PROJECT"), s.Getenv("TERM"))
			}
			if found := s.system; (found != nil) != (c.found != "") || found != nil && found.Variable("BIGQUERY_EMULATOR_HOST") != c.found {
				t.Errorf("found %+v, want %s", found, c.found)
			}
			if exported := os.Getenv("BIGQUERY_EMULATOR_HOST") != ""; exported != c.exported || c.exported != strings.HasPrefix(said.String(), "local system at "+first) && !strings.HasPrefix(name, "a part") {
				t.Errorf("exported %v, said %s", exported, said.String())
			}
		})
	}
}

// Every command that works with a system, doctor too, says the same where two
// run: which they are, and how to choose one.
func TestLocate_EachCommandNamesTheSystems(t *testing.T) {
	for _, name := range append(emulators, "GOOGLE_CLOUD_PROJECT") {
		t.Setenv(name, "")
	}
	folder, said := t.TempDir(), ""
	for pid, began := range []time.Time{time.Date(2026, 11, 29, 8, 0, 0, 0, time.Local), time.Date(2026, 11, 29, 9, 30, 0, 0, time.Local)} {
		page := httptest.NewServer(nil)
		t.Cleanup(page.Close)
		variables := fmt.Sprintf("/run/%d/environment", pid)
		if _, err := running.Announce(folder, running.System{PID: pid, Page: page.URL, Variables: variables, Started: began.UTC()}); err != nil {
			t.Fatal(err)
		}
		said += fmt.Sprintf("\n  . %s  # %s, since %s", variables, page.URL, began.Format(time.DateTime))
	}
	arguments := map[string]string{
		"dbt": "run", "deadletters": "list", "quarantine": "list", "peek": "incidents", "query": "select", "replay": "kafka --from 2026-01-01",
		"schema": "check", "trace": "incidents/0/1",
	}
	for _, command := range Commands() {
		if slices.Contains([]string{"completion", "version"}, command.Name) { // work with no system
			continue
		}
		var out, errs strings.Builder
		line := append([]string{command.Name}, strings.Fields(arguments[command.Name])...)
		code := Main(t.Context(), line, Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs, Running: folder}, Commands())
		start, lines, _ := strings.Cut(errs.String(), "\n")
		if code != 2 || "\n"+lines != said+"\n" || !strings.Contains(start, "2 local systems run: choose one by reading its variables into this shell with one of these lines, or ") {
			t.Errorf("%v: exit code %d and %s", line, code, errs.String())
		}
	}
}
