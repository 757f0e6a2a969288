package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Which project a command works with, where its target goes, and what is said of
// it: as dbt-core has it, the next one upwards.
func TestDbt_ChoosesTheProject(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"own/dbt_project.yml", "own/models/deep/x", "own/dbt/dbt_project.yml",
		"repository/.git/x", "repository/dbt/dbt_project.yml", "repository/dbt/models/x", "repository/cmd/deep/x",
		"bare/dbt/dbt_project.yml", "bare/cmd/x", "none/dbt_project.yml/x", "other/dbt_project.yml",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		content := ""
		if filepath.Base(file) == "dbt_project.yml" {
			project, _, _ := strings.Cut(name, "/")
			content = "name: of_" + project + "\nmodel-paths: [sql]\n"
			for path, text := range map[string]string{"sql/m.sql": "select 1 as n", "sql/m.yml": "models: [{name: m, description: '" + name + "'}]"} {
				if err := os.MkdirAll(filepath.Join(filepath.Dir(file), "sql"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(filepath.Dir(file), filepath.FromSlash(path)), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		folder, args, variable string
		is, target, says       string // "" is the project that is built in
	}{
		"the folder itself":             {"own", "", "", "own/dbt_project.yml", "own/target", ""},
		"a folder of the project":       {"own/models/deep", "", "", "own/dbt_project.yml", "own/target", "the dbt project in ../..\n"},
		"the repository's dbt":          {"repository", "", "", "repository/dbt/dbt_project.yml", "repository/target", "the dbt project in dbt\n"},
		"a folder of the repository":    {"repository/cmd/deep", "", "", "repository/dbt/dbt_project.yml", "repository/target", "the dbt project in ../../dbt\n"},
		"within the repository's dbt":   {"repository/dbt/models", "", "", "repository/dbt/dbt_project.yml", "repository/dbt/target", "the dbt project in ..\n"},
		"dbt outside of a repository":   {"bare", "", "", "bare/dbt/dbt_project.yml", "bare/target", "the dbt project in dbt\n"},
		"a neighbour is not meant":      {"bare/cmd", "", "", "", "bare/cmd/target", ""},
		"a folder of that name is none": {"none", "", "", "", "none/target", ""},
		"another is named":              {"own", "--project-dir ../other", "", "other/dbt_project.yml", "own/target", ""},
		"another by the variable":       {"own", "", "../other", "other/dbt_project.yml", "own/target", ""},
		"the flag wins":                 {"own", "--project-dir .", "../other", "own/dbt_project.yml", "own/target", ""},
		"a target of one's own":         {"own/models", "--target-path here", "", "own/dbt_project.yml", "own/models/here", "the dbt project in ..\n"},
		"what is named is not there":    {"own", "--project-dir nowhere", "", "fails", "", "dbt_project.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(filepath.Join(root, filepath.FromSlash(c.folder)))
			var out, errs strings.Builder
			streams := Streams{Getenv: func(name string) string { return map[string]string{"DBT_PROJECT_DIR": c.variable}[name] }, Out: &out, Err: &errs}
			code := Main(t.Context(), append([]string{"dbt", "parse"}, strings.Fields(c.args)...), streams, Commands())
			if c.is == "fails" {
				if code != 1 || !strings.Contains(errs.String(), c.says) {
					t.Errorf("%d %s", code, errs.String())
				}
				return
			}
			target := filepath.Join(root, filepath.FromSlash(c.target))
			defer os.RemoveAll(target)
			manifest, err := os.ReadFile(filepath.Join(target, "manifest.json"))
			if err != nil || code != 0 || errs.String() != c.says {
				t.Fatalf("%d %v, said %q, want %q", code, err, errs.String(), c.says)
			}
			want := `"description": "` + c.is + `"`
			if c.is == "" {
				want = "model.stationflow.train_dashboard"
			}
			if !strings.Contains(string(manifest), want) && !strings.Contains(string(manifest), strings.ReplaceAll(want, ": ", ":")) {
				t.Errorf("it is not the project of %q", c.is)
			}
		})
	}
}
