package simulator

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// A Plan is a network: its stations in the order in which they lie on the
// line, and when they are open.
type Plan struct {
	Stations []Station
	Hours    Hours
	Story    Story
}

// A Station is one of a Plan.
type Station struct {
	Name string
	// Docks are counted from 1. One serves each direction, as far as they go,
	// and the last is kept for trains that come too late for theirs.
	Docks int64
	// Traffic multiplies the passengers; 1 is 20 a train and 50 in peak hours.
	Traffic float64
}

// Bounds of a Plan. Passengers are drawn by a method that takes means up to
// 700, and an event may be no more than a day ahead of its record.
const (
	mostStations  = 1000
	mostDocks     = 100
	mostTraffic   = 10
	mostNameBytes = 200
	lastClosing   = 23*time.Hour + 55*time.Minute
)

// orDefault returns the plan, with defaults for what is zero.
func (p Plan) orDefault() Plan {
	if len(p.Stations) == 0 {
		for _, name := range []string{"Station A", "Station B", "Station C", "Station D"} {
			p.Stations = append(p.Stations, Station{Name: name, Docks: 5, Traffic: 1})
		}
	}
	if p.Hours == (Hours{}) {
		p.Hours = defaultHours()
	}
	return p
}

// ReadPlan reads a plan from YAML or JSON: an object with stations, a list of
// objects with name, docks (5 unless given) and traffic (1 unless given), and
// with opens and closes, times of day as "06:00" (06:00 and 22:55 unless
// given). The error has all faults, a sentence each.
func ReadPlan(text []byte) (Plan, error) {
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return Plan{}, fmt.Errorf("is neither YAML nor JSON with an object: %s", first)
	}
	r := planReader{}
	hours := defaultHours()
	plan := Plan{Hours: Hours{
		Opens:  r.timeOfDay(file, "opens", hours.Opens),
		Closes: r.timeOfDay(file, "closes", hours.Closes),
	}}
	if plan.Hours.Closes <= plan.Hours.Opens {
		r.fault("closes must be later than opens, on the same day")
	}
	r.refuseOthers("the file", file, "stations", "opens", "closes")
	plan.Stations = r.stations(file["stations"])
	return plan, errors.Join(r.faults...)
}

// A planReader collects what is wrong with a plan.
type planReader struct{ faults []error }

func (r *planReader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

func (r *planReader) stations(value any) []Station {
	list, _ := value.([]any)
	if len(list) == 0 || len(list) > mostStations {
		r.fault("stations must be a list of 1 to %d stations, such as [{name: North Gate}]", mostStations)
		return nil
	}
	stations := make([]Station, len(list))
	named := map[string]int{}
	for i, value := range list {
		stations[i] = r.station(fmt.Sprintf("station %d", i+1), value)
		name := stations[i].Name
		if before, double := named[name]; double && name != "" {
			r.fault("stations %d and %d are both named %q: give each a name of its own", before, i+1, name)
		}
		named[name] = i + 1
	}
	return stations
}

func (r *planReader) station(place string, value any) Station {
	fields, ok := value.(map[string]any)
	if !ok {
		r.fault("%s must be an object, such as {name: North Gate, docks: 5, traffic: 1.5}", place)
		return Station{}
	}
	name, _ := fields["name"].(string)
	if name = strings.TrimSpace(name); name == "" || len(name) > mostNameBytes {
		r.fault("%s needs a name, a text of 1 to %d bytes", place, mostNameBytes)
		name = ""
	}
	docks := r.number(fields, "docks", 5)
	if docks != math.Trunc(docks) || !(docks >= 1 && docks <= mostDocks) {
		r.fault("%s: docks must be a whole number from 1 to %d", place, mostDocks)
	}
	traffic := r.number(fields, "traffic", 1)
	if !(traffic > 0 && traffic <= mostTraffic) {
		r.fault("%s: traffic must be more than 0 and at most %d; 1 is 20 passengers a train", place, mostTraffic)
	}
	r.refuseOthers(place, fields, "name", "docks", "traffic")
	return Station{Name: name, Docks: int64(docks), Traffic: traffic}
}

// number returns a number of the object, NaN for what is none.
func (r *planReader) number(fields map[string]any, name string, fallback float64) float64 {
	value, given := fields[name]
	if !given {
		return fallback
	}
	switch n := value.(type) {
	case uint64:
		return float64(n)
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return math.NaN()
}

func (r *planReader) timeOfDay(fields map[string]any, name string, fallback time.Duration) time.Duration {
	value, given := fields[name]
	if !given {
		return fallback
	}
	text, _ := value.(string)
	at, err := time.Parse("15:04", text)
	ofDay := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	if err != nil || ofDay%StepLength != 0 || ofDay > lastClosing {
		r.fault(`%s must be a time of day from "00:00" to "23:55", in quotes, at a multiple of five minutes`, name)
		return fallback
	}
	return ofDay
}

func (r *planReader) refuseOthers(place string, fields map[string]any, known ...string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			r.fault("%s has a field %q, which means nothing: take it out, known are %s", place, name,
				strings.Join(known, ", "))
		}
	}
}
