package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/program"
)

// A recipe installs and runs a peer. What it is given, and what it must do,
// is said in local/bench/peers/README.md.
type recipe struct {
	name string
	path string // of its recipe.sh
	home string // the folder that it installs into
}

const recipeFile = "recipe.sh"

// findRecipes returns those of a folder, by name.
func findRecipes(folder string) (found []recipe, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*", recipeFile))
	if err != nil || len(paths) == 0 {
		return nil, program.Mistakef("--peers is %q: name a folder that has a folder with a %s for each peer", folder, recipeFile)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("looking for a folder to install peers into: %w", err)
	}
	for _, path := range paths {
		if path, err = filepath.Abs(path); err != nil {
			return nil, fmt.Errorf("looking for the peers: %w", err)
		}
		name := filepath.Base(filepath.Dir(path))
		found = append(found, recipe{name: name, path: path, home: filepath.Join(cache, "stationflow", "peers", name)})
	}
	return found, nil
}

// command is a call of the recipe, as a process group of its own, which all
// ends when ctx does.
func (r recipe) command(ctx context.Context, verb string, environment ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, r.path, verb)
	c.Env = append(append(os.Environ(), "PEER_HOME="+r.home), environment...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 10 * time.Second
	return c
}

// install returns the peer's name with its versions.
func (r recipe) install(ctx context.Context) (title string, err error) {
	var out, log bytes.Buffer
	c := r.command(ctx, "install")
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("installing it: %s", lastLine(log.String(), err))
	}
	return lastLine(out.String(), errors.New(r.name)), nil
}

// lastLine of a text; of an empty one, what err says.
func lastLine(text string, err error) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return err.Error()
}

// A Measure is one run of a peer, or of the programs of this build.
type Measure struct {
	CPUS         float64 `json:"cpu_s"`       // user and system, of all its processes from start to exit
	WallS        float64 `json:"wall_s"`      // from its start to its exit; of this build until the last record is durable
	PeakRSSMB    float64 `json:"peak_rss_mb"` // the sum of its processes' peaks, in 10^6 bytes
	ParquetBytes int64   `json:"parquet_bytes"`
}

// A task is what a peer has to read.
type task struct {
	folder  string // of this run
	broker  string
	schema  string         // the file
	records map[string]int // by topic
}

func (t task) events() (sum int) {
	for _, n := range t.records {
		sum += n
	}
	return sum
}

// run has the peer read everything, and checks what it wrote.
func (r recipe) run(ctx context.Context, t task, progress io.Writer) (m Measure, readsOnly bool, err error) {
	out := filepath.Join(t.folder, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return m, false, err
	}
	log, err := os.Create(filepath.Join(t.folder, "log"))
	if err != nil {
		return m, false, err
	}
	defer log.Close()
	c := r.command(ctx, "run", "PEER_BROKER="+t.broker, "PEER_GROUP="+newGroup(),
		"PEER_EVENTS="+strconv.Itoa(t.events()), "PEER_SCHEMA="+t.schema, "PEER_OUT="+out)
	c.Stdout, c.Stderr, c.Dir = log, log, t.folder
	if m, err = measureCommand(c, r.name, progress); err != nil {
		text, _ := os.ReadFile(log.Name()) // without it the error is shorter
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("it did not end within %v", leisure(t.events()))
		}
		fmt.Fprintf(progress, "%s\n", text[max(0, len(text)-4000):])
		return m, false, fmt.Errorf("running it: %w: %s", err, complaint(string(text)))
	}
	m.ParquetBytes, readsOnly, err = harvest(out, t.records)
	return m, readsOnly, err
}

var named = regexp.MustCompile(`(Exception|Error)\b`)

// complaint is the last line of a log that names what went wrong, or its last.
func complaint(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); named.MatchString(line) && !strings.HasPrefix(line, "at ") {
			return line
		}
	}
	return lines[len(lines)-1]
}

// measureCommand runs a command, and ends what is left of its process group.
func measureCommand(c *exec.Cmd, name string, progress io.Writer) (m Measure, err error) {
	began := time.Now()
	if err := c.Start(); err != nil {
		return m, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	members := census{group: c.Process.Pid, met: map[int]bool{c.Process.Pid: true}, each: map[int]usage{}}
	sample, report := time.NewTicker(100*time.Millisecond), time.NewTicker(10*time.Second)
	defer sample.Stop()
	defer report.Stop()
	for running := true; running; {
		select {
		case err = <-ended:
			running = false
		case <-sample.C:
			members.take()
		case <-report.C:
			fmt.Fprintf(progress, "%5.0f s  %s\n", time.Since(began).Seconds(), name)
		}
	}
	m.WallS = time.Since(began).Seconds()
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // mostly nothing is left
	all := members.total()
	// What it waited for is in the first; what it left running in the second.
	waited := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	m.CPUS, m.PeakRSSMB = max(waited, all.cpu).Seconds(), float64(all.peakRSS)/1e6
	return m, err
}

// A census holds what each process of a group was last seen to have used. One
// that is met for the first time is passed over: until a child has become
// another program, its memory is its parent's.
type census struct {
	group int
	met   map[int]bool
	each  map[int]usage
}

func (c *census) take() {
	entries, _ := os.ReadDir("/proc") // Linux; elsewhere nothing is seen
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if group, err := syscall.Getpgid(pid); err != nil || group != c.group {
			continue
		}
		if u, err := usageOf(pid); err == nil && c.met[pid] { // it may have ended
			c.each[pid] = u
		}
		c.met[pid] = true
	}
}

func (c *census) total() (sum usage) {
	for _, u := range c.each {
		sum.cpu += u.cpu
		sum.peakRSS += u.peakRSS
	}
	return sum
}

// harvest checks that a peer wrote, or only read, so many records of each
// topic, and returns the size of its Parquet.
func harvest(out string, records map[string]int) (size int64, readsOnly bool, err error) {
	text, err := os.ReadFile(filepath.Join(out, "read"))
	if err == nil {
		sum := task{records: records}.events()
		if read, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || read != sum {
			return 0, true, fmt.Errorf("it read %q records of %d", text, sum)
		}
		return 0, true, nil
	}
	var faults []error
	for _, topic := range event.Topics() {
		rows, bytes, err := countRows(filepath.Join(out, topic), topic)
		if err == nil && rows != int64(records[topic]) {
			err = fmt.Errorf("%d rows", rows)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("of %d records of %s it wrote: %w", records[topic], topic, err))
		}
		size += bytes
	}
	return size, false, errors.Join(faults...)
}

// countRows returns the rows in the Parquet files below a folder, and their
// size. Each must have the columns that every event of the topic has.
func countRows(folder, topic string) (rows, size int64, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch hidden := strings.HasPrefix(entryName(entry), ".") || strings.HasPrefix(entryName(entry), "_"); {
		case errors.Is(err, fs.ErrNotExist):
			return nil // no record of it was written
		case err != nil:
			return err
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case entry.IsDir() || hidden:
			return nil
		}
		return withParquet(path, func(f *parquet.File) error {
			rows, size = rows+f.NumRows(), size+f.Size()
			return lacking(f, topic)
		})
	})
	return rows, size, err
}

func entryName(entry fs.DirEntry) string {
	if entry == nil {
		return ""
	}
	return entry.Name()
}

func lacking(f *parquet.File, topic string) error {
	columns := columnsOf(f)
	schema, _ := event.SchemaOf(topic)
	for _, c := range schema.Columns {
		if !c.Nullable && !slices.Contains(columns, c.Name) {
			return fmt.Errorf("files without the column %s", c.Name)
		}
	}
	return nil
}
