package simulator_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

// A journal notes when it got which step.
type journal struct {
	steps []written
	fail  int           // the step that fails, from 1
	slow  time.Duration // what a write takes
	check func(events []simulator.Event)
}

type written struct {
	at     time.Duration // since the first write
	events []simulator.Event
}

var errFull = errors.New("the disk is full")

func (j *journal) write(begun time.Time, events []simulator.Event) error {
	if len(j.steps)+1 == j.fail {
		return errFull
	}
	j.steps = append(j.steps, written{time.Since(begun), events})
	if j.check != nil {
		j.check(events)
	}
	time.Sleep(j.slow)
	return nil
}

// a sink by a function.
type sinkFunc func(events []simulator.Event) error

func (f sinkFunc) Write(events []simulator.Event) error { return f(events) }

// The clock of a synctest bubble begins here.
var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// play runs a network from the opening of the bubble's first day.
func (j *journal) play(ctx context.Context, config simulator.RunConfig) (simulator.Progress, string, error) {
	var log bytes.Buffer
	config.Log = slog.New(slog.NewTextHandler(&log, nil))
	config.Clock = simulator.WallClock{}
	if config.Network == nil {
		config.Network = simulator.New(simulator.Config{Seed: 1, Start: bubble})
	}
	begun := time.Now()
	done, err := simulator.Run(ctx, config, sinkFunc(func(events []simulator.Event) error { return j.write(begun, events) }))
	return done, log.String(), err
}

func TestRun_PacesSteps(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		speed float64
		slow  time.Duration
		want  []time.Duration
	}{
		{"at speed 1", 1, 0, []time.Duration{0, 180 * time.Second, 360 * time.Second}},
		{"at speed 60", 60, 0, []time.Duration{0, 3 * time.Second, 6 * time.Second}},
		{"at speed 0.5", 0.5, 0, []time.Duration{0, 360 * time.Second, 720 * time.Second}},
		{"a write takes part of the interval", 60, 2 * time.Second, []time.Duration{0, 3 * time.Second, 6 * time.Second}},
		{"a write takes longer than the interval", 60, 5 * time.Second, []time.Duration{0, 5 * time.Second, 10 * time.Second}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{slow: row.slow}
				done, _, err := j.play(t.Context(), simulator.RunConfig{Speed: row.speed, Steps: len(row.want)})
				if err != nil || done.Steps != len(row.want) || len(j.steps) != len(row.want) {
					t.Fatalf("ended with %v and %v", done, err)
				}
				for i, want := range row.want {
					if j.steps[i].at != want {
						t.Errorf("step %d came after %v, want %v", i, j.steps[i].at, want)
					}
				}
			})
		})
	}
}

// A pause in the middle is not made up for by a burst.
func TestRun_NoBurstAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		j.check = func([]simulator.Event) {
			if len(j.steps) == 2 {
				time.Sleep(time.Minute)
			}
		}
		if _, _, err := j.play(t.Context(), simulator.RunConfig{Speed: 60, Steps: 4}); err != nil {
			t.Fatal(err)
		}
		for i, want := range []time.Duration{0, 3 * time.Second, 63 * time.Second, 66 * time.Second} {
			if j.steps[i].at != want {
				t.Errorf("step %d came after %v, want %v", i, j.steps[i].at, want)
			}
		}
	})
}

func TestRun_CatchesUpAndPassesTheNightAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		_, _, err := j.play(t.Context(), simulator.RunConfig{
			Network: simulator.New(simulator.Config{Seed: 1, Start: bubble.AddDate(0, 0, -3)}),
			Speed:   60,
			CatchUp: bubble.AddDate(0, 0, -1).Add(22*time.Hour + 45*time.Minute),
			Steps:   3*203 + 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		// All steps before 22:45 of the last day, the one at 22:45, then paced
		// the one at 22:50 and, over the night, the one at 06:00.
		last := len(j.steps) - 1
		for i, want := range map[int]time.Duration{0: 0, 400: 0, last - 2: 0, last - 1: 3 * time.Second, last: 6 * time.Second} {
			if j.steps[i].at != want {
				t.Errorf("step %d came after %v, want %v", i, j.steps[i].at, want)
			}
		}
	})
}

// However fast, no event is written more than 23 hours before its time.
func TestRun_StaysWithinADayOfTheWallClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		most := time.Duration(0)
		j := &journal{}
		j.check = func(events []simulator.Event) {
			for _, e := range events {
				most = max(most, time.Until(e.Time))
			}
			if most > simulator.MaxLead {
				cancel()
			}
		}
		done, log, err := j.play(ctx, simulator.RunConfig{Speed: 1e6, For: 72 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if most > simulator.MaxLead || most < simulator.MaxLead-time.Hour {
			t.Errorf("an event was written %v before its time", most)
		}
		// 72 hours and 23 more: to 23:00 on the fourth day, all of its steps.
		if want := 4 * 203; done.Steps != want {
			t.Errorf("%d steps, want %d", done.Steps, want)
		}
		if said := strings.Count(log, "ahead of the wall clock"); said != 1 {
			t.Errorf("said %d times that it waits: %s", said, log)
		}
	})
}

