package repo_test

import (
	"os"
	"strings"
	"testing"
)

// A further topic is a struct, an entry in the list of topics, a source in the
// simulator and the dbt models that one wants of it: in a copy of the
// repository nothing else is written by hand, all is derived and tested, and
// the local system carries its events to a mart.
//
// It builds the copy, which takes a minute or two: make topic runs it.
func TestTopic_TouchesWhatItIsAbout(t *testing.T) {
	if os.Getenv("STATIONFLOW_TOPIC") == "" {
		t.Skip("make topic adds a topic to a copy of the repository")
	}
	c := newRepositoryCopy(t)
	c.overlay("testdata/topic")
	c.insert("event/topics.go", "var all = []Kind{\n", `	{Topic: "lift_trips", Description: "A ride of a station's lift.", Event: LiftTrip{}, Cluster: "station",
		Singular: "lift_trip", Plural: "Lift trips", Moment: "left_at"},
`)
	c.insert("simulator/simulator.go", "		n.runTimetable(s)\n", "		n.lifts(s)\n")
	for _, name := range c.changed() {
		if top, _, _ := strings.Cut(name, "/"); top != "event" && top != "simulator" && !strings.HasPrefix(name, "dbt/models/") {
			t.Errorf("%s had to be changed", name)
		}
	}

	c.run(".", "make", "generate")
	for _, folder := range c.golden("event", "simulator", "functions", "internal") {
		c.run(".", "go", "test", "./"+folder, "-update")
	}
	c.run(".", "go", "vet", "./...")
	c.run(".", "go", "test", "./...")
	c.run("local", "go", "test", "./repo", "./simulatortest", "./deploytest")
	c.run("local", "go", "build", "-o", "../bin/stationflow", "./cmd/stationflow")
	c.running("bin/stationflow", []string{"--simulate"}, func(s *runningCopy) {
		s.await("select count(*) from prod_data.lift_trips_daily where trips > 0", 1)
	})
}
