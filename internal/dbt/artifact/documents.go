package artifact

import (
	"fmt"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// documents are the manifest's entries for what is neither built nor tested by
// the runner: macros, exposures and unit tests.
func documents(p *project.Project) (macros, exposures, unitTests fields) {
	macros, exposures, unitTests = fields{}, fields{}, fields{}
	for _, macro := range p.Macros {
		entry := entryOf(&macro.Resource)
		entry["path"], entry["macro_sql"] = macro.Within(), macro.SQL
		delete(entry, "fqn")
		macros[macro.ID] = entry
	}
	for _, exposure := range p.Exposures {
		entry := entryOf(&exposure.Resource)
		refs, sources := reads(p, &exposure.Resource)
		entry["type"], entry["owner"], entry["description"] = exposure.Kind, exposure.Owner, exposure.Description
		entry["label"], entry["maturity"], entry["url"] = orNull(exposure.Label), orNull(exposure.Maturity), orNull(exposure.URL)
		entry["refs"], entry["sources"] = refs, sources
		entry["depends_on"] = fields{"macros": []any{}, "nodes": orEmpty(exposure.Reads)}
		entry["unrendered_config"] = fields{}
		exposures[exposure.ID] = entry
	}
	for _, test := range p.UnitTests {
		entry := entryOf(&test.Resource)
		entry["model"], entry["description"] = test.Model, test.Description
		entry["given"], entry["expect"], entry["overrides"] = plain(test.Given), plain(test.Expect), nil
		if test.Overrides != nil {
			entry["overrides"] = plain(test.Overrides)
		}
		entry["checksum"] = test.Checksum()
		entry["depends_on"] = fields{"macros": []any{}, "nodes": test.Reads}
		unitTests[test.ID] = entry
	}
	return macros, exposures, unitTests
}

// plain is a value as JSON has it.
func plain(v any) any {
	out, err := jinja.Go(v)
	if err != nil {
		panic(fmt.Sprintf("artifact: %v", err)) // a yml value
	}
	return out
}

// entryOf is what every entry of a manifest has.
func entryOf(of *project.Resource) fields {
	return fields{
		"name": of.Name, "resource_type": of.Type, "package_name": of.Package,
		"path": below(of.Within()), "original_file_path": of.Within(), "unique_id": of.ID, "fqn": of.FQN,
	}
}
