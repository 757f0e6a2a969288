package running_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/running"
)

// A system is found while it runs, and its file is the user's alone; one that
// crashed is not found, and neither is what somebody else left there.
func TestFind(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "stationflow")
	page, gone := httptest.NewServer(nil), httptest.NewServer(nil)
	defer page.Close()
	gone.Close()
	lives := running.System{PID: 7, Page: page.URL, Log: "/l", Started: time.Unix(5, 0).UTC(), Environment: []string{"A=1", "AB=2=3"}}
	remove, err := running.Announce(folder, lives)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running.Announce(folder, running.System{PID: 8, Page: gone.URL}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if about, err := os.Stat(folder); err != nil || about.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v %v", about.Mode(), err)
	}
	for range 2 {
		found, err := running.Find(t.Context(), folder)
		if diff := cmp.Diff([]running.System{lives}, found); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "8.json")); !os.IsNotExist(err) {
		t.Errorf("the file of a system that crashed: %v", err)
	}
	if gone := running.Crashed(folder); gone == nil || gone.PID != 8 {
		t.Errorf("the one that crashed: %+v", gone)
	}
	if a, ab, none := lives.Variable("A"), lives.Variable("AB"), lives.Variable("B"); a != "1" || ab != "2=3" || none != "" {
		t.Errorf("%q %q %q", a, ab, none)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	if err := remove(); err != nil {
		t.Error("twice:", err)
	}
	if found, err := running.Find(t.Context(), folder); err != nil || len(found) != 0 {
		t.Error(found, err)
	}
	if _, err := running.Announce(folder, lives); err != nil || running.Crashed(folder) != nil || running.Crashed("") != nil {
		t.Errorf("another has started since: %v, %+v", err, running.Crashed(folder))
	}
}

func TestFolder(t *testing.T) {
	own := func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": "/run/user/5"}[name] }
	if got := running.Folder(own); got != "/run/user/5/stationflow" {
		t.Error(got)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if got := running.Folder(func(string) string { return "" }); got != "" {
		t.Error(got)
	}
	if found, err := running.Find(t.Context(), ""); found != nil || err != nil {
		t.Error(found, err)
	}
}
