package system

import (
	"os"
	"strings"
	"testing"
)

// A folder has one system at a time; the second start names the folder and
// leaves it as it is, and the folder is free again once the first has ended.
func TestLockFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	unlock, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(folder); err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("the second lock gives %v, want a sentence that names %s and --data", err, folder)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v; want the lock alone", files, err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = lockFolder(folder)
	if err != nil {
		t.Fatalf("the folder is still locked: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}
