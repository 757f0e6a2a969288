package transformtest

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/stationflow/stationflow/local/staged"
)

func TestRun_KeepsDbtsArtifacts(t *testing.T) {
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "nowhere"})
	check(t, err)
	front := httptest.NewServer(server.HTTPHandler())
	t.Cleanup(front.Close)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "lake"})
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(front.URL, "http://"))
	s := start(t, time.UTC, noon)
	s.config.Artifacts, s.config.Log = "gs://lake/dbt", slog.New(slog.NewTextHandler(t.Output(), nil))
	s.restart()
	s.Append(noon, staged.NewGenerator(19, staged.Within(noon.Add(-5*time.Hour), noon)).Records(30)...)
	s.run()

	read := func(name string, into any) {
		t.Helper()
		object, err := server.GetObject("lake", "dbt/"+name)
		check(t, err)
		check(t, json.Unmarshal(object.Content, into))
	}
	var manifest struct {
		Metadata struct {
			Schema string `json:"dbt_schema_version"`
		}
		Nodes map[string]struct {
			Code string `json:"compiled_code"`
		}
	}
	read("manifest.json", &manifest)
	if node := manifest.Nodes["model.stationflow.train_dashboard"]; manifest.Metadata.Schema != "https://schemas.getdbt.com/dbt/manifest/v12.json" ||
		!strings.Contains(node.Code, "`prod_data`.`train_movements_hourly`") {
		t.Errorf("the manifest has %+v of train_dashboard", node)
	}
	var results struct {
		Results []struct {
			ID     string `json:"unique_id"`
			Status string
		}
	}
	read("run_results.json", &results)
	counts := map[string]int{}
	for _, result := range results.Results {
		counts[strings.Split(result.ID, ".")[0]+" "+result.Status]++
	}
	if counts["model success"] == 0 || counts["test pass"] == 0 || counts["model success"]+counts["model no-op"]+counts["test pass"] != len(results.Results) {
		t.Errorf("the results are %v", counts)
	}
}
