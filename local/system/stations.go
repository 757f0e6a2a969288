package system

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// stations are the simulated stations of a demo: yesterday at once, and then
// today from the opening on at the chosen pace, over and over until it is
// tomorrow. In a folder that is kept they go on where they stopped.
type stations struct {
	produced atomic.Int64 // records that Kafka has acknowledged
	caughtUp chan struct{}
	stop     context.CancelFunc
	done     chan struct{} // closed when the stations have ended
	err      error         // why, once done is closed
}

// A stationClock is what time it is for simulated stations.
type stationClock struct {
	at   atomic.Pointer[time.Time] // how far they have come; nil without them
	laps atomic.Int64              // how often they have played today to its end
}

// moment is what time it is in the network. A day that has just been played to
// its end is not over before it begins again.
func (c *stationClock) moment(location *time.Location) view.Moment {
	now := time.Now().In(location)
	at := c.at.Load()
	if at == nil {
		return view.Moment{At: now}
	}
	midnight := midnightAfter(now)
	if !at.Before(midnight) {
		return view.Moment{At: midnight.Add(-time.Second), Simulated: true, Over: true, Again: c.laps.Load() > 1}
	}
	return view.Moment{At: *at, Simulated: true, Over: c.laps.Load() > 0, Again: c.laps.Load() > 0}
}

// startStations begins to simulate into Kafka, and has clock tell the simulated
// time. caughtUp is closed when everything before today is written.
func startStations(ctx context.Context, o Options, folder string, getenv func(string) string, location *time.Location, clock *stationClock, tracer *tracing.Tracer, log *slog.Logger) (*stations, error) {
	r := env.NewReader(getenv)
	config := kafka.FromEnv(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	year, month, day := time.Now().In(location).Date()
	today := time.Date(year, month, day, 0, 0, 0, 0, location)
	yesterday := today.AddDate(0, 0, -1)
	simulation, err := readSimulation(folder, yesterday)
	if err != nil {
		return nil, err
	}
	plan := simulator.Demo(simulation.Laps[0].Begun.In(location).AddDate(0, 0, 1))
	network := simulation.network(simulator.Config{Seed: o.Seed, Location: location, Plan: plan}, yesterday)
	running, started, stop := outlive(ctx)
	events, err := sink.OpenKafka(running, config)
	if err != nil {
		stop()
		return nil, err
	}
	started()
	events.Patience = 24 * time.Hour // the page says what is missing
	events.Tracer = tracer

	s := &stations{caughtUp: make(chan struct{}), stop: stop, done: make(chan struct{})}
	run := simulator.RunConfig{
		Network: network,
		Speed:   o.Speed,
		CatchUp: today,
		Today:   true,
		Clock:   simulator.WallClock{},
		Log:     log,
		Progress: func(p simulator.Progress) {
			s.produced.Store(int64(p.Total()))
			clock.laps.Store(int64(simulation.over(midnightAfter(time.Now().In(location)))))
			clock.at.Store(&p.Simulated)
			if !p.Simulated.Before(today) {
				s.catchUp()
			}
		},
	}
	clock.at.Store(new(network.Now()))
	if !network.Now().Before(today) {
		s.catchUp()
	}
	go func() {
		_, err := simulator.Run(running, run, notedSink{events, network, simulation})
		s.err = errors.Join(err, events.Close())
		s.catchUp()
		close(s.done)
	}()
	return s, nil
}

// midnightAfter ends a moment's local date.
func midnightAfter(at time.Time) time.Time {
	year, month, day := at.Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, at.Location())
}

// catchUp closes caughtUp; once the simulator's goroutine runs, only that calls
// it.
func (s *stations) catchUp() {
	select {
	case <-s.caughtUp:
	default:
		close(s.caughtUp)
	}
}

// Close ends the simulation after the step it is in.
func (s *stations) Close() error {
	s.stop()
	<-s.done
	return s.err
}
