package repo_test

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// local/README.md has every folder of local/ once, under what it is.
func TestLocal_EveryFolderIsInItsTable(t *testing.T) {
	said := map[string]string{}
	for _, section := range strings.Split(read(t, "local/README.md"), "\n## ")[1:] {
		heading, rows, _ := strings.Cut(section, "\n")
		for _, row := range regexp.MustCompile(`(?m)^\| \[(\w+)\]\((\w+)`).FindAllStringSubmatch(rows, -1) {
			if row[1] != row[2] || said[row[1]] != "" {
				t.Errorf("local/README.md has %s under %q, with a link to %s, and under %q", row[1], heading, row[2], said[row[1]])
			}
			said[row[1]] = heading
		}
	}
	for folder := range listed(t).folders {
		name, ok := strings.CutPrefix(folder, "local/")
		if !ok || strings.Contains(name, "/") {
			continue
		}
		if want := kindOf(t, name); said[name] != want {
			t.Errorf("local/README.md has %s under %q, it belongs under %q", name, said[name], want)
		}
		delete(said, name)
	}
	for name := range said {
		t.Errorf("local/README.md has %s, which is not there", name)
	}
}

// kindOf says under which heading a folder of local/ belongs.
func kindOf(t *testing.T, name string) string {
	t.Helper()
	switch {
	case linked(t, "local/cmd/stationflow")["local/"+name] || name == "cmd":
		return "What `stationflow` is built from"
	case len(sources(t, "local/"+name)) > 0:
		return "What tests are built from"
	}
	return "Tests"
}

// linked returns the folders of the packages that a program is built from,
// as far as they are in local/.
func linked(t *testing.T, program string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for next := []string{program}; len(next) > 0; {
		folder := next[0]
		next = next[1:]
		if found[folder] {
			continue
		}
		found[folder] = true
		for _, name := range sources(t, folder) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range file.Imports {
				imported, _ := strconv.Unquote(one.Path.Value)
				if folder, ok := strings.CutPrefix(imported, "github.com/stationflow/stationflow/"); ok && strings.HasPrefix(folder, "local/") {
					next = append(next, folder)
				}
			}
		}
	}
	return found
}

// sources are the Go files of a folder that are no tests and declare more than
// the package.
func sources(t *testing.T, folder string) (names []string) {
	t.Helper()
	for _, name := range listed(t).files {
		if path.Dir(name) != folder || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if len(file.Decls) > 0 {
			names = append(names, name)
		}
	}
	return names
}
