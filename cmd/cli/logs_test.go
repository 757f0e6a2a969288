package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/running"
)

const aLog = `{"time":"2026-11-22T07:30:12.5Z","level":"INFO","msg":"batch ingested","topic":"incidents","records":3,"new_fields":{"a":1}}
{"time":"2026-11-22T07:30:13Z","level":"WARN","msg":"batch failed","error":"no answer: it says \"busy\""}
not JSON

{"time":"2026-11-22T07:30:14Z","level":"ERROR","msg":"bad"}
`

func TestLogs_OfTheLocalSystem(t *testing.T) {
	for _, name := range emulators {
		t.Setenv(name, "")
	}
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "stationflow.log")
	if err := os.WriteFile(file, []byte(aLog), 0o600); err != nil {
		t.Fatal(err)
	}
	page := announce(t, folder, 1, nil)
	if _, err := running.Announce(folder, running.System{PID: 1, Page: page, Log: file}); err != nil {
		t.Fatal(err)
	}
	logs := func(ctx context.Context, args string) (int, string, string) {
		var out, errs strings.Builder
		code := Main(ctx, strings.Fields("logs "+args), Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs, Running: folder}, Commands())
		return code, out.String(), errs.String()
	}
	info := "07:30:12.500 INFO batch ingested topic=incidents records=3 new_fields={\"a\":1}\n"
	warn := "07:30:13.000 WARN batch failed error=\"no answer: it says \\\"busy\\\"\"\n"
	fault := "07:30:14.000 ERROR bad\n"
	lines := strings.SplitAfter(aLog, "\n")
	for args, want := range map[string]string{
		"":                     info + warn + "not JSON\n" + fault,
		"-n 1":                 fault,
		"-n 0":                 "",
		"--level warn -n 2":    "not JSON\n" + fault,
		"--level error --json": lines[2] + lines[4],
		"--json -n 1":          lines[4],
	} {
		if code, out, errs := logs(t.Context(), args); code != 0 || cmp.Diff(want, out) != "" {
			t.Errorf("%s: %d, %s, %s", args, code, cmp.Diff(want, out), errs)
		}
	}
	for args, want := range map[string]string{"ingest": "one log for all parts", "--level loud": "loud", "-n -1": "-n is -1", "gone": `"gone" is no part`} {
		if code, _, errs := logs(t.Context(), args); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, %s", args, code, errs)
		}
	}

	// What is written while it follows, in pieces too, is shown once it is a line.
	half := `{"time":"2026-11-22T07:30:15Z","level":"INFO",`
	if err := os.WriteFile(file, []byte(aLog+half), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	writer := &lineWriter{after: []func(){
		func() {
			more, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = more.WriteString("\"msg\":\"new\"}\n")
			}
			if err != nil {
				t.Error(err)
				stop()
			}
		},
		stop,
	}}
	code := Main(ctx, []string{"logs", "-f", "-n", "1"}, Streams{Getenv: func(string) string { return "" }, Out: writer, Err: &strings.Builder{}, Running: folder}, Commands())
	if want := fault + "07:30:15.000 INFO new\n"; code != 0 || writer.text.String() != want {
		t.Errorf("%d, %q, want %q", code, writer.text.String(), want)
	}
}

// A lineWriter does something after each line.
type lineWriter struct {
	text  strings.Builder
	after []func()
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.text.Write(p)
	if strings.HasSuffix(string(p), "\n") && len(l.after) > 0 {
		next := l.after[0]
		l.after = l.after[1:]
		next()
	}
	return len(p), nil
}

// Of a project it says how to read the log of each part.
func TestLogs_OfAProject(t *testing.T) {
	for args, want := range map[string]string{
		"bridge":                          "gcloud run worker-pools logs read stationflow-bridge --limit=20\n",
		"ingest -n 5 --region r":          "gcloud functions logs read ingest --gen2 --limit=5 --region=r\n",
		"ingest --level warn":             "gcloud functions logs read ingest --gen2 --limit=20 --min-log-level=WARNING\n",
		"scale -f":                        "gcloud beta logging tail resource.labels.service_name=scale\n",
		"bridge -f --level error --cloud": "gcloud beta logging tail 'resource.labels.worker_pool_name=stationflow-bridge AND severity>=ERROR'\n",
	} {
		if code, out, errs := said(t, strings.Fields("logs "+args)...); code != 0 || out != want || errs != "" {
			t.Errorf("%s: %d, %q %s, want %q", args, code, out, errs, want)
		}
	}
	if code, out, _ := said(t, "logs"); code != 0 || strings.Count(out, "gcloud ") != len(parts) {
		t.Errorf("%d, %s", code, out)
	}
	if code, out, _ := said(t, "logs", "--json", "audit"); code != 0 || !strings.Contains(out, `"audit": "gcloud functions logs read audit --gen2`) {
		t.Errorf("%d, %s", code, out)
	}
	if code, _, errs := said(t, "logs", "--run"); code != 2 || !strings.Contains(errs, "--run needs a part") {
		t.Errorf("%d, %s", code, errs)
	}
	t.Setenv("PATH", t.TempDir())
	if code, _, errs := said(t, "logs", "--run", "ingest"); code != 2 || !strings.Contains(errs, "gcloud is not on this machine") {
		t.Errorf("%d, %s", code, errs)
	}
}
