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
// same seed and time zone a network that begins at Begun and is played to
// Reached goes on as if it had never stopped, ids and trains under way
// included.
type simulation struct {
	Begun   time.Time `json:"begun"`   // the first simulated moment
	Reached time.Time `json:"reached"` // where the next step to be sent begins

	file string
}

// readSimulation reads how far the folder's stations have come; in a folder
// without any they begin at the time given.
func readSimulation(folder string, begin time.Time) (*simulation, error) {
	s := &simulation{file: filepath.Join(folder, "simulation.json")}
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		s.Begun, s.Reached = begin, begin
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, s)
	}
	if err == nil && (s.Begun.IsZero() || s.Reached.Before(s.Begun)) {
		err = fmt.Errorf("it says that the stations began at %v and reached %v", s.Begun, s.Reached)
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far the simulated stations have come: %w: delete %s to send yesterday anew", err, s.file)
	}
	return s, nil
}

// network returns the stations as they were when they stopped. Days before
// earliest, when nobody ran them, are not made up for.
func (s *simulation) network(config simulator.Config, earliest time.Time) *simulator.Network {
	config.Start = s.Begun
	network := simulator.New(config)
	for network.Now().Before(s.Reached) || network.Now().Before(earliest) {
		network.Step()
	}
	return network
}

// note keeps that everything before reached is sent, or about to be.
func (s *simulation) note(reached time.Time) error {
	s.Reached = reached
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

// A notedSink notes each step before it is written: after a crash the rest of
// the step under way is missing, but no event is ever sent twice.
type notedSink struct {
	simulator.Sink
	network    *simulator.Network // has played the step that is written, and no more: the run has no rate
	simulation *simulation
}

func (s notedSink) Write(events []simulator.Event) error {
	if err := s.simulation.note(s.network.Now()); err != nil {
		return err
	}
	return s.Sink.Write(events)
}
