package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stationflow/stationflow/simulator"
)

// A report is what a program reads of a run. Its numbers are of records that
// were acknowledged.
type report struct {
	// Exact is false while the run goes on and after one that failed: then
	// there may be more records than the report tells of.
	Exact           bool                       `json:"exact"`
	Seed            uint64                     `json:"seed"`
	Start           time.Time                  `json:"start"`
	Seconds         float64                    `json:"seconds"`
	EventsPerSecond float64                    `json:"events_per_second"`
	Total           simulator.Tally            `json:"total"`
	Topics          map[string]simulator.Tally `json:"topics"`
}

// writeReport writes the report's file, where one is wanted, in one piece: a
// reader sees it whole or not at all.
func writeReport(o options, done simulator.Progress, exact bool) error {
	if o.report == "" {
		return nil
	}
	text, err := json.MarshalIndent(report{
		Exact:           exact,
		Seed:            o.network.Seed,
		Start:           o.network.Start,
		Seconds:         done.Elapsed.Seconds(),
		EventsPerSecond: done.Rate(),
		Total:           done.Tally(),
		Topics:          done.Tallies(),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	if err := replaceFile(o.report, append(text, '\n')); err != nil {
		return fmt.Errorf("writing the report to %s (--report): %w", o.report, err)
	}
	return nil
}

// replaceFile gives the file its new contents in one piece.
func replaceFile(path string, contents []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // it is gone once it is renamed
	_, err = file.Write(contents)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chmod(file.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	return err
}
