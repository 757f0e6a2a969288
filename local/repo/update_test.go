package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// updating returns the tests of a folder that look at the flag update,
// themselves or by a function of the tests that they call.
func updating(t *testing.T, folder string) (tests []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string]map[string]bool{} // of each function: the names in it
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			function, is := declaration.(*ast.FuncDecl)
			if !is {
				continue
			}
			used := map[string]bool{}
			ast.Inspect(function, func(node ast.Node) bool {
				if name, is := node.(*ast.Ident); is {
					used[name.Name] = true
				}
				return true
			})
			uses[function.Name.Name] = used
		}
	}
	reach := []string{"update"}
	for i := 0; i < len(reach); i++ {
		for name, used := range uses {
			if used[reach[i]] && !slices.Contains(reach, name) {
				reach = append(reach, name)
			}
		}
	}
	for _, name := range reach {
		if strings.HasPrefix(name, "Test") && name != "TestMain" {
			tests = append(tests, name)
		}
	}
	slices.Sort(tests)
	return tests
}

func TestUpdating_FindsTestsThatWriteByOthers(t *testing.T) {
	want := []string{"TestItself", "TestThroughTwo"}
	if diff := cmp.Diff(want, updating(t, "testdata/updating")); diff != "" {
		t.Error(diff)
	}
}
