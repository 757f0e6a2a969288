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
// today from the opening on at the chosen pace.
type stations struct {
	produced atomic.Int64 // records that Kafka has acknowledged
	caughtUp chan struct{}
	stop     context.CancelFunc
	done     chan struct{} // closed when the stations have ended
	err      error         // why, once done is closed
}

// startStations begins to simulate into Kafka. caughtUp is closed when
// yesterday is written.
func startStations(o Options, getenv func(string) string, location *time.Location, log *slog.Logger) (*stations, error) {
	r := env.NewReader(getenv)
	config := kafka.FromEnv(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	events, err := sink.OpenKafka(config)
	if err != nil {
		return nil, err
	}

	year, month, day := time.Now().In(location).Date()
	today := time.Date(year, month, day, 0, 0, 0, 0, location)
	ctx, stop := context.WithCancel(context.Background())
	s := &stations{caughtUp: make(chan struct{}), stop: stop, done: make(chan struct{})}
	run := simulator.RunConfig{
		Network: simulator.New(simulator.Config{Seed: o.Seed, Start: today.AddDate(0, 0, -1), Location: location}),
		Speed:   o.Speed,
		CatchUp: today,
		Clock:   simulator.WallClock{},
		Log:     log,
		Progress: func(p simulator.Progress) {
			s.produced.Store(int64(p.Total()))
			if !p.Simulated.Before(today) {
				s.catchUp()
			}
		},
	}
	go func() {
		_, err := simulator.Run(ctx, run, events)
		s.err = errors.Join(err, events.Close())
		s.catchUp()
		close(s.done)
	}()
	return s, nil
}

// catchUp closes caughtUp; only the simulator's goroutine calls it.
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
