// Package repo_test holds the repository's papers against the repository: what
// the docs name exists, and what a release is made with does what it says.
package repo_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the repository's, seen from here.
const root = "../.."

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files are those of the repository, with what is not yet committed and
// without what git ignores.
var files = sync.OnceValues(func() ([]string, error) {
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	return slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool {
		_, err := os.Stat(filepath.Join(root, name))
		return err != nil // deleted, and not yet committed so
	}), err
})

// A tree is the repository's files and folders.
type tree struct {
	files   []string
	folders map[string]bool
}

func listed(t *testing.T) tree {
	t.Helper()
	all, err := files()
	if err != nil || len(all) == 0 {
		t.Fatalf("git ls-files: %d files, %v", len(all), err)
	}
	in := tree{all, map[string]bool{".": true}}
	for _, name := range all {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			in.folders[folder] = true
		}
	}
	return in
}

// has reports whether there is such a file or folder.
func (in tree) has(name string) bool {
	name = path.Clean(name)
	return in.folders[name] || slices.Contains(in.files, name)
}

// ends reports whether the path of a file or folder ends with the pattern,
// whole names compared, in which * stands for a part of a name.
func (in tree) ends(pattern string) bool {
	pattern = strings.Trim(pattern, "/")
	depth := strings.Count(pattern, "/") + 1
	matches := func(name string) bool {
		parts := strings.Split(name, "/")
		if len(parts) < depth {
			return false
		}
		ok, err := path.Match(pattern, strings.Join(parts[len(parts)-depth:], "/"))
		return err == nil && ok
	}
	if slices.ContainsFunc(in.files, matches) {
		return true
	}
	for folder := range in.folders {
		if matches(folder) {
			return true
		}
	}
	return false
}
