package simulator

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
)

const (
	// StepInterval is the wall-clock time of one step at speed 1.
	StepInterval = 180 * time.Second
	// MinSpeed is the slowest a run can be: a step takes two days.
	MinSpeed = 0.001
	// MaxLead is how far the events may be ahead of the wall clock. Ingest
	// refuses as absurd what is more than a day ahead; an hour is kept for
	// clocks that differ.
	MaxLead = 23 * time.Hour
)

// A Sink takes the events of one step at a time. When Write returns nil they
// are all where they belong; after an error some of them may be.
type Sink interface {
	Write(events []Event) error
}

// A Clock tells the wall-clock time and lets it pass.
type Clock interface {
	Now() time.Time
	// Wait returns when d has passed or ctx is done.
	Wait(ctx context.Context, d time.Duration)
}

// WallClock is the machine's clock.
type WallClock struct{}

// Now returns the current time.
func (WallClock) Now() time.Time { return time.Now() }

// Wait returns when d has passed or ctx is done.
func (WallClock) Wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A RunConfig says how fast and how long a network runs.
type RunConfig struct {
	Network *Network
	// Speed divides StepInterval; it must be at least MinSpeed.
	Speed float64
	// CatchUp is the simulated moment before which steps follow each other
	// without pause.
	CatchUp time.Time
	// Steps and For end the run after so many steps, or so much wall-clock
	// time; 0 is no limit.
	Steps int
	For   time.Duration
	// Clock and Log are required.
	Clock Clock
	Log   *slog.Logger
	// Progress, where set, is called after each step, by the goroutine that
	// called Run.
	Progress func(Progress)
}

// Progress is what a run has written so far.
type Progress struct {
	Simulated time.Time // where the next step begins
	Steps     int
	Events    map[string]int // by topic
}

// Total returns the number of events of all topics.
func (p Progress) Total() int {
	total := 0
	for _, count := range p.Events {
		total += count
	}
	return total
}

// String sums the progress up in one line.
func (p Progress) String() string {
	counts := make([]string, 0, len(event.Topics()))
	for _, topic := range event.Topics() {
		counts = append(counts, fmt.Sprintf("%s %d", topic, p.Events[topic]))
	}
	return fmt.Sprintf("simulated %s, %d steps, %d events (%s)",
		p.Simulated.Format("2006-01-02 15:04"), p.Steps, p.Total(), strings.Join(counts, ", "))
}

// Run plays the network's steps into the sink until ctx is done or a limit of
// the config is reached, which is no error, or until the sink fails. It
// finishes the step it is in, so that every step is written whole or, after an
// error, was the last. No event is written more than MaxLead before its time:
// a network that gets there waits for the wall clock.
//
// Run returns what was written. After a crash a new network with the same
// Seed and Start emits the same events again.
func Run(ctx context.Context, config RunConfig, sink Sink) (Progress, error) {
	if !(config.Speed >= MinSpeed) {
		return Progress{}, fmt.Errorf("the speed is %v: it must be at least %v", config.Speed, MinSpeed)
	}
	r := &runner{RunConfig: config, begun: config.Clock.Now()}
	r.due = r.begun
	done := Progress{Simulated: r.Network.Now(), Events: map[string]int{}}
	for (r.Steps == 0 || done.Steps < r.Steps) && r.turn(ctx) {
		from := r.Network.Now()
		events := r.Network.Step()
		if err := sink.Write(events); err != nil {
			return done, fmt.Errorf("writing the step of %s: %w", from.Format(time.RFC3339), err)
		}
		for i := range events {
			done.Events[events[i].Topic]++
		}
		done.Steps++
		done.Simulated = r.Network.Now()
		if r.Progress != nil {
			r.Progress(Progress{done.Simulated, done.Steps, maps.Clone(done.Events)})
		}
	}
	return done, nil
}

// A runner paces one run.
type runner struct {
	RunConfig
	begun  time.Time
	due    time.Time // when the next paced step has its turn
	waited bool      // for the wall clock to catch up, and said so
}

// turn waits until the next step has its turn. It returns false when the run
// ends before.
func (r *runner) turn(ctx context.Context) bool {
	step, now := r.Network.Now(), r.Clock.Now()
	at := now
	if !step.Before(r.CatchUp) {
		// A sink that was slow for a while is not made up for by a burst.
		at = later(r.due, now)
		r.due = at.Add(time.Duration(float64(StepInterval) / r.Speed))
	}
	if earliest := step.Add(StepLength - MaxLead); earliest.After(at) {
		r.sayAhead(step, earliest)
		at = earliest
	}
	end := at
	if r.For > 0 {
		end = r.begun.Add(r.For)
	}
	if end.Before(at) {
		r.Clock.Wait(ctx, end.Sub(now))
		return false
	}
	if at.After(now) {
		r.Clock.Wait(ctx, at.Sub(now))
	}
	return ctx.Err() == nil
}

func (r *runner) sayAhead(step, earliest time.Time) {
	if r.waited {
		return
	}
	r.waited = true
	r.Log.Warn("the simulation is ahead of the wall clock by the most that is allowed and now goes on at the wall clock's pace",
		"simulated", step, "most", MaxLead, "next_step_at", earliest)
}

// later returns the later of two moments.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
