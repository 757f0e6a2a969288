package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/status"
)

func aStatus() status.Status {
	at := time.Date(2026, 11, 22, 7, 30, 12, 0, time.UTC)
	hop := func(hop status.Hop, name string, records int64, unit string) status.OfHop {
		return status.OfHop{Hop: hop, Name: name, Health: status.Health{State: status.Flowing}, Records: records, Unit: unit}
	}
	s := status.Status{
		At: at, Hops: []status.OfHop{hop(status.Kafka, "Kafka", 1200, status.Records), hop(status.Bridge, "Bridge", 1100, status.Records), hop(status.TransformRuns, "Transform", 21, status.Models)},
		Quarantined: 3, QuarantinedShare: new(0.0025), DeadLetters: 1,
		Freshness: status.Freshness{Records: 9, P50: new(0.42), P99: new(1.31)},
		Transform: status.Transform{LastFinished: new(at.Add(-9 * time.Second)), LastTook: new(2.3), LastStatus: new("ok"), Changed: 2, TestsRun: 16, Next: new(at.Add(48 * time.Second))},
		Alerts:    []status.Alert{{Text: "Major incident at Station B: smoke, Dock 2", BeganAt: at.Add(-10 * time.Minute), Age: 600, Told: true}, {Text: "Escalator out of order", BeganAt: at, Age: 3}},
	}
	s.Hops[0].PerSecond = new(561.4)
	s.Hops[1].Health = status.Health{State: status.Behind, Note: "100 records wait, the oldest for 60 s.", Remedy: "It catches up once the load falls or the transport takes more; more CPU helps."}
	s.Hops[1].Waiting, s.Hops[1].Retries, s.Hops[1].Failures = &status.Lag{Records: 100, Seconds: 60}, new(int64(4)), new(int64(0))
	s.Overall = status.Overall(s.Hops)
	return s
}

// After a replay hops count more than Kafka, and status says why.
func TestPrintStatus_SaysWhyHopsCountMore(t *testing.T) {
	now := aStatus()
	now.Hops[1].Records = 2600
	now.CountNote = status.CountNote(now.Hops)
	var out strings.Builder
	printStatus(&out, now, 80)
	if said := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(said, "count Bridge counts more records than Kafka holds. Records that were sent again, by a replay,") {
		t.Error(out.String())
	}
}

const wantStatus = `07:30:12 behind

HOP        STATE    COUNT         A SECOND  WAITING    RETRIES  FAILURES
Kafka      flowing  1200 records  561.4     -          -        -
Bridge     behind   1100 records  -         100, 60 s  4        0
Transform  flowing  21 models     -         -          -        -

Bridge: 100 records wait, the oldest for 60 s. It catches up once the load falls
        or the transport takes more; more CPU helps.
freshness     0.4 s from Kafka to staging, p99 1.3 s
transform     ok at 07:30:03, took 2.3 s, 2 models built, 16 tests; the next at
              07:31:00
quarantine    3 records, 0.2 % of all
dead letters  1 batch. See why:
              stationflow deadletters list
alerts        07:20 Major incident at Station B: smoke, Dock 2 (told, open for
              10 min)
              07:30 Escalator out of order (not told yet, open for 3.0 s)
`

func TestPrintStatus(t *testing.T) {
	var out strings.Builder
	printStatus(&out, aStatus(), 80)
	if diff := cmp.Diff(wantStatus, out.String()); diff != "" {
		t.Error(diff)
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("%q is wide", line)
		}
	}
}

