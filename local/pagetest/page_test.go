// Package pagetest serves functions/page over the local warehouse, as it is
// deployed, and counts what it asks of it.
package pagetest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/functions/page"
	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/internal/status"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/staged"
	"github.com/stationflow/stationflow/local/warehouse"
)

// A cloud is a warehouse, the transform and the page over it. Its clock is moved
// by tests.
type cloud struct {
	*staged.Warehouse
	t         *testing.T
	transform *transform.Transformer
	random    *staged.Generator
	url       string

	mu  sync.Mutex
	now time.Time
}

func (c *cloud) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *cloud) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func start(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{Warehouse: staged.Start(t, staged.Prod), t: t, now: time.Now().UTC()}
	silent := slog.New(slog.DiscardHandler)
	var err error
	c.transform, err = transform.New(t.Context(), transform.Config{
		Config: run.Config{Files: dbt.Files, Warehouse: c.Config, Location: time.UTC, Statement: time.Minute, Log: silent},
		Wait:   time.Minute, Run: 5 * time.Minute, Exclude: []string{"tag:deep"},
	})
	check(t, err)
	t.Cleanup(func() { check(t, c.transform.Close()) })
	c.random = staged.NewGenerator(7, staged.Within(c.now.Add(-4*time.Hour), c.now))

	config, err := page.FromEnv(func(name string) string {
		return map[string]string{"GOOGLE_CLOUD_PROJECT": staged.Project, "BIGQUERY_EMULATOR_HOST": c.Config.RESTEndpoint}[name]
	})
	check(t, err)
	config.Now, config.Logger = c.clock, silent
	server, err := page.New(t.Context(), config)
	check(t, err)
	t.Cleanup(func() { check(t, server.Close()) })
	served := httptest.NewServer(server)
	t.Cleanup(served.Close)
	c.url = served.URL
	return c
}

// run has records arrive, and a run of the transform publish them.
func (c *cloud) run() {
	c.t.Helper()
	c.Append(time.Now().UTC(), c.random.Records(60)...)
	if report := c.transform.Run(c.t.Context()); report == nil || !report.OK() {
		c.t.Fatalf("the run failed: %+v", report)
	}
}

// get asks the page, and decodes what it answers.
func (c *cloud) get(path string, into any) {
	c.t.Helper()
	answer, err := http.Get(c.url + path)
	check(c.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	check(c.t, err)
	if answer.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s answered %d: %s", path, answer.StatusCode, body)
	}
	check(c.t, json.Unmarshal(body, into))
}

// look is what an open page asks.
func (c *cloud) look() (state status.Status, answer view.Answer) {
	c.t.Helper()
	c.get("/api/pipeline", &state)
	c.get("/api/view?range=7d", &answer)
	return state, answer
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The warehouse is asked once for each run of the transform, however many look
// and however often, and not at all while nobody does or nothing is new.
func TestPage_AsksOnceARun(t *testing.T) {
	t.Parallel()
	c := start(t)
	asked := func(what string, want int) []warehouse.Metered {
		t.Helper()
		queries := c.Billed(view.Component)
		if len(queries) != want {
			t.Errorf("%s: %d statements, want %d", what, len(queries), want)
		}
		return queries
	}
	look := func() {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { c.look() })
		}
		all.Wait()
	}
	state, _ := c.look()
	if state.Overall.State != status.NothingYet || !strings.Contains(state.WaitingFor, "no transform has run yet") {
		t.Errorf("before the first run the page says %q, %q", state.Overall.State, state.WaitingFor)
	}
	asked("before the first run", 0)
	c.run()
	c.run()
	asked("runs, and nobody looks", 0)
	c.pass(time.Minute)
	look()
	asked("the first look: the marts, and what goes on", 2)
	for range 3 {
		c.pass(time.Minute)
		look()
	}
	asked("nothing new", 0)
	c.run()
	c.pass(time.Minute)
	look()
	look()
	for _, query := range asked("after a run", 2) { // incidents were among the records
		if query.Billed > 20<<20 {
			t.Errorf("a statement bills %d bytes: %+v", query.Billed, query.Tables)
		}
	}
	c.run()
	c.pass(time.Minute)
	asked("a run, and nobody looks any more", 0)
}

