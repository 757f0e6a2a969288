package deploytest

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Variables and outputs are in alphabetical order and say what they are, in
// the root and in every module.
func TestTerraform_VariablesAndOutputsAreInOrder(t *testing.T) {
	block := regexp.MustCompile(`(?ms)^(variable|output) "(\w+)" \{\n(.*?)^\}`)
	tree := os.DirFS(repository + "/terraform")
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".tf") || !strings.Contains(path, "variables") && !strings.Contains(path, "outputs") {
			return err
		}
		text, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		var names []string
		for _, match := range block.FindAllSubmatch(text, -1) {
			names = append(names, string(match[2]))
			if !regexp.MustCompile(`(?m)^  description\s*= `).Match(match[3]) {
				t.Errorf("%s: %s has no description", path, match[2])
			}
		}
		if !slices.IsSorted(names) || len(names) == 0 && path != "outputs.tf" {
			t.Errorf("%s: %v are not in alphabetical order", path, names)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
