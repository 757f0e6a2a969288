package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Metrics are counted from lines that the programs log, and alerts look at
// metrics that there are: a name that nothing has would never tell anybody.
func TestAlerts_LookAtWhatIsLogged(t *testing.T) {
	p := planOf(t, "defaults")
	var logged strings.Builder
	for _, pattern := range []string{"bridge/*.go", "functions/*/*.go", "internal/dbt/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			logged.Write(text)
		}
	}
	workloads := map[string]bool{
		`resource.type="cloud_run_worker_pool" AND resource.labels.worker_pool_name="stationflow-bridge"`: true,
		`resource.type="cloud_run_revision" AND resource.labels.service_name="audit"`:                     true,
		`resource.type="cloud_run_revision" AND resource.labels.service_name="ingest"`:                    true,
		`resource.type="cloud_run_revision" AND resource.labels.service_name="scale"`:                     true,
		`resource.type="cloud_run_revision" AND resource.labels.service_name="transform"`:                 true,
	}
	metrics := map[string]bool{}
	words := regexp.MustCompile(`jsonPayload\.(\w+)(?:!?="([^"]+)")?`)
	resources := map[string]string{} // of each metric: the monitored resource whose lines are counted
	for _, metric := range p.all("google_logging_metric") {
		metrics[metric.text("name")] = true
		resources[metric.text("name")] = regexp.MustCompile(`resource\.type="(\w+)"`).FindStringSubmatch(metric.text("filter"))[1]
		text := metric.text("filter") + metric.text("value_extractor")
		for _, found := range words.FindAllStringSubmatch(text, -1) {
			if found[1] != "message" && !strings.Contains(logged.String(), `"`+found[1]+`"`) {
				t.Errorf("%s looks at %s, which nothing logs", metric.text("name"), found[1])
			}
			if found[2] != "" && !strings.Contains(logged.String(), `"`+found[2]+`"`) {
				t.Errorf("%s waits for %q, which nothing logs", metric.text("name"), found[2])
			}
		}
		if of, _, _ := strings.Cut(text, " AND jsonPayload"); !workloads[of] {
			t.Errorf("%s reads the log of no workload: %s", metric.text("name"), text)
		}
	}
	used := regexp.MustCompile(`logging_googleapis_com:user_(\w+?)(?:_sum|_bucket)?\{monitored_resource="(\w+)"`)
	holds := func(who, query string) {
		for _, found := range used.FindAllStringSubmatch(query, -1) {
			if !metrics[found[1]] {
				t.Errorf("%s looks at %s, which is no metric", who, found[1])
			}
			if found[2] != resources[found[1]] {
				t.Errorf("%s looks for %s at a %s, and its lines come from a %s", who, found[1], found[2], resources[found[1]])
			}
		}
	}
	for _, alert := range p.all("google_monitoring_alert_policy") {
		holds(alert.Address, alert.text("conditions.0.condition_prometheus_query_language.0.query"))
	}
	for title, queries := range charts(t, p) {
		holds("the chart "+title, strings.Join(queries, "\n"))
	}
}

// charts are the queries of each chart of the dashboard.
func charts(t *testing.T, p *plan) map[string][]string {
	t.Helper()
	var dashboard struct {
		MosaicLayout struct {
			Columns int
			Tiles   []struct {
				XPos, YPos, Width, Height int
				Widget                    struct {
					Title   string
					XYChart struct {
						DataSets []struct {
							TimeSeriesQuery struct{ PrometheusQuery string }
						}
					}
					LogsPanel struct{ Filter string }
				}
			}
		}
	}
	text := p.one(t, "module.observability.google_monitoring_dashboard.pipeline").text("dashboard_json")
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	taken := map[[2]int]string{}
	for _, tile := range dashboard.MosaicLayout.Tiles {
		for x := tile.XPos; x < tile.XPos+tile.Width; x++ {
			for y := tile.YPos; y < tile.YPos+tile.Height; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= dashboard.MosaicLayout.Columns {
					t.Fatalf("%s lies on %q, or beside the dashboard", tile.Widget.Title, other)
				}
				taken[[2]int{x, y}] = tile.Widget.Title
			}
		}
		for _, line := range tile.Widget.XYChart.DataSets {
			found[tile.Widget.Title] = append(found[tile.Widget.Title], line.TimeSeriesQuery.PrometheusQuery)
		}
	}
	return found
}

// The dashboard has a line for what each alert looks at, and the log of what
// failed.
func TestDashboard_ShowsWhatAlertsLookAt(t *testing.T) {
	p := planOf(t, "defaults")
	shown := ""
	for _, queries := range charts(t, p) {
		shown += strings.Join(queries, "\n")
	}
	// Alone the health of the bridge is not a line: its lag and the log say more.
	metric := regexp.MustCompile(`\b(?:logging|pubsub|run)_googleapis_com:\w+`)
	for _, alert := range p.all("google_monitoring_alert_policy") {
		for _, name := range metric.FindAllString(alert.text("conditions.0.condition_prometheus_query_language.0.query"), -1) {
			if !strings.Contains(shown, name) && !strings.HasSuffix(name, "_bridge_unhealthy") {
				t.Errorf("%s looks at %s, which no chart shows", alert.Address, name)
			}
		}
	}
	text := p.one(t, "module.observability.google_monitoring_dashboard.pipeline").text("dashboard_json")
	for _, workload := range []string{"audit", "ingest", "scale", "transform", "stationflow-bridge"} {
		if !strings.Contains(text, `_name=\"`+workload+`\"`) {
			t.Errorf("the log of what failed leaves %s out", workload)
		}
	}
}

