package deploytest

import (
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
	services := map[string]bool{"stationflow-bridge": true, "ingest": true, "transform": true}
	metrics := map[string]bool{}
	words := regexp.MustCompile(`jsonPayload\.(\w+)(?:!?="([^"]+)")?`)
	for _, metric := range p.all("google_logging_metric") {
		metrics[metric.text("name")] = true
		text := metric.text("filter") + metric.text("value_extractor")
		for _, found := range words.FindAllStringSubmatch(text, -1) {
			if found[1] != "message" && !strings.Contains(logged.String(), `"`+found[1]+`"`) {
				t.Errorf("%s looks at %s, which nothing logs", metric.text("name"), found[1])
			}
			if found[2] != "" && !strings.Contains(logged.String(), `"`+found[2]+`"`) {
				t.Errorf("%s waits for %q, which nothing logs", metric.text("name"), found[2])
			}
		}
		if service := regexp.MustCompile(`service_name="([^"]+)"`).FindStringSubmatch(text); service == nil || !services[service[1]] {
			t.Errorf("%s reads the log of no service: %s", metric.text("name"), text)
		}
	}
	used := regexp.MustCompile(`logging_googleapis_com:user_(\w+?)(?:_sum|_bucket)?\{`)
	for _, alert := range p.all("google_monitoring_alert_policy") {
		query := alert.text("conditions.0.condition_prometheus_query_language.0.query")
		for _, found := range used.FindAllStringSubmatch(query, -1) {
			if !metrics[found[1]] {
				t.Errorf("%s looks at %s, which is no metric", alert.Address, found[1])
			}
		}
	}
}
