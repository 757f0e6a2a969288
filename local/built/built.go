// Package built finds the programs that make build has made, for tests that
// run them.
package built

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Program is the path of a program, or the test fails.
func Program(t testing.TB, name string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(file), "..", "..", "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run make build first", name)
	}
	return path
}
