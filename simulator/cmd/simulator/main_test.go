package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		{"--kafka a:1 --sped 2", "-sped", nil},
		{"--kafka a:1 more", `"more"`, nil},
	} {
		_, err := parse(strings.Fields(row.args), environment(row.variables), nil, now)
		if err == nil || !strings.Contains(err.Error(), row.names) || strings.Contains(err.Error(), "\n") {
			t.Errorf("simulator %s: %v, want a sentence that names %s", row.args, err, row.names)
		}
	}
}

func TestParse_Help(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := parse([]string{"--help"}, environment(nil), &out, now)
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for _, name := range []string{"seed", "speed", "start", "catch-up", "steps", "for", "json", "kafka", "no-kafka"} {
		if !strings.Contains(out.String(), "  -"+name+"") {
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
		if err := run(context.Background(), args, environment(nil), &stderr); err != nil {
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
	if err := run(ctx, []string{"--no-kafka", "--json", t.TempDir()}, environment(nil), &stderr); err != nil {
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

func TestReporter_TellsNowAndThen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &clock{now: now}
	r := newReporter(&out, c)
	for step := 1; step <= 100; step++ {
		c.now = c.now.Add(time.Second)
		r.report(simulator.Progress{Simulated: now, Steps: step})
	}
	r.finish(simulator.Progress{Simulated: now, Steps: 100})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, steps := range []string{" 30 steps", " 60 steps", " 90 steps", " 100 steps"} {
		if len(lines) != 4 || !strings.Contains(lines[i], steps) {
			t.Fatalf("said %q", lines)
		}
	}
}
