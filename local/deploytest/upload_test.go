package deploytest

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goCommand runs the go command in a folder as a build in the cloud does: no
// workspace, go.mod may change, and the flags that Terraform gives it.
func goCommand(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -tags=disable_grpc_modules")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, last(stderr.Bytes()))
	}
	return string(out)
}

// zipped makes the upload, once, and returns the path of the zip.
func zipped(t *testing.T) string {
	t.Helper()
	file := filepath.Join(shared.folder, "functions.zip")
	if _, err := os.Stat(file); err != nil {
		t.Log(strings.TrimSpace(goCommand(t, repository, "run", "./terraform/upload", "-o", file)))
	}
	return file
}

// unpacked returns a folder of the test's own with the upload's files.
func unpacked(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	archive, err := zip.OpenReader(zipped(t))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if err := os.CopyFS(folder, archive); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestUpload_SameFilesSameBytes(t *testing.T) {
	first, err := os.ReadFile(zipped(t))
	if err != nil {
		t.Fatal(err)
	}
	// Another copy, made at another time in another order.
	copied := t.TempDir()
	if err := copyTree(repository, copied); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again.zip")
	goCommand(t, repository, "run", "./terraform/upload", "-root", copied, "-o", again)
	second, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same files give other bytes")
	}
}

// The allow-list is what the functions import and embed, and no more: a
// package that is forgotten fails the build in the cloud, one too many brings
// its modules along.
func TestUpload_IsWhatTheFunctionsImport(t *testing.T) {
	want := append(sourcesOf(t, "."), "go.mod", "go.sum")
	slices.Sort(want)
	got := filesBelow(t, unpacked(t))
	for _, file := range got {
		if !slices.Contains(want, file) {
			t.Errorf("the upload has %s, which no function needs: take it out of terraform/sources.json", file)
		}
	}
	for _, file := range want {
		if !slices.Contains(got, file) {
			t.Errorf("the upload lacks %s: add it to terraform/sources.json", file)
		}
	}
}

// A sourceList has what is built again when it changes: what the patterns of
// sources.json name, and the files that they must name.
type sourceList struct {
	patterns *regexp.Regexp
	files    []string
}

// sourceLists has the list of each thing that Terraform builds.
func sourceLists(t *testing.T) map[string]sourceList {
	t.Helper()
	var sources struct{ Functions, Image []string }
	if err := json.Unmarshal([]byte(read(t, "terraform/sources.json")), &sources); err != nil {
		t.Fatal(err)
	}
	return map[string]sourceList{
		"functions": {expression(sources.Functions), append(sourcesOf(t, "."), "go.mod", "go.sum")},
		"image": {expression(sources.Image), append(sourcesOf(t, "./bridge/cmd/bridge", "./simulator/cmd/simulator"),
			".gcloudignore", "go.mod", "go.sum", "bridge/Dockerfile", "cloudbuild.yaml")},
	}
}

// watches reports whether Terraform builds again what the list is of when the
// file changes. main.tf leaves tests out.
func (l sourceList) watches(file string) bool {
	isTest := strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/")
	return !isTest && l.patterns.MatchString(file)
}

// Terraform builds image and functions again when what they are built from
// changes, and only then: a new image restarts the bridge.
func TestSources_AreWhatIsBuilt(t *testing.T) {
	files := committed(t)
	for what, list := range sourceLists(t) {
		for _, file := range list.files {
			if !list.watches(file) {
				t.Errorf("a change of %s would not build the %s again: add it to terraform/sources.json", file, what)
			}
		}
		for _, file := range files {
			if list.watches(file) && !slices.Contains(list.files, file) {
				t.Errorf("a change of %s would build the %s again, without need: take it out of terraform/sources.json", file, what)
			}
		}
	}
}