// The local system's is what its page has, whole; the exit code says whether
// all is well.
func TestStatus_OfThePage(t *testing.T) {
	for _, name := range emulators {
		t.Setenv(name, "")
	}
	folder := t.TempDir()
	now, answer := aStatus(), http.StatusOK
	announce(t, folder, 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/pipeline" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(answer)
		_ = json.NewEncoder(w).Encode(now)
	}))
	run := func(ctx context.Context, args ...string) (int, string, string) {
		var out, errs strings.Builder
		code := Main(ctx, append([]string{"status"}, args...), Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs, Running: folder}, Commands())
		return code, out.String(), errs.String()
	}
	if code, out, errs := run(t.Context()); code != 1 || out != wantStatus || !strings.Contains(errs, "stationflow status: not well: Bridge is behind") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	code, out, _ := run(t.Context(), "--json")
	var got status.Status
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 1 || cmp.Diff(now, got) != "" {
		t.Errorf("%d, %v, %s", code, err, cmp.Diff(now, got))
	}
	ctx, stop := context.WithTimeout(t.Context(), 350*time.Millisecond)
	defer stop()
	code, out, errs := run(ctx, "--watch", "--json", "--every", "100ms")
	if lines := strings.Count(out, "\n"); code != 0 || lines < 1 || !strings.HasPrefix(out, `{"at":"2026-11-22T07:30:12Z","overall":{"state":"behind"`) {
		t.Errorf("%d, %d lines, %s%s", code, lines, out, errs)
	}
	now.Hops[1].State = status.Idle
	now.Overall = status.Overall(now.Hops)
	if code, _, errs := run(t.Context()); code != 0 {
		t.Errorf("well: %d, %s", code, errs)
	}
	answer = http.StatusInternalServerError
	if code, out, errs := run(t.Context()); code != 2 || out != "" || !strings.Contains(errs, "answered 500") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	for args, want := range map[string]string{"x": "flags only", "--every 1ms": "--every is 1ms", "--max-bytes 0": "--max-bytes is 0"} {
		if code, _, errs := run(t.Context(), strings.Fields(args)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, %s", args, code, errs)
		}
	}
}

// Without anything that is named a project cannot be asked.
func TestStatus_OfNoProject(t *testing.T) {
	code, out, errs := said(t, "status")
	if code != 2 || out != "" || !strings.Contains(errs, "GOOGLE_CLOUD_PROJECT is not set") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
}

// What dbt's artifact says of the last run.
func TestRunResults(t *testing.T) {
	var r runResults
	err := json.Unmarshal([]byte(`{"metadata": {"generated_at": "2026-11-22T07:30:00Z"}, "elapsed_time": 2.5, "results": [
		{"unique_id": "model.stationflow.station_hours", "status": "success", "execution_time": 1},
		{"unique_id": "model.stationflow.train_dashboard", "status": "error", "message": "no such column"},
		{"unique_id": "test.stationflow.unique_x.123", "status": "pass"},
		{"unique_id": "test.stationflow.keys", "status": "warn", "failures": 2}]}`), &r)
	if err != nil {
		t.Fatal(err)
	}
	var s status.Transform
	hop := status.OfHop{Health: status.Health{State: status.Flowing}}
	r.tell(&s, &hop, time.UTC)
	if *s.LastStatus != "failed" || s.Changed != 1 || s.TestsRun != 2 || len(s.Findings) != 1 || len(s.Models) != 2 || hop.State != status.Failing || !strings.Contains(hop.Note, "no such column") {
		t.Errorf("%+v %+v", s, hop)
	}
}

// A transform that has stopped is behind, though its last run went well; one that
// fails says why instead.
func TestBehind(t *testing.T) {
	written := time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		was  status.State
		rows int64
		want status.State
	}{{status.Flowing, 0, status.Flowing}, {status.Flowing, 3, status.Behind}, {status.Failing, 3, status.Failing}} {
		hop := status.OfHop{Health: status.Health{State: c.was}}
		behind(&hop, c.rows, written)
		if hop.State != c.want || hop.State == status.Behind && !strings.Contains(hop.Note, "written at 07:30:00 on 2026-11-22: 3.") {
			t.Errorf("%s with %d rows: %+v", c.was, c.rows, hop)
		}
	}
}
