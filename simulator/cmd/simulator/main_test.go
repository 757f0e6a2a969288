package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

var now = time.Date(2026, 11, 22, 12, 34, 56, 0, time.UTC)

func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestParse_Defaults(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, environment(map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2"}), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if o.network.Seed != 1 || !o.network.Start.Equal(now) || o.network.Location != time.UTC ||
		o.run.Speed != 1 || o.run.Steps != 0 || o.run.For != 0 || !o.run.CatchUp.IsZero() ||
		o.folder != "" || len(o.kafka.Brokers) != 2 {
		t.Errorf("%+v", o)
	}
}

func TestParse_Flags(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--seed", "7", "--speed", "60", "--start", "2026-11-20T06:00", "--catch-up", "now", "--steps", "3",
		"--for", "90s", "--json", "out", "--kafka", "here:9092"},
		environment(map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "there:9092", "STATION_TIMEZONE": "Europe/Paris"}), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC) // an hour behind Paris
	if o.network.Seed != 7 || !o.network.Start.Equal(start) || o.run.Speed != 60 || !o.run.CatchUp.Equal(now) ||
		o.run.Steps != 3 || o.run.For != 90*time.Second || o.folder != "out" || o.kafka.Brokers[0] != "here:9092" {
		t.Errorf("%+v", o)
	}
}

func TestParse_Moments(t *testing.T) {
	t.Parallel()
	paris := environment(map[string]string{"STATION_TIMEZONE": "Europe/Paris"})
	for text, want := range map[string]string{
		"now":                       "2026-11-22T12:34:56Z",
		"2026-07-01":                "2026-06-30T22:00:00Z",
		"2026-07-01T07:30":          "2026-07-01T05:30:00Z",
		"2026-07-01 07:30":          "2026-07-01T05:30:00Z",
		"2026-07-01T07:30:15":       "2026-07-01T05:30:15Z",
		"2026-07-01T07:30:00Z":      "2026-07-01T07:30:00Z",
		"2026-07-01T07:30:00-04:00": "2026-07-01T11:30:00Z",
	} {
		o, err := parse([]string{"--no-kafka", "--json", "out", "--start", text}, paris, nil, now)
		if got := o.network.Start.UTC().Format(time.RFC3339); err != nil || got != want {
			t.Errorf("--start %q is %s (%v), want %s", text, got, err, want)
		}
	}
}

// Each fault is one sentence that names the flag or variable.
func TestParse_Faults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args, names string
		variables   map[string]string
	}{
		{"", "KAFKA_BOOTSTRAP_SERVERS", nil},
		{"--kafka nowhere", "nowhere", nil},
		{"--no-kafka", "--json", nil},
		{"--kafka a:1", "STATION_TIMEZONE", map[string]string{"STATION_TIMEZONE": "Mars"}},
		{"--kafka a:1 --speed 0", "--speed", nil},
		{"--kafka a:1 --speed NaN", "--speed", nil},
		{"--kafka a:1 --steps -1", "--steps", nil},
		{"--kafka a:1 --for -1s", "--for", nil},
		{"--kafka a:1 --start yesterday", "--start", nil},
		{"--kafka a:1 --start 1999-12-31", "--start", nil},
		{"--kafka a:1 --catch-up tomorrow", "--catch-up", nil},
		{"--kafka a:1 --rate 0", "--rate", nil},
		{"--kafka a:1 --rate NaN", "--rate", nil},
		{"--kafka a:1 --rate 2e9", "--rate", nil},
		{"--kafka a:1 --rate 10 --speed 60", "--speed", nil},
		{"--kafka a:1 --rate 10 --start 2026-11-20 --catch-up now", "--catch-up", nil},
		{"--kafka a:1 --rate 10 --start now", "2026-11-21T12:34 or earlier", nil},
		{"--kafka a:1 --faults 1.1", "--faults", nil},
		{"--kafka a:1 --faults -0.1", "--faults", nil},
		{"--kafka a:1 --faults NaN", "--faults", nil},
		{"--kafka a:1 --too-large -1", "--too-large", nil},
		{"--kafka a:1 --stations nowhere.yml", "nowhere.yml", nil},
		{"--kafka a:1 --stations main.go", "--stations", nil},
		{"--kafka a:1 --sped 2", "not defined: --sped: see simulator --help", nil},
		{"--kafka a:1 more", `"more"`, nil},
	} {
		_, err := parse(strings.Fields(row.args), environment(row.variables), nil, now)
		if err == nil || !strings.Contains(err.Error(), row.names) || strings.Contains(err.Error(), "\n") {
			t.Errorf("simulator %s: %v, want a sentence that names %s", row.args, err, row.names)
		}
	}
}

