package dashboard

import (
	"fmt"
	"strings"
	"time"
)

// A Simulation is the time of simulated stations.
type Simulation struct {
	At   time.Time // how far it has come
	Pace float64   // how much faster than the clock it goes
	Laps int       // how often they have played today to its end
}

// status is nil where the events are real.
func (s *Simulation) status(now time.Time) *SimulationStatus {
	if s == nil {
		return nil
	}
	at := s.At.In(now.Location())
	note := "Simulated stations: it is " + at.Format("15:04 on 2 January") + " there. Their time goes " + pace(s.Pace) + "; "
	if s.Laps == 0 {
		note += "when their day is over they play today again, with other trains, and today's figures go on growing."
	} else {
		note += fmt.Sprintf("they play today again, with other trains: today's figures are of %d whole days and a part of one.", s.Laps)
		if s.Laps == 1 {
			note = strings.Replace(note, "1 whole days", "a whole day", 1)
		}
	}
	return &SimulationStatus{At: at, Pace: s.Pace, Laps: s.Laps, Note: note}
}

func pace(pace float64) string {
	if pace == 1 {
		return "as fast as the clock"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", pace), ".0") + " times as fast as the clock"
}
