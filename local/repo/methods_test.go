package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A method with a builtin's name reads as the builtin.
func TestMethods_HaveNoBuiltinsNames(t *testing.T) {
	found := 0
	for _, name := range listed(t).files {
		if !strings.HasSuffix(name, ".go") || elsewhere(name) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range file.Decls {
			if method, ok := declared.(*ast.FuncDecl); ok && method.Recv != nil {
				found++
				if slices.Contains([]string{"make", "append", "copy", "close"}, method.Name.Name) {
					t.Errorf("%s has a method %s: say what it makes, appends, copies or closes", name, method.Name.Name)
				}
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d methods are found", found)
	}
}

// elsewhere are files whose methods still have such names.
func elsewhere(name string) bool {
	return strings.HasPrefix(name, "functions/") || strings.HasPrefix(name, "local/warehouse/") && strings.HasSuffix(name, "_test.go")
}