// The dashboard tables are read when somebody opens them, once for each run.
func TestPage_ReadsTablesWhenTheyAreOpened(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.run()
	c.look()
	c.Billed(view.Component)
	var tables, again struct{ Tables map[string][]dashboard.Row }
	c.get("/api/tables", &tables)
	if n := len(c.Billed(view.Component)); n != 5 || len(tables.Tables["train_dashboard"]) == 0 {
		t.Errorf("the tables were read with %d statements, want one each: %d rows", n, len(tables.Tables["train_dashboard"]))
	}
	c.get("/api/tables", &again)
	c.get("/api/dashboard", new(dashboard.Figures))
	if n := len(c.Billed(view.Component)); n != 0 || !cmp.Equal(tables, again) {
		t.Errorf("they were read again with %d statements", n)
	}
}

// The page shows what the local one does over the same warehouse.
func TestPage_ShowsWhatTheLocalOneDoes(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.run()
	state, answer := c.look()
	local := dashboard.New(dashboard.Config{Client: c.Client, Now: c.clock})
	check(t, local.Refresh(t.Context()))
	served := httptest.NewServer(local.Handler())
	defer served.Close()
	cloudURL := c.url
	var tables, localTables struct{ Tables map[string][]dashboard.Row }
	c.get("/api/tables", &tables)
	c.url = served.URL
	_, want := c.look()
	c.get("/api/tables", &localTables)
	c.url = cloudURL
	answer.ReadAt, want.ReadAt = nil, nil
	if diff := cmp.Diff(want, answer); diff != "" || len(answer.Stations) < 2 || len(answer.Freshness) != 5 {
		t.Errorf("the answers differ, of %d stations (-local +cloud):\n%s", len(answer.Stations), diff)
	}
	if diff := cmp.Diff(localTables, tables); diff != "" {
		t.Errorf("the tables differ (-local +cloud):\n%s", diff)
	}
	if state.Overall.State != status.Flowing || state.WaitingFor != "" || len(state.Hops) != 0 || state.ComputedAt == nil {
		t.Errorf("the state is %+v", state)
	}
}

// What fails is said, what was shown stays, and it is tried again.
func TestPage_SaysWhatFails(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.run()
	_, before := c.look()
	c.Query("drop view prod_data.incidents_hourly")
	c.Query("create view prod_data.incidents_hourly as select 1 as one")
	c.Append(time.Now().UTC(), c.random.Records(5)...)
	c.Query("delete from prod_data.station_hours where false or topic = 'nothing'")
	c.Query("update prod_data.station_hours set records = records where true")
	c.pass(time.Minute)
	state, after := c.look()
	if state.Overall.State != status.Failing || !strings.Contains(after.Failure, "flow") || fmt.Sprint(after.Stations) != fmt.Sprint(before.Stations) {
		t.Errorf("the page says %+v and %q of %d stations", state.Overall, after.Failure, len(after.Stations))
	}
	c.Query("drop view prod_data.incidents_hourly")
	if report := c.transform.Run(t.Context()); report == nil || !report.OK() {
		t.Fatalf("the run failed: %+v", report)
	}
	c.pass(time.Minute)
	if state, after = c.look(); state.Overall.State != status.Flowing || after.Failure != "" {
		t.Errorf("after it was mended the page says %+v and %q", state.Overall, after.Failure)
	}
}

// Nothing can be written, and what is sent to browsers is as strict as locally.
func TestPage_OnlyReads(t *testing.T) {
	t.Parallel()
	c := start(t)
	for request, want := range map[string]int{
		"POST /":             http.StatusMethodNotAllowed,
		"POST /api/view":     http.StatusMethodNotAllowed,
		"PUT /api/tables":    http.StatusMethodNotAllowed,
		"DELETE /api/tables": http.StatusMethodNotAllowed,
		"GET /api/meter":     http.StatusNotFound,
		"GET /healthz":       http.StatusOK,
		"GET /":              http.StatusOK,
		"GET /app.js":        http.StatusOK,
	} {
		method, path, _ := strings.Cut(request, " ")
		asked, err := http.NewRequestWithContext(t.Context(), method, c.url+path, nil)
		check(t, err)
		answer, err := http.DefaultClient.Do(asked)
		check(t, err)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s answered %d, want %d", request, answer.StatusCode, want)
		}
		if path != "/healthz" && (!strings.Contains(answer.Header.Get("Content-Security-Policy"), "default-src 'none'") || answer.Header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s has the headers %v", request, answer.Header)
		}
	}
}
