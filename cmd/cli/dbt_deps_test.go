package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Local packages are linked into the folder of packages, with what they need;
// others must be there.
func TestDbtDeps(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{
		"p/dbt_project.yml":     "name: p\n",
		"p/packages.yml":        "packages: [{local: ../lib}]\n",
		"p/models/a.sql":        "select {{ lib.one() }}",
		"lib/dbt_project.yml":   "name: lib\n",
		"lib/packages.yml":      "packages: [{local: ../base}]\n",
		"lib/macros/m.sql":      "{% macro one() %}{{ base.one() }}{% endmacro %}",
		"base/dbt_project.yml":  "name: base\n",
		"base/macros/m.sql":     "{% macro one() %}1{% endmacro %}",
		"hub/dbt_project.yml":   "name: hub\n",
		"hub/packages.yml":      "packages: [{package: dbt-labs/dbt_utils, version: 1.0.0}, {git: \"https://example.com/dbt-more.git\"}]\n",
		"wrong/dbt_project.yml": "name: wrong\n",
		"wrong/packages.yml":    "packages: [{local: ../nowhere}]\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errs := dbt(t, "parse --project-dir p"); code != 1 || !strings.Contains(errs, "packages.yml names 1 packages, and dbt_packages has 0: run stationflow dbt deps") {
		t.Errorf("without packages: %d %s", code, errs)
	}
	for range 2 { // the second time the links are there
		if code, out, errs := dbt(t, "deps --project-dir p"); code != 0 || out != "installed lib from ../lib\ninstalled base from ../base\n" {
			t.Errorf("%d %s %s", code, out, errs)
		}
		if code, out, errs := dbt(t, "parse --project-dir p"); code != 0 || !strings.Contains(out, "1 models") {
			t.Errorf("%d %s %s", code, out, errs)
		}
		for line, want := range map[string]string{
			"deps --project-dir p --json":  `{"packages":[{"name":"lib","from":"../lib"},{"name":"base","from":"../base"}]}`,
			"parse --project-dir p --json": `{"manifest":"target/manifest.json","models":1,"sources":0,"tests":0}`,
		} {
			code, out, errs := dbt(t, line)
			var printed bytes.Buffer
			if err := json.Compact(&printed, []byte(out)); code != 0 || err != nil || strings.TrimSpace(printed.String()) != want {
				t.Errorf("%s: %d %v %s %s, want %s", line, code, err, out, errs, want)
			}
		}
	}
	for line, want := range map[string]string{
		"deps --project-dir hub":   "not installed, as only local packages are: dbt-labs/dbt_utils, https://example.com/dbt-more.git: run dbt deps of dbt-core once",
		"deps --project-dir wrong": "the package ../nowhere: reading the dbt project",
		"deps":                     "say which project",
	} {
		if code, _, errs := dbt(t, line); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s, want %q", line, code, errs, want)
		}
	}
	for _, name := range []string{"dbt_utils", "dbt_more"} {
		if err := os.MkdirAll("hub/dbt_packages/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("hub/dbt_packages/"+name+"/dbt_project.yml", []byte("name: "+name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, errs := dbt(t, "deps --project-dir hub"); code != 0 || !strings.Contains(out, "dbt-labs/dbt_utils is installed\n") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}
