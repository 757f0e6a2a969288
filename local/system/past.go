package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// historyPause is how long a history waits between two steps: a day's takes
// some ten seconds, so that what happens now is never kept waiting by it.
const historyPause = 50 * time.Millisecond

// A past sends what the stations did on days before yesterday, so that there
// is something to compare today with. It begins when the system is ready and
// sends a day after every second run of the transform: the run after a day has
// much to do, and the next one shows that all is well.
type past struct {
	days    []time.Time // that are left, as local midnights
	network *simulator.Network
	file    string
	sent    []string      // dates that were begun
	pause   time.Duration // between two steps
}

// daysBefore are the local midnights of so many days before yesterday, a week
// ago first, then the latest.
func daysBefore(today time.Time, count int) []time.Time {
	const week = 7
	days := []time.Time{today.AddDate(0, 0, -week)}
	for n := 2; len(days) < count; n++ {
		if n != week {
			days = append(days, today.AddDate(0, 0, -n))
		}
	}
	return days[:min(count, len(days))]
}

// readPast returns the history that a folder still lacks.
func readPast(folder string, days []time.Time, config simulator.Config) (*past, error) {
	p := &past{pause: historyPause, file: filepath.Join(folder, "history.json")}
	text, err := os.ReadFile(p.file)
	if err == nil {
		err = json.Unmarshal(text, &p.sent)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading which days before yesterday the simulated stations have sent: %w: delete %s to send them again", err, p.file)
	}
	for _, day := range days {
		if !slices.Contains(p.sent, day.Format(time.DateOnly)) {
			p.days = append(p.days, day)
		}
	}
	if len(p.days) > 0 {
		config.Start = p.days[0]
		p.network = simulator.New(config)
	}
	return p, nil
}

// send sends one day. After a crash the rest of it is missing, but no event is
// ever sent twice.
func (p *past) send(ctx context.Context, day time.Time, to simulator.Sink) error {
	p.sent = append(p.sent, day.Format(time.DateOnly))
	text, err := json.Marshal(p.sent)
	if err == nil {
		err = os.WriteFile(p.file, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("noting a day before yesterday: %w", err)
	}
	p.network.Begin(day)
	for end := day.AddDate(0, 0, 1); p.network.Now().Before(end); {
		if err := to.Write(p.network.Step()); err != nil {
			return fmt.Errorf("sending %s of the simulated stations: %w", day.Format(time.DateOnly), err)
		}
		if err := pause.For(ctx, p.pause); err != nil {
			return fmt.Errorf("sending %s of the simulated stations: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// startHistory sends the history in the background, a day at every second signal.
func (s *System) startHistory(context.Context) error {
	r := env.NewReader(s.getenv)
	config := kafka.FromEnv(r)
	if err := r.Err(); err != nil {
		return err
	}
	now := time.Now().In(s.location)
	today := midnightAfter(now).AddDate(0, 0, -1)
	begun, err := readSimulation(s.folder, today.AddDate(0, 0, -1))
	if err != nil {
		return err
	}
	first := begun.Laps[0].Begun.In(s.location)
	days := slices.DeleteFunc(daysBefore(today, s.options.History), func(day time.Time) bool { return !day.Before(first) })
	p, err := readPast(s.folder, days, simulator.Config{Seed: s.options.Seed + 1, Location: s.location, Plan: simulator.Demo(first.AddDate(0, 0, 1))})
	if err != nil || len(p.days) == 0 {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	events, err := sink.OpenKafka(ctx, config)
	if err != nil {
		stop()
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i, day := range p.days {
			for range min(i, 1) + 1 { // the first one at once
				select {
				case <-s.transformedAgain:
				case <-ctx.Done():
					return
				}
			}
			if err := p.send(ctx, day, events); err != nil && ctx.Err() == nil {
				s.log.Warn("the days before yesterday are not all there", "error", err.Error())
				return
			}
		}
	}()
	s.started("history", func(context.Context) error {
		stop()
		<-ended
		return events.Close()
	})
	return nil
}
