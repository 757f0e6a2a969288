package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

// A simulation is how far a folder's simulated stations have come. With the
// same seed and time zone a network that is played through the same laps goes
// on as if it had never stopped, ids and trains under way included.
type simulation struct {
	Laps []lap `json:"laps"` // the last is the present one

	file string
	lap  uint64 // of the network
}

// A lap is what a network played without beginning again.
type lap struct {
	Begun   time.Time `json:"begun"`
	Reached time.Time `json:"reached"` // where the next step begins
	Times   int       `json:"times"`   // that it was played, one after the other
}

// readSimulation reads how far the folder's stations have come; in a folder
// without any they begin at the time given.
func readSimulation(folder string, begin time.Time) (*simulation, error) {
	s := &simulation{file: filepath.Join(folder, "simulation.json")}
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		s.Laps = []lap{{begin, begin, 1}}
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, s)
	}
	if err == nil && len(s.Laps) == 0 {
		err = errors.New("it has no laps")
	}
	for _, one := range s.Laps {
		if one.Begun.IsZero() || one.Reached.Before(one.Begun) || one.Times < 1 {
			err = fmt.Errorf("it says that the stations began at %v and reached %v, %d times", one.Begun, one.Reached, one.Times)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far the simulated stations have come: %w: delete %s to send yesterday again", err, s.file)
	}
	return s, nil
}

// network returns the stations as they were when they stopped. Days before
// earliest, when nobody ran them, are not made up for.
func (s *simulation) network(config simulator.Config, earliest time.Time) *simulator.Network {
	config.Start = s.Laps[0].Begun
	network := simulator.New(config)
	for i, one := range s.Laps {
		for again := range one.Times {
			if i > 0 || again > 0 {
				network.Begin(one.Begun)
			}
			for network.Now().Before(one.Reached) {
				network.Step()
			}
		}
	}
	s.lap, _ = network.Lap()
	if network.Now().Before(earliest) {
		network.Begin(earliest)
	}
	return network
}

// over counts how often the stations have played a day, which ends at that
// midnight, to its end.
func (s *simulation) over(midnight time.Time) (times int) {
	for _, one := range s.Laps {
		if one.Begun.Before(midnight) && !one.Reached.Before(midnight) {
			times += one.Times
		}
	}
	return times
}

// note keeps that everything before the network's next step is sent, or about
// to be.
func (s *simulation) note(network *simulator.Network) error {
	number, begun := network.Lap()
	if number != s.lap {
		s.lap = number
		s.Laps = append(folded(s.Laps), lap{Begun: begun, Times: 1})
	}
	s.Laps[len(s.Laps)-1].Reached = network.Now()
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(s.file+".new", text, 0o644)
	}
	if err == nil {
		err = os.Rename(s.file+".new", s.file)
	}
	if err != nil {
		return fmt.Errorf("noting how far the simulated stations have come: %w", err)
	}
	return nil
}

// folded counts a last lap that is like the one before it with that.
func folded(laps []lap) []lap {
	last := len(laps) - 1
	if last < 1 || !laps[last].Begun.Equal(laps[last-1].Begun) || !laps[last].Reached.Equal(laps[last-1].Reached) {
		return laps
	}
	laps[last-1].Times += laps[last].Times
	return laps[:last]
}

// A notedSink notes each step before it is written: after a crash the rest of
// the step under way is missing, but no event is ever sent twice.
type notedSink struct {
	simulator.Sink
	network    *simulator.Network // has played the step that is written, and no more: the run has no rate
	simulation *simulation
}

func (s notedSink) Write(events []simulator.Event) error {
	if err := s.simulation.note(s.network); err != nil {
		return err
	}
	return s.Sink.Write(events)
}
