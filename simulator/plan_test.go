package simulator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/simulator"
)

func TestReadPlan_Example(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "stations.yml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := simulator.ReadPlan(text)
	if err != nil {
		t.Fatal(err)
	}
	want := simulator.Plan{
		Stations: []simulator.Station{{Name: "North Gate", Docks: 8, Traffic: 2.5}, {Name: "Harbour", Docks: 5, Traffic: 1}, {Name: "Old Mill", Docks: 2, Traffic: 0.4}},
		Hours:    simulator.Hours{Opens: 5 * time.Hour, Closes: 23*time.Hour + 30*time.Minute},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadPlan_TakesJSON(t *testing.T) {
	t.Parallel()
	got, err := simulator.ReadPlan([]byte(`{"stations": [{"name": "Gare d'Évry", "docks": 3.0, "traffic": 2}, {"name": "B"}]}`))
	want := []simulator.Station{{Name: "Gare d'Évry", Docks: 3, Traffic: 2}, {Name: "B", Docks: 5, Traffic: 1}}
	if diff := cmp.Diff(want, got.Stations); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// All faults are told at once, each in a line of its own.
func TestReadPlan_Faults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text string
		want []string
	}{
		{"", []string{"stations must be a list"}},
		{"- A\n- B", []string{"neither YAML nor JSON with an object"}},
		{"stations: [", []string{"neither YAML nor JSON with an object"}},
		{"stations: []", []string{"stations must be a list"}},
		{"stations: {name: A}", []string{"stations must be a list"}},
		{"stations: [A]", []string{"station 1 must be an object"}},
		{"stations: [{name: A}, {name: A}]", []string{`stations 1 and 2 are both named "A"`}},
		{"stations: [{name: A, docks: 0, traffic: -1}, {docks: 1.5, trafic: 2}, {name: 5, docks: five, traffic: .nan}]\nopens: 6\ncloses: '25:00'\nhours: 1",
			[]string{"opens must be", "closes must be", `the file has a field "hours"`, "station 1: docks", "station 1: traffic", "station 2 needs a name", "station 2: docks",
				`station 2 has a field "trafic"`, "station 3 needs a name", "station 3: docks", "station 3: traffic"}},
		{"stations: [{name: A}]\nopens: '22:00'\ncloses: '06:00'", []string{"closes must be later than opens"}},
		{"stations: [{name: A}]\nopens: '06:03'", []string{"opens must be"}},
		{"stations: [{name: " + strings.Repeat("A", 201) + "}]", []string{"station 1 needs a name"}},
	} {
		_, err := simulator.ReadPlan([]byte(row.text))
		said := strings.Split(fmt.Sprint(err), "\n")
		if err == nil || len(said) != len(row.want) {
			t.Errorf("%q: %d faults, want %d: %v", row.text, len(said), len(row.want), err)
			continue
		}
		for i, want := range row.want {
			if !strings.Contains(said[i], want) {
				t.Errorf("%q: %q, want %q in it", row.text, said[i], want)
			}
		}
	}
}

// What is read is what is simulated.
func TestPlan_IsSimulated(t *testing.T) {
	t.Parallel()
	plan := simulator.Plan{
		Stations: []simulator.Station{{Name: "Busy", Docks: 9, Traffic: 10}, {Name: "Quiet", Docks: 1, Traffic: 0.1}, {Name: "Three", Docks: 3, Traffic: 1}},
		Hours:    simulator.Hours{Opens: 0, Closes: 23*time.Hour + 55*time.Minute},
	}
	n := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC).Add(-6 * time.Hour), Plan: plan})
	passengers, trains, docks := map[string]int64{}, map[string]int64{}, map[string]map[int64]bool{}
	steps := days(n, 3)
	if want := 3 * 287; len(steps) != want {
		t.Errorf("%d steps, want %d", len(steps), want)
	}
	hours, decode := map[int]bool{}, newDecoders()
	for _, e := range slices.Concat(steps...) {
		row := decode.row(t, e)
		hours[e.Time.Hour()] = true
		if e.Topic == "train_arrivals" {
			station := string(row[1].Text())
			passengers[station] += row[3].Int()
			trains[station]++
			if docks[station] == nil {
				docks[station] = map[int64]bool{}
			}
			docks[station][row[4].Int()] = true
		}
	}
	mean := func(station string) float64 { return float64(passengers[station]) / float64(trains[station]) }
	for station, factor := range map[string]float64{"Busy": 10, "Quiet": 0.1} {
		if ratio := mean(station) / mean("Three"); ratio < 0.9*factor || ratio > 1.1*factor {
			t.Errorf("%s has %.2f times the passengers of Three, want %v", station, ratio, factor)
		}
	}
	want := map[string]map[int64]bool{"Busy": {1: true, 2: true, 3: true, 4: true, 9: true}, "Quiet": {1: true}, "Three": {1: true, 2: true, 3: true}}
	if diff := cmp.Diff(want, docks); diff != "" {
		t.Error(diff)
	}
	if len(hours) != 24 {
		t.Errorf("events in %d hours of the day", len(hours))
	}
}
