package repo_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/functions/ingest"
)

// A row is stamped when it is handed to the warehouse, and visible by the end
// of the call at the latest: no setting lets a call take as long as the marts
// look back.
func TestMarts_LookBackLongerThanACallTakes(t *testing.T) {
	m := regexp.MustCompile(`(?m)^\s+late_append_minutes: (\d+)`).FindStringSubmatch(read(t, "dbt/dbt_project.yml"))
	if m == nil {
		t.Fatal("dbt_project.yml declares no late_append_minutes")
	}
	environment := map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b", "INGEST_CALL_TIMEOUT": m[1] + "m"}
	_, err := ingest.FromEnv(func(name string) string { return environment[name] })
	if err == nil || !strings.Contains(err.Error(), "INGEST_CALL_TIMEOUT") {
		t.Errorf("a call may take %s minutes, as long as the marts look back: %v", m[1], err)
	}
}
