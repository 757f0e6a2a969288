package observe_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/stationflow/stationflow/internal/observe"
	"github.com/stationflow/stationflow/internal/status"
)

// everything logs each line that is counted.
func everything(log *slog.Logger) {
	log.Info("batch ingested", "topic", "incidents", "records", 10, "refused", 2, "oldest_kafka_ms", 1000, "durable_ms", 1500)
	log.With("a", 1).Info("batch ingested", "topic", "incidents", "records", 5, "refused", 0)
	log.Warn("batch failed", "cause", "storing", "error", "no answer")
	log.Info("transform finished", "status", "success", "took_ms", 2500)
	log.Info("transform finished", "status", "failed", "took_ms", 100)
	log.Info("audit finished", "complete", false)
	log.Info("pool checked")
	log.Info("alert told")
	log.Info("something else")
}

func serve(t *testing.T, gatherers ...observe.Gatherer) string {
	t.Helper()
	answer := httptest.NewRecorder()
	observe.Metrics(func() []observe.Gatherer { return gatherers }).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 200 {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func TestFunctions_AreCountedByTheirLog(t *testing.T) {
	var passed strings.Builder
	counts := observe.NewFunctions()
	everything(slog.New(counts.Handler(slog.NewTextHandler(&passed, nil))))
	served := serve(t, counts.Gatherer())
	for _, want := range []string{
		`ingest_batches_total{topic="incidents"} 2`, `ingest_records_total{topic="incidents"} 15`, `ingest_refused_records_total{topic="incidents"} 2`,
		`ingest_failures_total{cause="storing"} 1`, "ingest_freshness_seconds_sum 0.5", "ingest_freshness_seconds_count 1",
		`transform_runs_total{status="failed"} 1`, "transform_run_seconds_sum 2.6", `audit_runs_total{complete="false"} 1`, "scale_checks_total 1", "alert_told_total 1",
	} {
		if !strings.Contains(served, want+"\n") {
			t.Errorf("%s is not served:\n%s", want, served)
		}
	}
	if strings.Count(passed.String(), "\n") != 9 {
		t.Errorf("lines were not passed on:\n%s", passed.String())
	}
}

// Health fails while no batch is taken and while transforms fail.
func TestFunctions_Health(t *testing.T) {
	counts := observe.NewFunctions()
	log := slog.New(counts.Handler(slog.NewTextHandler(io.Discard, nil)))
	health := func() (int, string) {
		answer := httptest.NewRecorder()
		observe.Health(counts.Unhealthy).ServeHTTP(answer, httptest.NewRequest("GET", "/healthz", nil))
		return answer.Code, answer.Body.String()
	}
	for _, step := range []struct {
		message string
		args    []any
		code    int
		says    string
	}{
		{"", nil, 200, `{"status":"ok"}`},
		{"batch failed", []any{"cause", "no_batch", "error", "x"}, 200, "ok"},
		{"batch failed", []any{"cause", "storing", "error", "no answer"}, 503, "ingest takes no batch: no answer"},
		{"transform finished", []any{"status", "failed"}, 503, "the last transform failed"},
		{"batch archived", nil, 503, `{"status":"failing","reasons":["the last transform failed`},
		{"transform finished", []any{"status", "success"}, 200, "ok"},
	} {
		if step.message != "" {
			log.Info(step.message, step.args...)
		}
		if code, said := health(); code != step.code || !strings.Contains(said, step.says) {
			t.Errorf("after %q %v: %d, %s", step.message, step.args, code, said)
		}
	}
}

func shown() status.Status {
	s := status.Status{DeadLetters: 2, Alerts: make([]status.Alert, 1)}
	for _, hop := range []status.Hop{status.Kafka, status.Bridge} {
		s.Hops = append(s.Hops, status.OfHop{Hop: hop, Name: "Hop", Health: status.Health{State: status.Failing, Note: "no."}, Records: 7, Waiting: &status.Lag{Records: 3, Seconds: 1.5}})
	}
	return s
}

func TestPipeline(t *testing.T) {
	served := serve(t, observe.Pipeline(shown))
	for _, want := range []string{`pipeline_hop_state{hop="kafka",state="failing"} 1`, `pipeline_hop_state{hop="kafka",state="idle"} 0`,
		`pipeline_waiting_seconds{hop="bridge"} 1.5`, "pipeline_dead_letters 2", "pipeline_open_alerts 1"} {
		if !strings.Contains(served, want+"\n") {
			t.Errorf("%s is not served:\n%s", want, served)
		}
	}
	if reasons := observe.Failing(shown()); len(reasons) != 2 || reasons[0] != "Hop: no." {
		t.Error(reasons)
	}
}

// bridgeMetrics are those that the bridge's source names: one without a broker
// has no partitions, and serves few of them.
func bridgeMetrics(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../../bridge/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`"(bridge_\w+)"`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, found[1])
	}
	return names
}

// What dashboard and rules name is served, with the labels that they choose by.
func TestOps_NameWhatIsServed(t *testing.T) {
	counts := observe.NewFunctions()
	everything(slog.New(counts.Handler(slog.NewTextHandler(io.Discard, nil))))
	served := serve(t, counts.Gatherer(), observe.Pipeline(shown))
	var there []string
	for _, found := range regexp.MustCompile(`(?m)^(\w+)[ {]`).FindAllStringSubmatch(served, -1) {
		there = append(there, found[1])
	}
	there = append(there, bridgeMetrics(t)...)

	var expressions []string
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	read(t, "grafana.json", func(text []byte) error { return json.Unmarshal(text, &dashboard) })
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			expressions = append(expressions, target.Expr)
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	read(t, "alerts.yml", func(text []byte) error { return yaml.Unmarshal(text, &rules) })
	runbooks, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules.Groups[0].Rules {
		expressions = append(expressions, rule.Expr)
		if !strings.HasSuffix(rule.Annotations["runbook_url"], "docs/runbooks.md#"+rule.Alert) || !strings.Contains(string(runbooks), "\n## "+rule.Alert+"\n") {
			t.Errorf("alert %s has no runbook: %s", rule.Alert, rule.Annotations["runbook_url"])
		}
	}
	if len(expressions) < 25 {
		t.Errorf("only %d expressions were found", len(expressions))
	}
	for _, expression := range expressions {
		for _, name := range regexp.MustCompile(`\b(?:bridge|ingest|transform|audit|scale|alert|pipeline)_\w+`).FindAllString(expression, -1) {
			if !slices.Contains(there, name) {
				t.Errorf("%s: %s is not served", expression, name)
			}
		}
		for _, label := range regexp.MustCompile(`[{,](\w+)[=!]`).FindAllStringSubmatch(expression, -1) {
			if !regexp.MustCompile(`[{,]` + label[1] + `="`).MatchString(served) {
				t.Errorf("%s: nothing has a label %s", expression, label[1])
			}
		}
	}
}

func read(t *testing.T, name string, take func([]byte) error) {
	t.Helper()
	text, err := os.ReadFile("../../ops/" + name)
	if err == nil {
		err = take(text)
	}
	if err != nil {
		t.Fatal(err)
	}
}