// Objectives are off until their metrics are known; a bridge that sleeps has
// longer, because the first record waits for it.
func TestObjectives(t *testing.T) {
	if got := planOf(t, "defaults").all("google_monitoring_slo"); len(got) != 0 {
		t.Errorf("%d objectives by default: a first apply would fail", len(got))
	}
	p := planOf(t, "everything")
	freshness := p.one(t, "module.observability.google_monitoring_slo.freshness[0]")
	if got := at(freshness.values, "request_based_sli.0.distribution_cut.0.range.0.max"); got != 10000.0 {
		t.Errorf("freshness is within %v ms, want 10000", got)
	}
	metrics := map[string]bool{}
	for _, metric := range p.all("google_logging_metric") {
		metrics[metric.text("name")] = true
	}
	used := regexp.MustCompile(`logging\.googleapis\.com/user/(\w+)`)
	for _, objective := range p.all("google_monitoring_slo") {
		found := used.FindAllStringSubmatch(fmt.Sprint(objective.values), -1)
		if len(found) == 0 {
			t.Errorf("%s looks at no metric", objective.Address)
		}
		for _, name := range found {
			if !metrics[name[1]] {
				t.Errorf("%s looks at %s, which is no metric", objective.Address, name[1])
			}
		}
	}
}

// A bridge that sleeps does not alarm, and one that is dead does: the alarm counts
// the checks that miss the bridge, and another one misses the checks.
func TestAlerts_TellAsleepFromDead(t *testing.T) {
	p := planOf(t, "defaults")
	query := func(name string) string {
		return p.one(t, `module.observability.google_monitoring_alert_policy.alert["`+name+`"]`).text("conditions.0.condition_prometheus_query_language.0.query")
	}
	if got := query("stopped-bridge"); !strings.Contains(got, "user_stationflow_bridge_missing") || strings.Contains(got, "vector(0)") {
		t.Errorf("stopped-bridge is %s, want checks that miss the bridge, and nothing where there are none", got)
	}
	filter := p.one(t, `module.observability.google_logging_metric.metric["stationflow_bridge_missing"]`).text("filter")
	for _, part := range []string{`service_name="scale"`, "jsonPayload.before>0", "jsonPayload.members=0"} {
		if !strings.Contains(filter, part) {
			t.Errorf("a bridge is missed where %s, want %s too", filter, part)
		}
	}
	if got := query("missing-checks"); !strings.Contains(got, "user_stationflow_checks") || !strings.Contains(got, "or vector(0)) < 1") {
		t.Errorf("missing-checks is %s", got)
	}
	for _, function := range []string{"alert", "audit", "ingest", "scale", "transform"} {
		if got := query("function-errors"); !regexp.MustCompile(`service_name=~"[a-z|]*\b` + function + `\b`).MatchString(got) {
			t.Errorf("function-errors looks at %s, which leaves %s out", got, function)
		}
	}
	stopped := `{monitored_resource="cloud_run_revision",service_name="compact",response_code_class="2xx"}[6h]`
	if got := query("function-errors"); !strings.Contains(got, stopped) {
		t.Errorf("function-errors looks at %s, which does not see that compact has stopped", got)
	}
}

// Of the lines of batches that ingest took a share is kept; what failed is not
// among them. The metrics count all of them, because none looks at a bucket.
func TestLogs_KeepAShareOfWhatWasTaken(t *testing.T) {
	p := planOf(t, "defaults")
	filter := p.one(t, "module.observability.google_logging_project_exclusion.ingested_batches").text("filter")
	for _, want := range []string{`service_name="ingest"`, `jsonPayload.message=("batch ingested" OR "batch archived" OR "batch passed over")`,
		fmt.Sprintf("sample(insertId, %g)", 1-deployment(t).IngestLogShare)} {
		if !strings.Contains(filter, want) {
			t.Errorf("excluded is %s, want %s in it", filter, want)
		}
	}
	if strings.Contains(filter, "failed") {
		t.Errorf("excluded is %s", filter)
	}
}

// Requests that ingest answered well are not kept; what failed is.
func TestLogs_KeepWhatFailed(t *testing.T) {
	for _, want := range []string{`service_name="ingest"`, `log_id("run.googleapis.com/requests")`, "httpRequest.status<400"} {
		if filter := planOf(t, "defaults").one(t, "module.observability.google_logging_project_exclusion.ingest_requests").text("filter"); !strings.Contains(filter, want) {
			t.Errorf("excluded is %s, want %s in it", filter, want)
		}
	}
}
