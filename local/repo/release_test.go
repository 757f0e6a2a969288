package repo_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// smallModule has a command whose version command is as the tool's, in the
// package that the release script writes the version into.
var smallModule = map[string]string{
	"go.mod": "module github.com/stationflow/stationflow\n\ngo 1.26\n",
	"cmd/cli/cli.go": `package cli

import (
	"encoding/json"
	"os"
	"runtime/debug"
)

var release string

// Say writes what the tool's version command writes.
func Say() {
	said := struct {
		Version  string ` + "`json:\"version\"`" + `
		Commit   string ` + "`json:\"commit\"`" + `
		Modified bool   ` + "`json:\"modified\"`" + `
	}{Version: release}
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			said.Commit = s.Value
		case "vcs.modified":
			said.Modified = s.Value == "true"
		}
	}
	json.NewEncoder(os.Stdout).Encode(said)
}
`,
	"cmd/tool/main.go": `package main

import (
	"os"
	"runtime"

	"github.com/stationflow/stationflow/cmd/cli"
)

func main() {
	if len(os.Args) == 1 {
		_, file, _, _ := runtime.Caller(0) // a path that must not be in a release
		os.Stdout.WriteString(file)
		return
	}
	cli.Say()
}
`,
}

// committed makes a repository of the small module, the same commit each time.
func committed(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range smallModule {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "one"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a",
			"GIT_AUTHOR_DATE=2026-11-23T00:00:00Z", "GIT_COMMITTER_DATE=2026-11-23T00:00:00Z", "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return folder
}

// release runs the script on a module, into a folder of its own.
func release(t *testing.T, module string) (folder, said string, err error) {
	t.Helper()
	folder = t.TempDir()
	script, absErr := filepath.Abs(filepath.Join(root, "scripts", "release.sh"))
	if absErr != nil {
		t.Fatal(absErr)
	}
	out, err := exec.Command(script, "v1.2.3", module, "./cmd/tool", folder, runtime.GOOS+"/"+runtime.GOARCH).CombinedOutput()
	return folder, string(out), err
}

// The same commit gives the same bytes in two folders, and the binary says
// its version and commit.
func TestRelease_SameCommitSameBytes(t *testing.T) {
	name := "tool-v1.2.3-" + runtime.GOOS + "-" + runtime.GOARCH
	var binaries, sums [][]byte
	for range 2 {
		folder, said, err := release(t, committed(t))
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		for file, into := range map[string]*[][]byte{name: &binaries, "SHA256SUMS": &sums} {
			content, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			*into = append(*into, content)
		}
		path, err := exec.Command(filepath.Join(folder, name)).Output()
		if err != nil || !strings.HasPrefix(string(path), "github.com/") {
			t.Errorf("the binary knows the folder that it was built in: %s (%v)", path, err)
		}
		var version struct{ Version, Commit string }
		lines := strings.Split(strings.TrimSpace(said), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &version); err != nil || version.Version != "v1.2.3" || len(version.Commit) != 40 {
			t.Errorf("%v: %s", err, said)
		}
	}
	if !bytes.Equal(binaries[0], binaries[1]) {
		t.Error("the same commit gives other bytes")
	}
	if !bytes.Equal(sums[0], sums[1]) || !bytes.Contains(sums[0], []byte(name)) {
		t.Errorf("checksums %s and %s", sums[0], sums[1])
	}
}

// What was not committed is not released.
func TestRelease_RefusesChanges(t *testing.T) {
	module := committed(t)
	if err := os.WriteFile(filepath.Join(module, "notes"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, said, err := release(t, module); err == nil || !strings.Contains(said, "a release is made from a commit") {
		t.Errorf("%v: %s", err, said)
	}
}
