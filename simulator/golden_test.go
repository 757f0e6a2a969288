package simulator_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

var update = flag.Bool("update", false, "write the golden files again")

// A Sunday, at the first opening of the day.
func sunday(location *time.Location) time.Time {
	return time.Date(2026, 11, 22, 6, 0, 0, 0, location)
}

func paris(t *testing.T) *time.Location {
	t.Helper()
	location, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// lines returns topic, key and value of each event, an event a line.
func lines(events []simulator.Event) []byte {
	var b []byte
	for i := range events {
		e := &events[i]
		b = append(append(append(b, e.Topic...), ' '), e.Key...)
		b = append(append(append(b, ' '), e.Value...), '\n')
	}
	return b
}

// steps plays so many days.
func steps(n *simulator.Network, count int) iter.Seq[[]simulator.Event] {
	return func(yield func([]simulator.Event) bool) {
		for end := n.Now().AddDate(0, 0, count); n.Now().Before(end) && yield(n.Step()); {
		}
	}
}

// days returns the events of so many days, step by step.
func days(n *simulator.Network, count int) [][]simulator.Event {
	return slices.Collect(steps(n, count))
}

// countDays returns how many events of each topic so many days have.
func countDays(n *simulator.Network, count int) map[string]int {
	events := map[string]int{}
	for step := range steps(n, count) {
		for i := range step {
			events[step[i].Topic]++
		}
	}
	return events
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s; if that is meant: go test ./simulator -update\n%s", path, got)
	}
}

func TestStep_FirstStepIsGolden(t *testing.T) {
	n := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC)})
	checkGolden(t, "first_step.txt", lines(n.Step()))
	n = simulator.New(simulator.Config{Seed: 1, Start: sunday(paris(t)).Add(2 * time.Hour), Location: paris(t)})
	checkGolden(t, "first_step_paris.txt", lines(n.Step()))
}

func TestStep_DayIsGolden(t *testing.T) {
	n := simulator.New(simulator.Config{Seed: 1, Start: sunday(paris(t)), Location: paris(t)})
	day := lines(slices.Concat(days(n, 1)...))
	checkGolden(t, "day.sha256", fmt.Appendf(nil, "%x\n", sha256.Sum256(day)))
}

func TestStep_SeedDecidesEveryByte(t *testing.T) {
	day := func(seed uint64) []byte {
		return lines(slices.Concat(days(simulator.New(simulator.Config{Seed: seed, Start: sunday(time.UTC)}), 1)...))
	}
	if !bytes.Equal(day(7), day(7)) {
		t.Error("the same seed gave different bytes")
	}
	if bytes.Equal(day(7), day(8)) {
		t.Error("different seeds gave the same bytes")
	}
}

// What a caller keeps of one step must not change with the next.
func TestStep_EventsStayAsTheyAre(t *testing.T) {
	n := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC)})
	first := n.Step()
	before := lines(first)
	for range 50 {
		n.Step()
	}
	if after := lines(first); !bytes.Equal(before, after) {
		t.Errorf("the first step's events changed to\n%s", after)
	}
}
