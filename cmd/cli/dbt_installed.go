package cli

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// withInstalled adds to a manifest the macros of the dbt-core that is installed
// here: the program that STATIONFLOW_DBT names, or dbt. With them dbt-core's
// state:modified compares its own macros with themselves; without them it takes
// each test and each incremental model for a modified one.
func withInstalled(manifest []byte, getenv func(string) string) ([]byte, error) {
	macros := installedMacros(getenv)
	if len(macros) == 0 {
		return manifest, nil
	}
	var read map[string]any
	if err := json.Unmarshal(manifest, &read); err != nil {
		return nil, err
	}
	known := read["macros"].(map[string]any)
	for id, macro := range macros {
		known[id] = macro
	}
	return json.MarshalIndent(read, "", "  ")
}

// installedMacros are those of the installed dbt-core and its BigQuery adapter,
// as a manifest has them, by id; none where there is none.
func installedMacros(getenv func(string) string) map[string]any {
	macros := map[string]any{}
	for _, folder := range installedIn(getenv, "include") {
		for _, own := range []string{"global_project", "bigquery"} {
			readInstalled(os.DirFS(filepath.Join(folder, own)), macros)
		}
	}
	return macros
}

// installedIn are the places of a folder of the installed dbt-core; none where
// there is none.
func installedIn(getenv func(string) string, folder string) (found []string) {
	program := getenv("STATIONFLOW_DBT")
	if program == "" {
		program = "dbt"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil
	}
	root := filepath.Dir(filepath.Dir(path))
	for _, pattern := range []string{"lib/python*/site-packages", "Lib/site-packages"} {
		folders, _ := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern), "dbt", folder))
		found = append(found, folders...)
	}
	return found
}

func readInstalled(files fs.FS, into map[string]any) {
	settings, err := project.SettingsIn(files)
	if err != nil {
		return
	}
	name := settings.Name
	_ = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".sql" {
			return nil //nolint:nilerr // what cannot be read is not there
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return nil //nolint:nilerr // what cannot be read is not there
		}
		parsed, err := jinja.Parse(path, string(content), 1)
		if err != nil {
			return nil //nolint:nilerr // the runner does not know all that dbt writes
		}
		for _, d := range parsed.Definitions() {
			called := d.Name
			switch d.Kind {
			case "macro":
			case "test":
				called = "test_" + called
			default:
				continue
			}
			id := "macro." + name + "." + called
			into[id] = map[string]any{
				"name": called, "resource_type": "macro", "package_name": name, "path": path, "original_file_path": path, "unique_id": id,
				"macro_sql": d.Source, "depends_on": map[string]any{"macros": []any{}},
			}
		}
		return nil
	})
}
