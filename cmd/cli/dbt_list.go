package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/program"
)

func listDbt(_ context.Context, c *dbtCall) error {
	loaded, err := c.config.Load()
	if err != nil {
		return err
	}
	selected, err := loaded.Select(c.selected, c.excluded)
	if err != nil {
		return err
	}
	var entries map[string]map[string]any
	if len(c.keys) > 0 {
		if entries, err = manifestEntries(loaded); err != nil {
			return err
		}
	}
	for _, resource := range loaded.Resources() {
		if !selected[resource.ID] || !c.types.has(resource.Type) {
			continue
		}
		var line string
		if len(c.keys) > 0 && c.output == "json" {
			line, err = jsonLine(chosen(entries[resource.ID], c.keys))
		} else {
			line, err = listed(loaded, resource, c.output)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(c.streams.Out, line)
	}
	return nil
}

func listed(p *project.Project, resource *project.Resource, output string) (string, error) {
	switch output {
	case "name":
		return resource.Name, nil
	case "path":
		return resource.Within(), nil
	case "selector":
		if source := p.Source(resource.ID); source != nil {
			return "source:" + source.Package + "." + source.SourceName + "." + source.Name, nil
		}
		if resource.Type == project.TypeUnitTest {
			return "unit_test:" + resource.Package + "." + resource.Name, nil
		}
		return strings.Join(resource.FQN, "."), nil
	case "json":
		fields := map[string]any{
			"name": resource.Name, "resource_type": resource.Type, "package_name": resource.Package, "original_file_path": resource.Within(),
			"unique_id": resource.ID, "tags": append([]string{}, resource.Tags...), "depends_on": map[string]any{"nodes": append([]string{}, resource.Reads...)},
		}
		if model := p.Model(resource.Name); model != nil && model.ID == resource.ID {
			fields["config"] = map[string]any{"materialized": model.Config.Materialized}
			fields["alias"] = model.Table()
		}
		line, err := json.Marshal(fields)
		return string(line), err
	}
	return "", program.Mistakef("--output is %q: it is selector, name, path or json", output)
}

// manifestEntries are the manifest's, by id.
func manifestEntries(p *project.Project) (map[string]map[string]any, error) {
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(artifact.Manifest(p, nil, "", time.Time{}), &sections); err != nil {
		return nil, err
	}
	all := map[string]map[string]any{}
	for _, section := range []string{"nodes", "sources", "exposures", "unit_tests"} {
		if err := json.Unmarshal(sections[section], &all); err != nil { // which adds to them
			return nil, err
		}
	}
	return all, nil
}

// chosen are some fields of an entry, in that order; a dot leads into one.
func chosen(entry map[string]any, keys []string) object {
	line := object{}
	for _, key := range keys {
		within, isThere := entry, true
		var value any
		for name := range strings.SplitSeq(key, ".") {
			if value, isThere = within[name]; !isThere {
				break
			}
			within, _ = value.(map[string]any)
		}
		if isThere && (value != nil || !strings.Contains(key, ".")) {
			line = append(line, member{key, value})
		}
	}
	return line
}
