package repo_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/local/endpoints"
)

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

// update has the tests below these folders write their golden files. It runs
// those alone that do: all of them run without -update later, and fail where
// one that does was missed.
func (c *repositoryCopy) update(in ...string) {
	c.t.Helper()
	search := append([]string{"git", "grep", "-l", `flag.Bool("update"`, "--"}, in...)
	var folders, tests []string
	for _, name := range strings.Fields(c.run(".", search...)) {
		folder := path.Dir(name)
		writing := updating(c.t, filepath.Join(c.dir, folder))
		if len(writing) == 0 {
			c.t.Errorf("no test of %s writes what -update asks for", folder)
		}
		folders, tests = append(folders, "./"+folder), append(tests, writing...)
	}
	c.run(".", slices.Concat([]string{"go", "test"}, folders, []string{"-run", "^(" + strings.Join(tests, "|") + ")$", "-update"})...)
}

// run runs a command in a folder of the copy and returns what it prints.
func (c *repositoryCopy) run(folder string, command ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), command[0], command[1:]...)
	cmd.Dir = filepath.Join(c.dir, folder)
	cmd.Env = append(os.Environ(), "STATIONFLOW_TOPIC=") // the copy need not do the same
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	c.t.Logf("%s: %v, processors %v", strings.Join(command, " "), time.Since(began).Round(time.Second),
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(time.Second))
	return string(out)
}

// A runningCopy is a local system that runs.
type runningCopy struct {
	copy *repositoryCopy
	endpoints.Endpoints
	said *output
}

// An output is what a program says, which may be read while it runs.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// running runs a local system, calls do when it is ready, and stops it. program
// is a path in the copy, or anywhere.
func (c *repositoryCopy) running(program string, args []string, do func(s *runningCopy)) {
	c.t.Helper()
	if !filepath.IsAbs(program) {
		program = filepath.Join(c.dir, program)
	}
	at := filepath.Join(c.t.TempDir(), "endpoints.json")
	s := &runningCopy{copy: c, said: &output{}}
	system := exec.Command(program, append([]string{"up", "--port", "0", "--endpoints", at}, args...)...)
	system.Dir, system.Stdout, system.Stderr = c.dir, s.said, s.said
	c.check(system.Start())
	ended := make(chan error, 1)
	go func() { ended <- system.Wait() }()
	defer func() {
		_ = system.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil || c.t.Failed() {
			c.t.Errorf("the local system ended with %v:\n%s", err, s.said)
		}
	}()
	s.eventually("it is ready", func() error {
		text, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &s.Endpoints)
	})
	do(s)
}

func (s *runningCopy) eventually(what string, is func() error) {
	s.copy.t.Helper()
	var err error
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if err = is(); err == nil {
			return
		}
	}
	s.copy.t.Fatalf("waited until %s: %v:\n%s", what, err, s.said)
}

// await waits until the query gives at least so much.
func (s *runningCopy) await(query string, least int64) {
	s.copy.t.Helper()
	s.eventually(query, func() error {
		n, err := s.number(query)
		if err == nil && n < least {
			err = errors.New("it gives too little")
		}
		return err
	})
}

// number returns what the query gives.
func (s *runningCopy) number(query string) (int64, error) {
	ctx, cancel := context.WithTimeout(s.copy.t.Context(), time.Minute)
	defer cancel()
	client, err := bigquery.NewClient(ctx, s.Project, option.WithEndpoint(s.BigQuery), option.WithoutAuthentication())
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

// execute runs a statement that gives nothing.
func (s *runningCopy) execute(statement string) {
	s.copy.t.Helper()
	client, err := bigquery.NewClient(s.copy.t.Context(), s.Project, option.WithEndpoint(s.BigQuery), option.WithoutAuthentication())
	s.copy.check(err)
	defer client.Close()
	_, err = client.Query(statement).Read(s.copy.t.Context())
	s.copy.check(err)
}

// send sends records to a topic.
func (s *runningCopy) send(topic string, values ...string) {
	s.copy.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka))
	s.copy.check(err)
	defer client.Close()
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(value)})
	}
	s.copy.check(client.ProduceSync(s.copy.t.Context(), records...).FirstErr())
}

// transform has the transform run.
func (s *runningCopy) transform() {
	s.copy.t.Helper()
	answer, err := http.Post(s.Functions+"/transform", "application/json", strings.NewReader("{}"))
	s.copy.check(err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.copy.t.Errorf("the transform answers %s", answer.Status)
	}
}

// tool runs the copy's tool against the system.
func (s *runningCopy) tool(args string) {
	s.copy.t.Helper()
	environment := regexp.MustCompile(`(?m)^ +(\. \S+/environment)$`).FindStringSubmatch(s.said.String())
	if environment == nil {
		s.copy.t.Fatalf("the system does not say what the tool needs:\n%s", s.said)
	}
	s.copy.run(".", "sh", "-e", "-c", environment[1]+"\nbin/stationflow "+args)
}