// The tool's help texts are in neither: a change of one restarts nothing.
func TestSources_LeaveTheToolOut(t *testing.T) {
	lists := sourceLists(t)
	var tool []string
	for _, file := range sourcesOf(t, "./cmd/stationflow") {
		if strings.HasPrefix(file, "cmd/") {
			tool = append(tool, file)
		}
	}
	if len(tool) < 10 {
		t.Fatalf("the tool is built from %v alone", tool)
	}
	before, err := os.ReadFile(zipped(t))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := copyTree(repository, copied); err != nil {
		t.Fatal(err)
	}
	for _, file := range tool {
		for what, list := range lists {
			if list.watches(file) {
				t.Errorf("a change of %s would build the %s again", file, what)
			}
		}
		text, err := os.ReadFile(filepath.Join(copied, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, file), append(text, "\n// Another help text.\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again := filepath.Join(t.TempDir(), "again.zip")
	goCommand(t, repository, "run", "./terraform/upload", "-root", copied, "-o", again)
	after, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("a change of the tool changes the functions' upload")
	}
}

// committed lists the repository's files, with those that are new.
func committed(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return strings.Fields(string(out))
}

// expression matches the files that one of Terraform's patterns names.
func expression(patterns []string) *regexp.Regexp {
	var each []string
	for _, pattern := range patterns {
		each = append(each, strings.NewReplacer(`\*\*`, `.+`, `\*`, `[^/]*`).Replace(regexp.QuoteMeta(pattern)))
	}
	return regexp.MustCompile("^(?:" + strings.Join(each, "|") + ")$")
}

// sourcesOf lists the module's files that the packages are built from, tests
// left out.
func sourcesOf(t *testing.T, packages ...string) (files []string) {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	format := `{{if and .Module .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}`
	for _, file := range strings.Fields(goCommand(t, repository, append([]string{"list", "-deps", "-f", format}, packages...)...)) {
		relative, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.ToSlash(relative))
	}
	return files
}

func filesBelow(t *testing.T, folder string) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// What Google's Go buildpack asks of a function's sources, before it builds.
func TestUpload_IsWhatTheBuildpackTakes(t *testing.T) {
	folder := unpacked(t)
	packages := map[string]bool{}
	roots, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(roots) == 0 {
		t.Fatalf("no Go file at the root (%v)", err)
	}
	for _, file := range roots {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		packages[parsed.Name.Name] = true
		for _, spec := range parsed.Imports {
			if strings.Contains(spec.Path.Value, "functions-framework-go/functions") {
				packages["imports the framework"] = true
			}
		}
	}
	if len(packages) != 2 || !packages["imports the framework"] {
		t.Errorf("the root has %v, want one package that imports the framework", packages)
	}
	for _, file := range filesBelow(t, folder) {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "go.work") || strings.HasPrefix(file, "vendor/") {
			t.Errorf("the upload has %s", file)
		}
	}
	module := strings.Split(strings.TrimSpace(goCommand(t, folder, "list", "-m")), "\n")
	if first, _, _ := strings.Cut(module[0], "/"); len(module) != 1 || !strings.Contains(first, ".") {
		t.Errorf("go list -m says %q, want one line with a dot in its first element", module)
	}
}

// required returns the modules that go.mod names, and their versions.
func required(t *testing.T, folder string) map[string]string {
	t.Helper()
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal([]byte(goCommand(t, folder, "mod", "edit", "-json")), &mod); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range mod.Require {
		versions[r.Path] = r.Version
	}
	return versions
}

// selected returns the version of every module in the module graph; go.mod
// need not name those that others name.
func selected(t *testing.T, folder string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(goCommand(t, folder, "list", "-m", "all")), "\n") {
		module, version, _ := strings.Cut(line, " ")
		versions[module] = version
	}
	return versions
}

// The buildpack tidies what it is given. That may take modules out that only
// other parts of the repository need, but never choose another version.
func TestUpload_TidyChangesNoVersion(t *testing.T) {
	folder := unpacked(t)
	before := selected(t, folder)
	goCommand(t, folder, "mod", "tidy")
	after := required(t, folder)
	for module, version := range after {
		if before[module] != version {
			t.Errorf("tidy selects %s %s, before it was %q", module, version, before[module])
		}
		if regexp.MustCompile(`bigquery-emulator|fake-gcs-server|googlesql|go-zetasql|kfake|robfig/cron`).MatchString(module) {
			t.Errorf("the upload needs an emulator: %s", module)
		}
	}
	linked := map[string]bool{}
	for _, module := range strings.Fields(goCommand(t, folder, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")) {
		linked[module] = true
	}
	fmt.Printf("upload: %d modules are downloaded to build it; its go.mod names %d, the repository's graph has %d\n", len(linked)-1, len(after), len(before)-1)
}
