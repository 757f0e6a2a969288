package dashboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/local/dashboard"
)

var update = flag.Bool("update", false, "write the golden files again")

// small are a few rows with everything that needs care: NULL, 0, a name with
// markup in it, hours, the order of points, values that JSON does not know.
func small() []dashboard.Row {
	var rows []dashboard.Row
	tickets := table{"ticket_dashboard", "today", noon.Add(-30 * time.Second).UTC(), &rows}
	tickets.total("tickets_validated", "tickets", new(0.0))
	tickets.total("tickets_rejected", "tickets", nil)
	tickets.total("rejection_rate", "share", new(math.NaN()))
	tickets.by("hour", "10", "tickets_validated", "tickets", new(1.0))
	tickets.by("hour", "09", "tickets_validated", "tickets", new(2.0))
	trains := table{"train_dashboard", "all", noon.Add(-29 * time.Second).UTC(), &rows}
	trains.total("average_delay", "minutes", new(-0.25))
	trains.by("station", "Nord", "average_delay", "minutes", nil)
	trains.by("station", "<b>Est</b>", "average_delay", "minutes", new(-2.5))
	trains.by("station", "Sud", "average_delay", "minutes", new(2.0))
	trains.by("station", "Ouest", "average_delay", "minutes", new(2.0))
	return rows
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// get asks handler for a path and returns the body of a 200.
func get(t *testing.T, handler http.Handler, path string) string {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("GET %s answered %d: %s", path, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func mustRefresh(t *testing.T, d *dashboard.Dashboard) {
	t.Helper()
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAPI_Golden(t *testing.T) {
	t.Parallel()
	all := scenes(noon)
	shown := scene{pipeline: all["busy"].pipeline, sizes: all["busy"].sizes, rows: small()}.dashboard(at(noon))
	mustRefresh(t, shown)
	broken := scene{pipeline: all["failing"].pipeline, err: all["failing"].err, rows: small()}.dashboard(at(noon))
	mustRefresh(t, broken)
	_ = broken.Refresh(t.Context())      // fails
	fresh := scene{}.dashboard(at(noon)) // never refreshed, zero Pipeline
	for name, document := range map[string]struct {
		handler http.Handler
		path    string
	}{
		"dashboard":        {shown.Handler(), "/api/dashboard"},
		"tables":           {shown.Handler(), "/api/tables"},
		"pipeline":         {shown.Handler(), "/api/pipeline"},
		"dashboard_empty":  {fresh.Handler(), "/api/dashboard"},
		"tables_empty":     {fresh.Handler(), "/api/tables"},
		"pipeline_failing": {broken.Handler(), "/api/pipeline"},
		"pipeline_empty":   {fresh.Handler(), "/api/pipeline"},
	} {
		got := get(t, document.handler, document.path)
		golden := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s differs from %s (-want +got):\n%s", document.path, golden, diff)
		}
	}
}

// NULL is null in every document, and 0 is 0.
func TestAPI_NullIsNotZero(t *testing.T) {
	t.Parallel()
	shown := scene{rows: small()}.dashboard(at(noon))
	mustRefresh(t, shown)
	var figures dashboard.Figures
	if err := json.Unmarshal([]byte(get(t, shown.Handler(), "/api/dashboard")), &figures); err != nil {
		t.Fatal(err)
	}
	today := figures.Periods["today"]
	if total := today["tickets_validated"].Total; total == nil || *total != 0 {
		t.Errorf("tickets_validated is %v, want 0", total)
	}
	if total := today["tickets_rejected"].Total; total != nil {
		t.Errorf("tickets_rejected is %v, want null", *total)
	}
}

func TestRefresh_ErrorKeepsTheSnapshot(t *testing.T) {
	t.Parallel()
	shown := scene{rows: small(), err: errors.New("warehouse away")}.dashboard(at(noon))
	mustRefresh(t, shown)
	before := get(t, shown.Handler(), "/api/tables")

	err := shown.Refresh(t.Context())
	if err == nil || !strings.Contains(err.Error(), "warehouse away") {
		t.Errorf("Refresh returned %v, want the error of the read", err)
	}
	if diff := cmp.Diff(before, get(t, shown.Handler(), "/api/tables")); diff != "" {
		t.Errorf("the failed Refresh changed the tables (-before +after):\n%s", diff)
	}
	status := shown.Status()
	prod := status.Hops[len(status.Hops)-1]
	if prod.Hop != dashboard.Prod || prod.State != dashboard.Failing || !strings.Contains(prod.Note, "warehouse away") {
		t.Errorf("the last hop is %+v, want prod failing with the reason", prod)
	}
	if status.Overall.State != dashboard.Failing {
		t.Errorf("overall is %+v, want failing", status.Overall)
	}
}

// Polling never reads the tables; only Refresh does.
func TestHandler_AnswersFromTheSnapshot(t *testing.T) {
	t.Parallel()
	reads := 0
	shown := dashboard.New(dashboard.Config{Tables: func(context.Context) ([]dashboard.Row, error) {
		reads++
		return small(), nil
	}})
	mustRefresh(t, shown)
	for range 10 {
		for _, path := range []string{"/", "/api/dashboard", "/api/tables", "/api/pipeline"} {
			get(t, shown.Handler(), path)
		}
	}
	if reads != 1 {
		t.Errorf("the tables were read %d times, want once", reads)
	}
}

func TestDashboard_ConcurrentUse(t *testing.T) {
	t.Parallel()
	shown := dashboard.New(dashboard.Config{Tables: func(context.Context) ([]dashboard.Row, error) { return small(), nil }})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { _ = shown.Refresh(context.Background()) })
		all.Go(func() { get(t, shown.Handler(), "/api/dashboard") })
		all.Go(func() { get(t, shown.Handler(), "/api/tables") })
	}
	all.Wait()
	var figures dashboard.Figures
	if err := json.Unmarshal([]byte(get(t, shown.Handler(), "/api/dashboard")), &figures); err != nil {
		t.Fatal(err)
	}
	if figures.Snapshot != 8 {
		t.Errorf("after 8 Refreshes the snapshot is number %d", figures.Snapshot)
	}
}

func TestHandler_Headers(t *testing.T) {
	t.Parallel()
	handler := scene{}.dashboard(at(noon)).Handler()
	for path, contentType := range map[string]string{
		"/":                        "text/html; charset=utf-8",
		"/app.js":                  "text/javascript; charset=utf-8",
		"/style.css":               "text/css; charset=utf-8",
		"/vendor/chart.umd.min.js": "text/javascript; charset=utf-8",
		"/vendor/LICENSE":          "text/plain; charset=utf-8",
		"/api/dashboard":           "application/json; charset=utf-8",
		"/api/tables":              "application/json; charset=utf-8",
		"/api/pipeline":            "application/json; charset=utf-8",
	} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != contentType {
			t.Errorf("GET %s answered %d with %q, want 200 with %q", path, answer.Code, answer.Header().Get("Content-Type"), contentType)
		}
		policy := answer.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("the policy of %s lacks %s: %s", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("the policy of %s is not strict: %s", path, policy)
		}
		if got := answer.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("X-Content-Type-Options of %s is %q", path, got)
		}
	}
}

func TestHandler_Refuses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(scene{}.dashboard(at(noon)).Handler())
	defer server.Close()
	for request, want := range map[string]int{
		"POST /api/tables":     http.StatusMethodNotAllowed,
		"DELETE /":             http.StatusMethodNotAllowed,
		"GET /api/nothing":     http.StatusNotFound,
		"GET /../dashboard.go": http.StatusNotFound,
	} {
		method, path, _ := strings.Cut(request, " ")
		asked, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(asked)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s answered %d, want %d", request, answer.StatusCode, want)
		}
	}
}
