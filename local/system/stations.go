package system

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
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

// startStations begins to simulate into Kafka, and has clock tell the simulated
// time. caughtUp is closed when everything before today is written.
func startStations(ctx context.Context, o Options, folder string, getenv func(string) string, location *time.Location, clock *atomic.Pointer[time.Time], log *slog.Logger) (*stations, error) {
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
	network := simulation.network(simulator.Config{Seed: o.Seed, Location: location}, yesterday)
	running, started, stop := outlive(ctx)
	events, err := sink.OpenKafka(running, config)
	if err != nil {
		stop()
		return nil, err
	}
	started()
	events.Patience = 24 * time.Hour // the page says what is missing

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
			clock.Store(&p.Simulated)
			if !p.Simulated.Before(today) {
				s.catchUp()
			}
		},
	}
	clock.Store(new(network.Now()))
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