func TestParse_AllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "stations.json")
	if err := os.WriteFile(file, []byte(`{"stations": [{"docks": 0}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	args := "--rate 0 --speed 0 --start 1999-01-01 --catch-up x --faults 2 --too-large -1 --steps -1 --for -1s --stations " + file
	_, err := parse(strings.Fields(args), environment(map[string]string{"STATION_TIMEZONE": "Mars"}), nil, now)
	for _, name := range []string{"KAFKA_BOOTSTRAP_SERVERS", "STATION_TIMEZONE", "--rate is", "--speed is", "--speed has no effect", "--start", "--catch-up is", "--catch-up has",
		"--faults", "--too-large", "--steps", "--for", "station 1 needs a name", "station 1: docks"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not tell of %s", err, name)
		}
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 14 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

func TestParse_Load(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--kafka", "a:1", "--rate", "2000", "--faults", "0.1", "--too-large", "3", "--legacy", "--report", "r.json",
		"--stations", filepath.Join("..", "..", "testdata", "stations.yml")}, environment(nil), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if !o.network.Start.Equal(now.AddDate(0, 0, -1)) || o.run.Rate != 2000 || o.faults != 0.1 || o.tooLarge != 3 || !o.network.Legacy ||
		o.report != "r.json" || len(o.network.Plan.Stations) != 3 {
		t.Errorf("%+v", o)
	}
}

func TestParse_Help(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := parse([]string{"--help"}, environment(nil), &out, now)
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for _, name := range []string{"seed", "speed", "start", "catch-up", "steps", "for", "json", "kafka", "no-kafka", "rate", "legacy", "faults", "too-large", "stations", "report"} {
		if !strings.Contains(out.String(), "  --"+name) {
			t.Errorf("the help does not tell of --%s:\n%s", name, out.String())
		}
	}
}

func TestRun_WritesTheSameFilesEachTime(t *testing.T) {
	t.Parallel()
	play := func() (files map[string]string, said string) {
		dir := t.TempDir()
		var stderr bytes.Buffer
		args := []string{"--no-kafka", "--json", dir, "--seed", "3", "--start", "2026-11-01", "--catch-up", "2026-11-03", "--steps", "300"}
		if err := run(context.Background(), args, environment(nil), io.Discard, &stderr); err != nil {
			t.Fatal(err)
		}
		files = map[string]string{}
		for _, topic := range event.Topics() {
			b, err := os.ReadFile(filepath.Join(dir, topic+".jsonl"))
			if err != nil || len(b) == 0 {
				t.Fatalf("%s: %d bytes, %v", topic, len(b), err)
			}
			files[topic] = string(b)
		}
		return files, stderr.String()
	}
	first, said := play()
	again, _ := play()
	for topic := range first {
		if first[topic] != again[topic] {
			t.Errorf("%s differs from run to run", topic)
		}
	}
	want := fmt.Sprintf("train_arrivals %d,", strings.Count(first["train_arrivals"], "\n"))
	if !strings.Contains(said, "simulated 2026-11-02 14:05, 300 steps,") || !strings.Contains(said, want) {
		t.Errorf("said %q, want %q in it", said, want)
	}
}

func TestRun_StopsWhenInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stderr bytes.Buffer
	if err := run(ctx, []string{"--no-kafka", "--json", t.TempDir()}, environment(nil), io.Discard, &stderr); err != nil {
		t.Error(err)
	}
	if !strings.Contains(stderr.String(), "0 events") {
		t.Errorf("said %q", stderr.String())
	}
}

// A clock that is set by hand.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time                      { return c.now }
func (c *clock) Wait(context.Context, time.Duration) {}

// told returns what is told of a run of 35 seconds, with 10 events a second
// and then 20.
func told(t *testing.T, terminal bool) string {
	t.Helper()
	var out bytes.Buffer
	c := &clock{now: now}
	r := newReporter(&out, c)
	r.terminal = terminal
	p := simulator.Progress{Simulated: now, Events: map[string]int{}}
	for p.Steps = 1; p.Steps <= 35; p.Steps++ {
		c.now = c.now.Add(time.Second)
		p.Elapsed += time.Second
		p.Events["incidents"] += 10
		if p.Steps > 10 {
			p.Events["incidents"] += 10
		}
		r.report(p)
	}
	r.finish(p)
	return out.String()
}

func TestReporter_TellsNowAndThen(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(told(t, false)), "\n")
	wanted := []string{"10.0 events/s, simulated 2026-11-22 12:34, 10 steps, 100 events", "20.0 events/s, simulated 2026-11-22 12:34, 20 steps, 300 events",
		"20.0 events/s, simulated 2026-11-22 12:34, 30 steps, 500 events", "17.1 events/s, simulated 2026-11-22 12:34, 36 steps, 600 events"}
	if len(lines) != len(wanted) || !strings.HasSuffix(lines[3], " in 35s") {
		t.Fatalf("said %q", lines)
	}
	for i, want := range wanted {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("said %q, want %q", lines[i], want)
		}
	}
}

func TestReporter_WritesOneLineOverOnATerminal(t *testing.T) {
	t.Parallel()
	said := told(t, true)
	if strings.Count(said, "\r\x1b[K") != 36 || strings.Count(said, "\n") != 1 || !strings.HasSuffix(said, " in 35s\n") {
		t.Errorf("said %q", said)
	}
	if strings.Count(said, "\x1b[?7l") != strings.Count(said, "\x1b[?7h") {
		t.Errorf("lines are left cut: %q", said)
	}
}

// The report's numbers are those of the files.
func TestRun_ReportsWhatIsInTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "report.json")
	var stderr bytes.Buffer
	args := []string{"--no-kafka", "--json", dir, "--report", file, "--start", "2026-03-02", "--rate", "100000", "--steps", "4",
		"--faults", "0.3", "--too-large", "2", "--legacy", "--stations", filepath.Join("..", "..", "testdata", "stations.yml")}
	if err := run(context.Background(), args, environment(nil), io.Discard, &stderr); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Exact || got.Seed != 1 || got.Seconds <= 0 || got.EventsPerSecond <= 0 || got.Total.Bad[event.TooLarge] != 2 || got.Total.Sent < 40_000 {
		t.Errorf("reports %s", text)
	}
	for _, topic := range event.Topics() {
		want := tallyFile(t, topic, filepath.Join(dir, topic+".jsonl"))
		want.Late, want.OutOfOrder = got.Topics[topic].Late, got.Topics[topic].OutOfOrder
		bad := got.Topics[topic].Bad // a file does not tell null from empty
		bad[event.Empty], bad[event.Tombstone] = bad[event.Empty]+bad[event.Tombstone], 0
		if diff := cmp.Diff(want, got.Topics[topic]); diff != "" {
			t.Errorf("%s: %s", topic, diff)
		}
	}
	for _, part := range []string{"events/s, simulated ", fmt.Sprintf("%d events (", got.Total.Sent), fmt.Sprintf("%d duplicates, %d late, ", got.Total.Duplicates, got.Total.Late)} {
		if !strings.Contains(stderr.String(), part) {
			t.Errorf("said %q, want %q in it", stderr.String(), part)
		}
	}
	if left, err := filepath.Glob(file + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// tallyFile counts what is in a file, all but what is late or out of order.
func tallyFile(t *testing.T, topic, path string) simulator.Tally {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	schema, _ := event.SchemaOf(topic)
	decoder, row := event.NewDecoder(schema, time.UTC), make(event.Row, len(schema.Columns)+1)
	tally := simulator.Tally{Bad: map[event.Reason]int{}}
	for _, reason := range simulator.Reasons() {
		tally.Bad[reason] = 0
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(text) {
		tally.Sent++
		line = line[:len(line)-1]
		if len(line) > 8<<20 {
			tally.Bad[event.TooLarge]++
			continue
		}
		if rejection := decoder.Decode(row, line, now); rejection != nil {
			tally.Bad[rejection.Reason]++
			continue
		}
		if seen[string(line)] {
			tally.Duplicates++
		}
		seen[string(line)] = true
		tally.Valid++
	}
	return tally
}

// A run that fails in the middle leaves a report that says so.
func TestRun_ReportWhenTheDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "report.json")
	if err := os.Symlink("/dev/full", filepath.Join(dir, "passenger_flow.jsonl")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	args := []string{"--no-kafka", "--json", dir, "--report", file, "--rate", "1000", "--for", "10s"}
	err := run(context.Background(), args, environment(nil), io.Discard, new(bytes.Buffer))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("writing to a full disk: %v", err)
	}
	var got report
	text, err := os.ReadFile(file)
	if err := errors.Join(err, json.Unmarshal(text, &got)); err != nil || got.Exact || got.Total.Sent == 0 {
		t.Errorf("reports %s (%v)", text, err)
	}
}

// A run that cannot begin leaves a report that says so.
func TestRun_ReportOfAFailedRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "report.json")
	args := []string{"--no-kafka", "--json", filepath.Join(file, "no folder"), "--report", file}
	if err := run(context.Background(), args, environment(nil), io.Discard, new(bytes.Buffer)); err == nil {
		t.Fatal("a folder within a file is made")
	}
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(text, []byte(`"exact": false`)) {
		t.Errorf("%s (%v)", text, err)
	}
	args = []string{"--no-kafka", "--json", dir, "--report", filepath.Join(dir, "nowhere", "report.json")}
	if err := run(context.Background(), args, environment(nil), io.Discard, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "--report") {
		t.Errorf("a report into a folder that is missing: %v", err)
	}
}
