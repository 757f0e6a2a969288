package repo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/built"
)

// What people add most, in a copy of the repository, by the steps that
// CONTRIBUTING.md and docs/deploy.md give; all of its tests pass with it.
//
// A further topic is a struct, an entry in the list of topics, a source in the
// simulator and the dbt models that one wants of it: nothing else is written by
// hand, all is derived, and the local system carries its events to a mart.
//
// A field that producers add lands in extra, becomes a column, is filled from
// extra, and is in a mart, also for the records that came before.
//
// A further rule and a further reason are refused for by the function, told by
// the page of events, caused by the simulator and accepted by dbt's test.
//
// It builds the copy, which takes some minutes: make topic runs it.
func TestFurther_TopicColumnRuleAndReason(t *testing.T) {
	if os.Getenv("STATIONFLOW_TOPIC") == "" {
		t.Skip("make topic adds a topic, a column, a rule and a reason to a copy of the repository")
	}
	data := []string{"--data", filepath.Join(t.TempDir(), "data")}
	c := newRepositoryCopy(t)
	c.running(built.Program(t, "stationflow"), data, func(s *runningCopy) {
		s.send("train_arrivals", sided(0, 20)...)
		s.await(arrivals+"json_value(extra, '$.platform_side') = 'left'", 20)
	})
	c.addTopic()
	c.addColumn()
	c.addReporter()
	c.addRuleAndReason()

	c.run(".", "gofmt", "-w", "event", "simulator")
	c.run(".", "make", "generate")
	c.update("event", "simulator", "functions", "internal")
	c.run(".", "go", "test", "-vet=all", "./...") // go vet ./... at once: it reads the same
	c.run("local", "go", "vet", "./e2e")
	c.run("local", "go", "test", "./repo", "./simulatortest", "./deploytest")
	c.run("local", "go", "build", "-o", "../bin/stationflow", "./cmd/stationflow")

	c.running("bin/stationflow", data, c.fillColumn)
	c.running("bin/stationflow", []string{"--simulate"}, func(s *runningCopy) {
		s.await("select count(*) from prod_data.lift_trips_daily where trips > 0", 1)
	})
}

func (c *repositoryCopy) addTopic() {
	c.t.Helper()
	c.overlay("testdata/topic")
	c.insert("event/topics.go", "var all = []Kind{\n", `	{Topic: "lift_trips", Description: "A ride of a station's lift.", Event: LiftTrip{}, Cluster: "station",
		Singular: "lift_trip", Plural: "Lift trips", Moment: "left_at"},
`)
	c.insert("simulator/simulator.go", "		n.runTimetable(s)\n", "		n.lifts(s)\n")
	for _, name := range c.changed() {
		if top, _, _ := strings.Cut(name, "/"); top != "event" && top != "simulator" && !strings.HasPrefix(name, "dbt/models/") {
			c.t.Errorf("%s had to be changed", name)
		}
	}
}

const arrivals = "select count(*) from staging_data.train_arrivals where "

// addColumn declares it, and has the simulator fill it, the tests know it, and
// a mart use it.
func (c *repositoryCopy) addColumn() {
	c.t.Helper()
	const last = `desc:"When the timetable has the train arrive or depart." example:"2026-11-22T07:28:00+01:00"` + "`\n"
	c.insert("event/event.go", last, "	PlatformSide *string `json:\"platform_side\" desc:\"From which side passengers get off or on.\" example:\"left\"`\n")
	c.insert("simulator/trains.go", "passengers int64) *event.TrainMovement {\n", "	side := \"left\"\n")
	c.insert("simulator/trains.go", "		ScheduledTimestamp: &due,\n", "		PlatformSide: &side,\n")
	c.insert("event/schema_test.go", "*train_number *scheduled_timestamp", " *platform_side")
	c.insert("event/bench_test.go", `"scheduled_timestamp":"2026-11-22T07:28:00"`, `,"platform_side":"left"`)
	c.insert("event/bench_test.go", `"scheduled_timestamp":"2026-11-22T07:31:00"`, `,"platform_side":"left"`)
	c.overlay("testdata/column")
}

// fillColumn is what docs/deploy.md says of a column whose field came before it.
func (c *repositoryCopy) fillColumn(s *runningCopy) {
	c.t.Helper()
	s.await(arrivals+"platform_side is null and json_value(extra, '$.platform_side') = 'left'", 20)
	s.send("train_arrivals", sided(20, 40)...)
	s.await(arrivals+"platform_side = 'left' and extra is null", 20)
	s.transform()
	s.await("select sum(arrivals) from prod_data.platform_sides where platform_side = 'left'", 40)

	s.execute(strings.Replace(c.fill(), "interval 1 hour", "interval 0 second", 1)) // here rows are young
	s.tool("dbt run --full-refresh")
	s.await(arrivals+"platform_side = 'left'", 40)
	s.await("select sum(arrivals) from prod_data.platform_sides where platform_side = 'left'", 40)
	if n, err := s.number("select count(*) from prod_data.platform_sides"); err != nil || n != 1 {
		c.t.Errorf("the mart has %d rows (%v), want 1", n, err)
	}
}

// addReporter adds the column that is the example of CONTRIBUTING.md: all tests
// must take a column in any topic.
func (c *repositoryCopy) addReporter() {
	const last = `desc:"How long it lasts, in minutes." example:"42.5"` + "`\n"
	c.insert("event/event.go", last, "	Reporter *string `json:\"reporter\" desc:\"Who reported it.\" example:\"Staff\"`\n")
	c.insert("simulator/trouble.go", "	n.agenda.add(at, func() {\n		e.ID = n.nextID(incidents)\n", "		reporter := \"Staff\"\n		e.Reporter = &reporter\n")
	c.insert("event/schema_test.go", "id type station location timestamp severity duration", " *reporter")
	c.insert("event/bench_test.go", `"severity":"Major","duration":42.5`, `,"reporter":"Staff"`)
}

// sided returns arrivals of yesterday that say from which side people got off.
func sided(from, to int) (values []string) {
	at := time.Now().UTC().AddDate(0, 0, -1).Format(time.RFC3339)
	for i := from; i < to; i++ {
		values = append(values, fmt.Sprintf(
			`{"id":"arrival-%d","station":"Station A","timestamp":%q,"passengers":4,"dock_number":1,"wagon_count":8,"direction":"North","platform_side":"left"}`, i, at))
	}
	return values
}

// fill returns the statement of docs/deploy.md that fills a column from extra.
func (c *repositoryCopy) fill() string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "docs/deploy.md"))
	c.check(err)
	found := regexp.MustCompile("(?s)```sql\n( +update staging_data.train_arrivals\n.*?)```").FindStringSubmatch(string(text))
	if found == nil {
		c.t.Fatal("docs/deploy.md has no statement that fills a column")
	}
	return found[1]
}
