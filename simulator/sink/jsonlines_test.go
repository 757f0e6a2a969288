package sink_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// write plays 400 steps into the files of a folder, and returns what they should
// have got.
func write(t *testing.T, dir string, n *simulator.Network) map[string][]byte {
	t.Helper()
	files, err := sink.OpenJSONLines(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{}
	for range 400 {
		events := n.Step()
		for _, e := range events {
			want[e.Topic] = append(append(want[e.Topic], e.Value...), '\n')
		}
		if err := files.Write(events); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	return want
}

func newNetwork() *simulator.Network {
	return simulator.New(simulator.Config{Seed: 2, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)})
}

func TestJSONLines_Appends(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	n := newNetwork()
	first, second := write(t, dir, n), write(t, dir, n)
	for _, topic := range event.Topics() {
		got, err := os.ReadFile(filepath.Join(dir, topic+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if want := append(first[topic], second[topic]...); len(want) == 0 || !bytes.Equal(got, want) {
			t.Errorf("%s holds %d bytes, want %d", topic, len(got), len(want))
		}
	}
}

// A line that a crash tore does not spoil the next one.
func TestJSONLines_EndsATornLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "train_arrivals.jsonl")
	if err := os.WriteFile(path, []byte("{\"id\":\"arr-000001\"}\n{\"id\":\"arr-0"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := write(t, dir, newNetwork())["train_arrivals"]
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(got, []byte("\n"))
	if string(lines[1]) != "{\"id\":\"arr-0\n" || !bytes.Equal(bytes.Join(lines[2:], nil), want) {
		t.Errorf("the file begins with %q", lines[:3])
	}
	for _, line := range lines[2 : len(lines)-1] {
		if !json.Valid(line) {
			t.Errorf("%q is not JSON", line)
		}
	}
}

func TestJSONLines_SaysWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "train_arrivals.jsonl"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.OpenJSONLines(dir); err == nil {
		t.Error("a folder in the place of a file is taken")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.OpenJSONLines(file); err == nil {
		t.Error("a file in the place of the folder is taken")
	}
}

// Events made, encoded and written to files.
func BenchmarkJSONLines(b *testing.B) {
	dir := b.TempDir()
	n := simulator.New(simulator.Config{Seed: 2, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}.ForRate(1e6))
	events := 0
	for b.Loop() {
		files, err := sink.OpenJSONLines(dir)
		if err != nil {
			b.Fatal(err)
		}
		step := n.Step()
		if err := errors.Join(files.Write(step), files.Close(), os.RemoveAll(dir)); err != nil {
			b.Fatal(err)
		}
		events += len(step)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
