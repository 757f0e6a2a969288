package repo_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the import path of the root module.
const module = "github.com/stationflow/stationflow"

// layers are the folders with Go code, the lowest first. A package imports
// from its own folder and from lower layers: no stage imports another.
var layers = []struct {
	name    string
	folders []string
}{
	{"what knows nothing of the others", []string{"internal/spare"}},
	{"what the stages agree on", []string{"batch", "event", "dbt", "sql", "terraform"}},
	{"what several of them need", []string{"internal"}},
	{"the stages", []string{"bridge", "functions/alert", "functions/audit", "functions/compact", "functions/ingest", "functions/page", "functions/scale", "functions/transform", "simulator"}},
	{"what goes their ways again", []string{"functions/replay"}},
	{"which functions there are", []string{"."}},
	{"the programs", []string{"cmd"}},
	{"what stands in for the cloud", []string{"local"}},
}

// runsUp says what is wrong with an import, both given as folders; "" for
// nothing.
func runsUp(from, to string) string {
	layer := func(folder string) (int, string) {
		parts := strings.Split(folder, "/")
		for i, l := range layers {
			for depth := range parts {
				if in := strings.Join(parts[:depth+1], "/"); slices.Contains(l.folders, in) {
					return i, in
				}
			}
		}
		return -1, parts[0]
	}
	upper, own := layer(from)
	lower, other := layer(to)
	switch {
	case upper < 0:
		return fmt.Sprintf("%s is in no layer: name %s in layers", from, own)
	case lower < 0:
		return fmt.Sprintf("%s is in no layer: name %s in layers", to, other)
	case own == other || lower < upper:
		return ""
	}
	return fmt.Sprintf("%s, of %s, imports %s, of %s, which is not below it", from, layers[upper].name, to, layers[lower].name)
}

func TestImports_RunDown(t *testing.T) {
	checked := 0
	for _, name := range listed(t).files {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			to, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if !ours {
				continue
			}
			checked++
			if fault := runsUp(path.Dir(name), path.Clean("./"+to)); fault != "" {
				t.Errorf("%s: %s", name, fault)
			}
		}
	}
	if checked == 0 {
		t.Error("no import of the module was found")
	}
}

func TestRunsUp(t *testing.T) {
	for _, c := range []struct {
		from, to string
		wrong    bool
	}{
		{"internal/dbt/run", "internal/dbt/project", false},
		{"functions/transform", "internal/dbt/run", false},
		{"internal/dbt/run", "functions/transform", true},
		{"internal/dbt/run", "cmd/cli", true},
		{"functions/ingest", "functions/ingest/lake", false},
		{"bridge", "functions/ingest", true},
		{"functions/transform", "functions/ingest/lake", true},
		{"functions/alert", "functions/ingest/lake", true},
		{"functions/elsewhere", "event", true},
		{"event", "internal/env", true},
		{"batch", "internal/spare", false},
		{"internal/spare", "batch", true},
		{"local/system", ".", false},
		{"cmd/cli", "local/system", true},
		{"new", "event", true},
	} {
		if fault := runsUp(c.from, c.to); (fault != "") != c.wrong {
			t.Errorf("%s imports %s: %q", c.from, c.to, fault)
		}
	}
}
