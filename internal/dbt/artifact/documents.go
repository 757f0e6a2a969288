package artifact

import "github.com/stationflow/stationflow/internal/dbt/project"

// documents are the manifest's entries for what is neither built nor tested by
// the runner: macros, exposures and unit tests.
func documents(p *project.Project) (macros, exposures, unitTests fields) {
	macros, exposures, unitTests = fields{}, fields{}, fields{}
	for _, macro := range p.Macros {
		entry := entryOf(p, &macro.Resource)
		entry["path"], entry["macro_sql"] = macro.Path, macro.SQL
		delete(entry, "fqn")
		macros[macro.ID] = entry
	}
	for _, exposure := range p.Exposures {
		entry := entryOf(p, &exposure.Resource)
		refs, sources := reads(p, &exposure.Resource)
		entry["type"], entry["owner"], entry["description"] = exposure.Kind, exposure.Owner, exposure.Description
		entry["label"], entry["maturity"], entry["url"] = orNull(exposure.Label), orNull(exposure.Maturity), orNull(exposure.URL)
		entry["refs"], entry["sources"] = refs, sources
		entry["depends_on"] = fields{"macros": []any{}, "nodes": orEmpty(exposure.Reads)}
		exposures[exposure.ID] = entry
	}
	for _, test := range p.UnitTests {
		entry := entryOf(p, &test.Resource)
		entry["model"], entry["description"] = test.Model, test.Description
		entry["given"], entry["expect"], entry["overrides"] = test.Given, test.Expect, test.Overrides
		entry["depends_on"] = fields{"macros": []any{}, "nodes": test.Reads}
		unitTests[test.ID] = entry
	}
	return macros, exposures, unitTests
}

// entryOf is what every entry of a manifest has.
func entryOf(p *project.Project, of *project.Resource) fields {
	return fields{
		"name": of.Name, "resource_type": of.Type, "package_name": p.Name,
		"path": below(of.Path), "original_file_path": of.Path, "unique_id": of.ID, "fqn": of.FQN,
	}
}
