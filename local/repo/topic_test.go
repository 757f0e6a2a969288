package repo_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/local/endpoints"
)

// A further topic is a struct, an entry in the list of topics, a source in the
// simulator and the dbt models that one wants of it: in a copy of the
// repository nothing else is written by hand, all is derived and tested, and
// the local system carries its events to a mart.
//
// It builds the copy, which takes a minute or two: make topic runs it.
func TestTopic_TouchesWhatItIsAbout(t *testing.T) {
	if os.Getenv("STATIONFLOW_TOPIC") == "" {
		t.Skip("make topic adds a topic to a copy of the repository")
	}
	c := newRepositoryCopy(t)
	c.overlay("testdata/topic")
	c.insert("event/topics.go", "var all = []Kind{\n", `	{Topic: "lift_trips", Description: "A ride of a station's lift.", Event: LiftTrip{}, Cluster: "station",
		Singular: "lift_trip", Plural: "Lift trips", Moment: "left_at"},
`)
	c.insert("simulator/simulator.go", "		n.runTimetable(s)\n", "		n.lifts(s)\n")
	for _, name := range c.changed() {
		if top, _, _ := strings.Cut(name, "/"); top != "event" && top != "simulator" && !strings.HasPrefix(name, "dbt/models/") {
			t.Errorf("%s had to be changed", name)
		}
	}

	c.run(".", "make", "generate")
	for _, folder := range c.golden("event", "simulator", "functions", "internal") {
		c.run(".", "go", "test", "./"+folder, "-update")
	}
	c.run(".", "go", "vet", "./...")
	c.run(".", "go", "test", "./...")
	c.run("local", "go", "test", "./repo", "./simulatortest", "./deploytest")
	c.run("local", "go", "build", "-o", "../bin/stationflow", "./cmd/stationflow")
	c.arrives("select count(*) from prod_data.lift_trips_daily where trips > 0")
}

// A repositoryCopy is a copy of the repository in a folder of the test's, under
// git, so that what is changed can be told.
type repositoryCopy struct {
	t   *testing.T
	dir string
}

func newRepositoryCopy(t *testing.T) *repositoryCopy {
	t.Helper()
	c := &repositoryCopy{t, t.TempDir()}
	for _, name := range listed(t).files {
		c.write(name, read(t, name))
		if info, err := os.Stat(filepath.Join(root, name)); err == nil {
			c.check(os.Chmod(filepath.Join(c.dir, name), info.Mode()))
		}
	}
	c.run(".", "git", "init", "-q")
	c.run(".", "git", "add", "-A")
	c.run(".", "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "as it is")
	return c
}

func (c *repositoryCopy) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *repositoryCopy) write(name, text string) {
	c.t.Helper()
	at := filepath.Join(c.dir, name)
	c.check(os.MkdirAll(filepath.Dir(at), 0o755))
	c.check(os.WriteFile(at, []byte(text), 0o644))
}

// overlay adds the files below the folder; the suffix .txt keeps Go from
// compiling them where they lie.
func (c *repositoryCopy) overlay(folder string) {
	c.t.Helper()
	c.check(fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			c.write(strings.TrimSuffix(name, ".txt"), string(text))
		}
		return err
	}))
}

// insert adds lines behind those that are there once.
func (c *repositoryCopy) insert(name, behind, lines string) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	c.check(err)
	if strings.Count(string(text), behind) != 1 {
		c.t.Fatalf("%s does not have %q once", name, behind)
	}
	c.write(name, strings.Replace(string(text), behind, behind+lines, 1))
}

// changed returns the files that are not as they were.
func (c *repositoryCopy) changed() []string {
	c.t.Helper()
	var names []string
	for _, line := range strings.Split(c.run(".", "git", "status", "--porcelain", "-uall"), "\n") {
		if len(line) > 3 {
			names = append(names, line[3:])
		}
	}
	return names
}

// golden returns the folders in these whose tests write their golden files
// when asked to.
func (c *repositoryCopy) golden(in ...string) []string {
	c.t.Helper()
	search := append([]string{"git", "grep", "-l", `flag.Bool("update"`, "--"}, in...)
	var folders []string
	for _, name := range strings.Fields(c.run(".", search...)) {
		folders = append(folders, path.Dir(name))
	}
	return folders
}

// run runs a command in a folder of the copy and returns what it prints.
func (c *repositoryCopy) run(folder string, command ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), command[0], command[1:]...)
	cmd.Dir = filepath.Join(c.dir, folder)
	cmd.Env = append(os.Environ(), "STATIONFLOW_TOPIC=") // the copy need not do the same
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

// arrives runs the copy's local system with simulated stations until the
// query has found something.
func (c *repositoryCopy) arrives(query string) {
	c.t.Helper()
	at := filepath.Join(c.dir, "endpoints.json")
	system := exec.Command(filepath.Join(c.dir, "bin/stationflow"), "up", "--simulate", "--port", "0", "--endpoints", at)
	system.Dir = c.dir
	var said strings.Builder
	system.Stdout, system.Stderr = &said, &said
	c.check(system.Start())
	ended := make(chan error, 1)
	go func() { ended <- system.Wait() }()
	defer func() {
		_ = system.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil || c.t.Failed() {
			c.t.Errorf("the local system ended with %v:\n%s", err, said.String())
		}
	}()
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		select {
		case err := <-ended:
			ended <- err
			c.t.Error("the local system ended")
			return
		case <-time.After(500 * time.Millisecond):
		}
		if n, err := found(ctx, at, query); err == nil && n > 0 {
			return
		}
	}
	_, err := found(c.t.Context(), at, query)
	c.t.Errorf("%s finds nothing: %v", query, err)
}

// found returns the number that the query gives in the system whose endpoints
// the file has.
func found(ctx context.Context, file, query string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var system endpoints.Endpoints
	if err := json.Unmarshal(text, &system); err != nil {
		return 0, err
	}
	client, err := bigquery.NewClient(ctx, system.Project, option.WithEndpoint(system.BigQuery), option.WithoutAuthentication())
	if err != nil {
		return 0, err
	}
	defer client.Close()
	rows, err := client.Query(query).Read(ctx)
	if err != nil {
		return 0, err
	}
	var row []bigquery.Value
	if err := rows.Next(&row); err != nil {
		return 0, err
	}
	if n, ok := row[0].(int64); ok {
		return n, nil
	}
	return 0, errors.New("it gives no number")
}