func TestRun_Ends(t *testing.T) {
	t.Parallel()
	t.Run("after a number of steps", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			done, _, err := new(journal).play(t.Context(), simulator.RunConfig{Speed: 60, Steps: 5})
			if err != nil || done.Steps != 5 || !done.Simulated.Equal(bubble.Add(6*time.Hour+25*time.Minute)) {
				t.Errorf("ended with %v and %v", done, err)
			}
		})
	})
	t.Run("after a duration", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			done, _, err := new(journal).play(t.Context(), simulator.RunConfig{Speed: 60, For: 10 * time.Second})
			if took := time.Since(begun); err != nil || done.Steps != 4 || took != 10*time.Second {
				t.Errorf("ended with %v and %v after %v", done, err, took)
			}
		})
	})
	t.Run("when interrupted while it waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Second)
			defer cancel()
			begun := time.Now()
			done, _, err := new(journal).play(ctx, simulator.RunConfig{Speed: 1})
			if took := time.Since(begun); err != nil || done.Steps != 2 || took != 200*time.Second {
				t.Errorf("ended with %v and %v after %v", done, err, took)
			}
		})
	})
	t.Run("when interrupted while it catches up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			j := &journal{}
			j.check = func([]simulator.Event) {
				if len(j.steps) == 7 {
					cancel()
				}
			}
			done, _, err := j.play(ctx, simulator.RunConfig{Speed: 1, CatchUp: bubble.AddDate(0, 0, 1)})
			if err != nil || done.Steps != 7 || len(j.steps) != 7 {
				t.Errorf("ended with %v and %v", done, err)
			}
		})
	})
	t.Run("when a write fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			done, _, err := (&journal{fail: 3}).play(t.Context(), simulator.RunConfig{Speed: 60})
			if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "2000-01-01T06:10:00Z") || done.Steps != 2 {
				t.Errorf("ended with %v and %v", done, err)
			}
		})
	})
}

func TestRun_CountsWhatItWrote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		var reported []simulator.Progress
		done, _, err := j.play(t.Context(), simulator.RunConfig{Speed: 60, Steps: 30,
			Progress: func(p simulator.Progress) { reported = append(reported, p) }})
		if err != nil || len(reported) != 30 {
			t.Fatalf("reported %d steps, ended with %v", len(reported), err)
		}
		events := map[string]int{}
		for i, step := range j.steps {
			for _, e := range step.events {
				events[e.Topic]++
			}
			if reported[i].Steps != i+1 || reported[i].Events["train_arrivals"] != events["train_arrivals"] {
				t.Errorf("after step %d: %v", i, reported[i])
			}
		}
		if got, want := done.String(), reported[29].String(); got != want {
			t.Errorf("returned %s, reported last %s", got, want)
		}
	})
}

func TestRun_RefusesSpeeds(t *testing.T) {
	t.Parallel()
	for _, speed := range []float64{0, -1, 1e-9} {
		if _, _, err := new(journal).play(t.Context(), simulator.RunConfig{Speed: speed, Steps: 1}); err == nil {
			t.Errorf("a speed of %v is taken", speed)
		}
	}
}

// A network that stays on today has something to tell of the clock's date all
// day, whatever the pace, and of the next date from midnight on. It tells
// nothing twice and nothing that is absurdly far ahead.
func TestRun_StaysOnToday(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const interval = 30 * time.Second // of steps at speed 6: a simulated day takes 102 minutes
		days, told := map[string]int{}, map[string]bool{}
		j := &journal{}
		j.check = func(events []simulator.Event) {
			for _, e := range events {
				day, earliest := e.Time.Format(time.DateOnly), time.Now().Add(-interval)
				if len(j.steps) > 203 && day != time.Now().Format(time.DateOnly) && day != earliest.Format(time.DateOnly) {
					t.Fatalf("at %v an event is of %v", time.Now(), e.Time)
				}
				if time.Until(e.Time) > simulator.MaxLead {
					t.Fatalf("at %v an event is of %v, far ahead", time.Now(), e.Time)
				}
				if told[e.Topic+e.Key] {
					t.Fatalf("%s %s is told twice", e.Topic, e.Key)
				}
				told[e.Topic+e.Key] = true
				days[day]++
			}
		}
		_, log, err := j.play(t.Context(), simulator.RunConfig{
			Network: simulator.New(simulator.Config{Seed: 1, Start: bubble.AddDate(0, 0, -1)}), CatchUp: bubble,
			Speed: 6, Today: true, For: 30 * time.Hour,
		})
		if err != nil || log != "" {
			t.Fatalf("ended with %v and %q", err, log)
		}
		for i := 204; i < len(j.steps); i++ {
			if pause := j.steps[i].at - j.steps[i-1].at; pause != interval {
				t.Fatalf("step %d came %v after the one before, want %v", i, pause, interval)
			}
		}
		if yesterday := days["1999-12-31"]; len(days) != 3 || days["2000-01-01"] < 10*yesterday || days["2000-01-02"] < 2*yesterday {
			t.Errorf("events by day: %v, want one day of yesterday, and of the others in proportion", days)
		}
	})
}
