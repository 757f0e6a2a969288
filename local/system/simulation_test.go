package system

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/simulator"
)

var sunday = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// A memory keeps what was sent, and breaks at a step, after half of it.
type memory struct {
	sent     []string
	steps    int
	breaksAt int // 0: never
}

func (m *memory) Write(events []simulator.Event) error {
	m.steps++
	broken := m.steps == m.breaksAt
	if broken {
		events = events[:len(events)/2]
	}
	for _, e := range events {
		m.sent = append(m.sent, e.Topic+" "+string(e.Value))
	}
	if broken {
		return errors.New("the process is gone")
	}
	return nil
}

// simulate runs the stations of a folder for so many steps.
func simulate(t *testing.T, folder string, begin, earliest time.Time, steps int, into *memory) {
	t.Helper()
	s, err := readSimulation(folder, begin)
	if err != nil {
		t.Fatal(err)
	}
	network := s.network(simulator.Config{Seed: 1, Location: time.UTC}, earliest)
	into.steps = 0
	_, err = simulator.Run(context.Background(), simulator.RunConfig{
		Network: network, Speed: 1, CatchUp: begin.AddDate(1, 0, 0), Steps: steps, Clock: simulator.WallClock{}, Log: slog.New(slog.DiscardHandler),
	}, notedSink{into, network, s})
	if (err != nil) != (into.breaksAt > 0) {
		t.Fatal(err)
	}
}

// Stations that are stopped and started again, also on a later day, send what
// stations that never stop send.
func TestSimulation_GoesOn(t *testing.T) {
	t.Parallel()
	whole, parts := &memory{}, &memory{}
	simulate(t, t.TempDir(), sunday, sunday, 150, whole)
	folder := t.TempDir()
	simulate(t, folder, sunday, sunday, 70, parts)
	simulate(t, folder, sunday, sunday, 50, parts)
	simulate(t, folder, sunday.AddDate(0, 0, 1), sunday, 30, parts) // begun is what the folder says
	if len(whole.sent) == 0 {
		t.Fatal("nothing was sent")
	}
	if diff := cmp.Diff(whole.sent, parts.sent); diff != "" {
		t.Errorf("stopping changes what is sent (-without +with):\n%s", diff)
	}
}

// After a crash in the middle of a step no event is sent again.
func TestSimulation_NothingTwiceAfterACrash(t *testing.T) {
	t.Parallel()
	folder, whole, got := t.TempDir(), &memory{}, &memory{breaksAt: 20}
	simulate(t, t.TempDir(), sunday, sunday, 60, whole)
	simulate(t, folder, sunday, sunday, 40, got)
	got.breaksAt = 0
	simulate(t, folder, sunday, sunday, 40, got)
	distinct := slices.Compact(slices.Sorted(slices.Values(got.sent)))
	if len(distinct) != len(got.sent) {
		t.Errorf("%d of %d events were sent again", len(got.sent)-len(distinct), len(got.sent))
	}
	if last := len(got.sent) - 1; got.sent[last] != whole.sent[len(whole.sent)-1] {
		t.Errorf("the last event is %s, want %s", got.sent[last], whole.sent[len(whole.sent)-1])
	}
}

// Days on which nobody ran the stations are left out.
func TestSimulation_LongPause(t *testing.T) {
	t.Parallel()
	folder, got := t.TempDir(), &memory{}
	simulate(t, folder, sunday, sunday, 1, got)
	got.sent = nil
	simulate(t, folder, sunday, sunday.AddDate(0, 0, 9), 12, got)
	for _, e := range got.sent {
		if !strings.Contains(e, "2026-03-10T") {
			t.Fatalf("sent %s, want events of March 10 only", e)
		}
	}
	if len(got.sent) == 0 {
		t.Error("nothing was sent")
	}
}

func TestReadSimulation_NamesTheFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"no JSON": "{", "nothing": "{}", "backwards": `{"laps":[{"begun":"2026-03-01T00:00:00Z","reached":"2026-02-28T00:00:00Z","times":1}]}`,
		"never": `{"laps":[{"begun":"2026-03-01T00:00:00Z","reached":"2026-03-01T00:00:00Z"}]}`, "an earlier version's": `{"begun":"2026-02-28T00:00:00Z","reached":"2026-03-01T00:00:00Z"}`} {
		folder := t.TempDir()
		file := filepath.Join(folder, "simulation.json")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readSimulation(folder, sunday); err == nil || !strings.Contains(err.Error(), "delete "+file) {
			t.Errorf("%s: got %v, want a sentence that names %s", name, err, file)
		}
	}
}

// Stations that play a day over and over go on in the lap in which they
// stopped, and what they keep does not grow with the laps.
func TestSimulation_GoesOnInItsLap(t *testing.T) {
	t.Parallel()
	play := func(folder string, steps int, into *memory) {
		s, err := readSimulation(folder, sunday)
		if err != nil {
			t.Fatal(err)
		}
		network := s.network(simulator.Config{Seed: 1, Location: time.UTC}, sunday)
		_, err = simulator.Run(context.Background(), simulator.RunConfig{
			Network: network, Speed: 1e9, CatchUp: sunday.AddDate(0, 0, 1), Today: true, Steps: steps,
			Clock: stopped(sunday.AddDate(0, 0, 1).Add(12 * time.Hour)), Log: slog.New(slog.DiscardHandler),
		}, notedSink{into, network, s})
		if err != nil {
			t.Fatal(err)
		}
	}
	const day = 203 // steps
	whole, parts, folder := &memory{}, &memory{}, t.TempDir()
	play(t.TempDir(), 6*day, whole)
	for range 12 {
		play(folder, day/2, parts)
	}
	play(folder, 6, parts)
	if diff := cmp.Diff(whole.sent, parts.sent); diff != "" {
		t.Errorf("stopping changes what is sent (-without +with):\n%.2000s", diff)
	}
	s, err := readSimulation(folder, sunday)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Laps) > 3 {
		t.Errorf("%d laps are kept after 6 days: %+v", len(s.Laps), s.Laps)
	}
}

// stopped is a clock that shows one time.
type stopped time.Time

func (s stopped) Now() time.Time                    { return time.Time(s) }
func (stopped) Wait(context.Context, time.Duration) {}
