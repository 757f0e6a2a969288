package repo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A layer is packages that import those of the layers above it in the list
// layers, and of their own layer where it is not parted.
type layer struct {
	name    string
	folders []string // from the repository's root, with all below that no other layer names
	parted  bool     // no folder of it imports another
}

// layers are all packages of both modules. A new package belongs into the
// first layer whose neighbours above have all that it needs.
var layers = []layer{
	{"files as they are", []string{"dbt", "sql", "terraform"}, true},
	{"what stages agree on", []string{"event", "batch"}, false},
	{"what stages share", []string{"internal"}, false},
	{"stages", []string{"bridge", "functions/ingest", "functions/transform", "simulator"}, true},
	{"the functions' registration", []string{"."}, true},
	{"programs", []string{"cmd", "bridge/cmd", "simulator/cmd", "terraform/upload"}, false},
	{"the local system and its tests", []string{"local"}, false},
}

// placeOf returns the layer of the package at the path, and the folder of the
// layer that it belongs to; the folder with the longest name wins.
func placeOf(layers []layer, path string) (at int, folder string, ok bool) {
	for i, l := range layers {
		for _, f := range l.folders {
			if (path == f || f != "." && strings.HasPrefix(path, f+"/")) && len(f) >= len(folder) {
				at, folder, ok = i, f, true
			}
		}
	}
	return at, folder, ok
}

// climbs returns what is wrong with an import, "" for nothing. Packages are
// named by their paths from the repository's root.
func climbs(layers []layer, importing, imported string) string {
	from, own, ok := placeOf(layers, importing)
	if !ok {
		return fmt.Sprintf("%s is in no layer: add its folder to layers", importing)
	}
	to, other, ok := placeOf(layers, imported)
	switch {
	case !ok:
		return fmt.Sprintf("%s is in no layer: add its folder to layers", imported)
	case to > from:
		return fmt.Sprintf("%s (%s) imports %s (%s), which runs up", importing, layers[from].name, imported, layers[to].name)
	case to == from && own != other && layers[from].parted:
		return fmt.Sprintf("%s imports %s: %s do not import each other", importing, imported, layers[from].name)
	}
	return ""
}

const module = "github.com/stationflow/stationflow"

// A goPackage is what the go command says of a package.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// packages lists those of the module in the folder, from the repository's root.
func packages(t *testing.T, folder string) (all []goPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = filepath.Join(root, folder)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v", folder, err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// short returns a package's path from the repository's root; ok is false where
// it is not of this repository.
func short(path string) (name string, ok bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// No import runs up, in programs or in tests.
func TestLayers_NoImportRunsUp(t *testing.T) {
	seen := 0
	for _, folder := range []string{".", "local"} {
		for _, p := range packages(t, folder) {
			importing, _ := short(p.ImportPath)
			if _, _, ok := placeOf(layers, importing); !ok {
				t.Errorf("%s is in no layer: add its folder to layers", importing)
			}
			for _, path := range append(append(p.Imports, p.TestImports...), p.XTestImports...) {
				imported, ours := short(path)
				if !ours {
					continue
				}
				seen++
				if wrong := climbs(layers, importing, imported); wrong != "" {
					t.Error(wrong)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d imports were looked at", seen)
	}
}

func TestLayers_SeeWhatClimbs(t *testing.T) {
	for _, test := range []struct{ importing, imported, want string }{
		{"functions/ingest", "event/payload", ""},
		{"functions/ingest/lake", "functions/ingest/rows", ""},
		{"cmd/functions", ".", ""},
		{"local/system", "cmd/cli", ""},
		{"event", "internal/env", "event (what stages agree on) imports internal/env (what stages share), which runs up"},
		{"internal/lake", "bridge", "internal/lake (what stages share) imports bridge (stages), which runs up"},
		{"bridge", "bridge/cmd/bridge", "bridge (stages) imports bridge/cmd/bridge (programs), which runs up"},
		{"bridge", "functions/ingest/lake", "bridge imports functions/ingest/lake: stages do not import each other"},
		{"functions/ingest", ".", "functions/ingest (stages) imports . (the functions' registration), which runs up"},
		{"cmd/generate", "local/bench", "cmd/generate (programs) imports local/bench (the local system and its tests), which runs up"},
		{"eventually", "event", "eventually is in no layer: add its folder to layers"},
		{"bridge", "tools", "tools is in no layer: add its folder to layers"},
	} {
		if got := climbs(layers, test.importing, test.imported); got != test.want {
			t.Errorf("%s imports %s: %q, want %q", test.importing, test.imported, got, test.want)
		}
	}
}
