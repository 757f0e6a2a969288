package cli

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/program"
)

// deferredTo are the relations that a manifest has, by id.
func deferredTo(folder string) (map[string]string, error) {
	if folder == "" {
		return nil, program.Mistakef("--defer needs --state FOLDER, with the manifest.json of what is read there")
	}
	content, err := os.ReadFile(filepath.Join(folder, artifact.ManifestName))
	if err != nil {
		return nil, program.Mistakef("--defer: %w: dbt-core writes it, and so does stationflow dbt parse", err)
	}
	var manifest struct {
		Nodes map[string]struct {
			Type     string `json:"resource_type"`
			Relation string `json:"relation_name"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		return nil, program.Mistakef("reading the manifest of --defer: %w", err)
	}
	relations := map[string]string{}
	for id, node := range manifest.Nodes {
		if node.Type != project.TypeTest && node.Relation != "" {
			relations[id] = node.Relation
		}
	}
	return relations, nil
}
