// Package sink has the places where simulated events go: Kafka, and files.
// A sink's Write returns nil only when every event of the step is there.
// Sinks are not safe for concurrent use.
package sink

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

// JSONLines appends events to files, one per topic, one JSON object per line.
type JSONLines struct {
	files  map[string]*os.File
	buffer []byte
}

// OpenJSONLines opens <dir>/<topic>.jsonl for each topic. It makes dir and the
// files where missing, and keeps what they hold. A last line without an end,
// which a crash can leave, is ended, so that it spoils no other.
func OpenJSONLines(dir string) (*JSONLines, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder for events: %w", err)
	}
	s := &JSONLines{files: map[string]*os.File{}}
	for _, topic := range event.Topics() {
		file, err := openLines(filepath.Join(dir, topic+".jsonl"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening the file for %s: %w", topic, err), s.Close())
		}
		s.files[topic] = file
	}
	return s, nil
}

func openLines(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	if err := endLastLine(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func endLastLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = file.WriteString("\n")
	return err
}

// Write appends the events, with one write per topic. It does not sync the
// files: after a crash of the machine their ends may be missing.
func (s *JSONLines) Write(events []simulator.Event) error {
	for topic, file := range s.files {
		s.buffer = s.buffer[:0]
		for i := range events {
			if events[i].Topic == topic {
				s.buffer = append(append(s.buffer, events[i].Value...), '\n')
			}
		}
		if len(s.buffer) == 0 {
			continue
		}
		if _, err := file.Write(s.buffer); err != nil {
			return fmt.Errorf("appending events: %w", err)
		}
	}
	return nil
}

// Close closes the files.
func (s *JSONLines) Close() error {
	var faults []error
	for _, file := range s.files {
		faults = append(faults, file.Close())
	}
	return errors.Join(faults...)
}
