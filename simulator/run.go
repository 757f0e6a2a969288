package simulator

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/stationflow/stationflow/internal/pause"
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
	// MinRate is the lowest rate, an event in 17 minutes.
	MinRate = 0.001
	// sliceInterval is how often events are written at a rate.
	sliceInterval = 20 * time.Millisecond
	// mostBacklog is how much of a sink's pause a run with a rate makes up for.
	mostBacklog = time.Second
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
	_ = pause.For(ctx, d)
}

// A RunConfig says how fast and how long a network runs.
type RunConfig struct {
	Network *Network
	// Speed divides StepInterval; it must be at least MinSpeed.
	Speed float64
	// Rate, where not 0, is how many events a second are written, whatever the
	// Speed. They flow evenly: a step is written in slices, for which
	// Config.ForRate makes it large enough.
	Rate float64
	// Faults, where set, spoils the events.
	Faults *Faults
	// CatchUp is the simulated moment before which steps follow each other
	// without pause.
	CatchUp time.Time
	// Today keeps the network on the clock's current date once it has caught
	// up: when its day is over, or the clock's, it begins the clock's day, with
	// other trains. So it always has something to tell of today.
	Today bool
	// Steps and For end the run after so many steps, or so much wall-clock
	// time; 0 is no limit.
	Steps int
	For   time.Duration
	// Clock and Log are required.
	Clock Clock
	Log   *slog.Logger
	// Progress, where set, is called after each write, by the goroutine that
	// called Run.
	Progress func(Progress)
}

// Run plays the network's steps into the sink until ctx is done or a limit of
// the config is reached, which is not an error, or until the sink fails. Without a
// Rate it finishes the step it is in, so that every step is written whole or,
// after an error, was the last. No event is written more than MaxLead before
// its time: a network that gets there waits for the wall clock.
//
// Run returns what was written. The network and the faults are its own until
// then, and may be a step or two ahead of that. After a crash a new network
// with the same Config, and new Faults with the same arguments, emit the same
// records again.
func Run(ctx context.Context, config RunConfig, sink Sink) (Progress, error) {
	if !(config.Speed >= MinSpeed) {
		return Progress{}, fmt.Errorf("the speed is %v: it must be at least %v", config.Speed, MinSpeed)
	}
	if config.Rate != 0 && !(config.Rate >= MinRate) {
		return Progress{}, fmt.Errorf("the rate is %v: it must be at least %v", config.Rate, MinRate)
	}
	r := &runner{RunConfig: config, sink: sink, begun: config.Clock.Now()}
	r.due = r.begun
	r.done = Progress{Simulated: r.Network.Now(), Events: map[string]int{}, Faults: map[TopicFault]int{}}
	next, stop := r.play, func() {}
	if r.Rate > 0 {
		next, stop = r.playAhead()
	}
	defer stop()
	for r.Steps == 0 || r.done.Steps < r.Steps {
		s := next()
		if !r.turn(ctx, s.begin) {
			break
		}
		whole, err := r.write(ctx, s)
		if err != nil {
			return r.done, err
		}
		if !whole {
			break
		}
	}
	r.done.Elapsed = r.Clock.Now().Sub(r.begun)
	return r.done, nil
}

// A runner paces one run.
type runner struct {
	RunConfig
	sink   Sink
	begun  time.Time
	due    time.Time // when the next paced step, or slice of one, has its turn
	waited bool      // for the wall clock to catch up, and said so
	done   Progress
}

// A step is what happened from begin up to, not including, end.
type step struct {
	begin, end time.Time
	events     []Event
}

func (r *runner) play() step {
	if r.Today && !r.Network.Now().Before(r.CatchUp) {
		r.Network.stayOn(r.Clock.Now())
	}
	s := step{begin: r.Network.Now(), events: r.Network.Step()}
	if r.Faults != nil {
		s.events = r.Faults.Spoil(s.events)
	}
	s.end = r.Network.Now()
	return s
}

// playAhead plays each step while the one before is written. stop must be
// called once no more steps are wanted.
func (r *runner) playAhead() (next func() step, stop func()) {
	steps, enough := make(chan step), make(chan struct{})
	var playing sync.WaitGroup
	playing.Go(func() {
		for {
			select {
			case steps <- r.play():
			case <-enough:
				return
			}
		}
	})
	return func() step { return <-steps }, func() { close(enough); playing.Wait() }
}

// write writes the step, at the rate where there is one. It returns false when
// the run ended within the step.
func (r *runner) write(ctx context.Context, s step) (whole bool, err error) {
	for !whole {
		n, goOn := r.slice(ctx, len(s.events))
		if !goOn {
			return false, nil
		}
		if err := r.sink.Write(s.events[:n]); err != nil {
			return false, fmt.Errorf("writing the step of %s: %w", s.begin.Format(time.RFC3339), err)
		}
		if whole = n == len(s.events); whole {
			r.done.Steps++
			r.done.Simulated = s.end
		}
		r.count(s.events[:n])
		s.events = s.events[n:]
	}
	return true, nil
}

// slice waits until some of the events that are left of a step have their turn
// and returns how many: all of them where there is no rate to keep.
func (r *runner) slice(ctx context.Context, left int) (n int, goOn bool) {
	if r.Rate == 0 {
		return left, true
	}
	now := r.Clock.Now()
	r.due = later(r.due, now.Add(-mostBacklog))
	seconds := max(now.Sub(r.due), sliceInterval).Seconds()
	if !r.waitUntil(ctx, later(r.due, now)) {
		return 0, false
	}
	n = min(max(int(seconds*r.Rate), 1), left)
	r.due = r.due.Add(time.Duration(math.Ceil(float64(n) / r.Rate * 1e9)))
	return n, true
}

// count notes what was written, and tells it.
func (r *runner) count(events []Event) {
	for i := range events {
		r.done.Events[events[i].Topic]++
		if fault := events[i].Fault; fault != "" {
			r.done.Faults[TopicFault{events[i].Topic, fault}]++
		}
	}
	r.done.Elapsed = r.Clock.Now().Sub(r.begun)
	if r.Progress != nil {
		done := r.done
		done.Events, done.Faults = maps.Clone(done.Events), maps.Clone(done.Faults)
		r.Progress(done)
	}
}

// turn waits until the step that begins then has its turn. It returns false
// when the run ends before.
func (r *runner) turn(ctx context.Context, step time.Time) bool {
	now := r.Clock.Now()
	at := now
	if r.Rate == 0 && !step.Before(r.CatchUp) {
		// A sink that was slow for a while is not made up for by a burst.
		at = later(r.due, now)
		r.due = at.Add(time.Duration(float64(StepInterval) / r.Speed))
	}
	if earliest := step.Add(StepLength - MaxLead); earliest.After(at) {
		r.sayAhead(step, earliest)
		at = earliest
	}
	return r.waitUntil(ctx, at)
}

// waitUntil returns false when the run ends before that moment.
func (r *runner) waitUntil(ctx context.Context, at time.Time) bool {
	now, ends := r.Clock.Now(), false
	if end := r.begun.Add(r.For); r.For > 0 && !at.Before(end) {
		at, ends = end, true
	}
	if at.After(now) {
		r.Clock.Wait(ctx, at.Sub(now))
	}
	return !ends && ctx.Err() == nil
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
