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

// A field that producers add lands in extra, becomes a column by the steps that
// CONTRIBUTING.md and docs/deploy.md give, is filled from extra, and is in a
// mart, also for the records that came before.
//
// It builds the copy, which takes a minute or two: make topic runs it.
func TestColumn_ComesByTheStepsThatAreTold(t *testing.T) {
	if os.Getenv("STATIONFLOW_TOPIC") == "" {
		t.Skip("make topic adds a column to a copy of the repository")
	}
	data := []string{"--data", filepath.Join(t.TempDir(), "data")}
	c := newRepositoryCopy(t)
	const staging = "select count(*) from staging_data.train_arrivals where "
	c.running(built.Program(t, "stationflow"), data, func(s *runningCopy) {
		s.send("train_arrivals", sided(0, 20)...)
		s.await(staging+"json_value(extra, '$.platform_side') = 'left'", 20)
	})

	// 1. Declare it, and 3. and 4. of CONTRIBUTING.md: simulator and tests.
	const last = `desc:"When the timetable has the train arrive or depart." example:"2026-11-22T07:28:00+01:00"` + "`\n"
	c.insert("event/event.go", last, "	PlatformSide *string `json:\"platform_side\" desc:\"From which side passengers get off or on.\" example:\"left\"`\n")
	c.insert("simulator/trains.go", "passengers int64) *event.TrainMovement {\n", "	side := \"left\"\n")
	c.insert("simulator/trains.go", "		ScheduledTimestamp: &due,\n", "		PlatformSide: &side,\n")
	c.insert("event/schema_test.go", "*train_number *scheduled_timestamp", " *platform_side")
	c.insert("event/bench_test.go", `"scheduled_timestamp":"2026-11-22T07:28:00"`, `,"platform_side":"left"`)
	c.insert("event/bench_test.go", `"scheduled_timestamp":"2026-11-22T07:31:00"`, `,"platform_side":"left"`)
	c.addReporter()
	c.run(".", "gofmt", "-w", "event", "simulator")
	c.overlay("testdata/column") // 4. of docs/deploy.md: a mart that uses it
	c.run(".", "make", "generate")
	for _, folder := range c.golden("event", "simulator", "functions", "internal") {
		c.run(".", "go", "test", "./"+folder, "-update")
	}
	c.run(".", "go", "test", "./batch/...", "./bridge/...", "./event/...", "./functions/...", "./simulator/...") // of 5. of CONTRIBUTING.md
	c.run("local", "go", "build", "-o", "../bin/stationflow", "./cmd/stationflow")

	c.running("bin/stationflow", data, func(s *runningCopy) {
		s.await(staging+"platform_side is null and json_value(extra, '$.platform_side') = 'left'", 20)
		s.send("train_arrivals", sided(20, 40)...)
		s.await(staging+"platform_side = 'left' and extra is null", 20)
		s.transform()
		s.await("select sum(arrivals) from prod_data.platform_sides where platform_side = 'left'", 40)

		s.execute(strings.Replace(c.fill(), "interval 1 hour", "interval 0 second", 1)) // here rows are young
		s.tool("dbt run --full-refresh")
		s.await(staging+"platform_side = 'left'", 40)
		s.await("select sum(arrivals) from prod_data.platform_sides where platform_side = 'left'", 40)
		if n, err := s.number("select count(*) from prod_data.platform_sides"); err != nil || n != 1 {
			t.Errorf("the mart has %d rows (%v), want 1", n, err)
		}
	})
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
