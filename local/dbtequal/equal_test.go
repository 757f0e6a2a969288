// Package dbtequal compares the native runner with dbt-core: both run the
// project of dbt/ on one local warehouse, over the same staging tables, each
// into a dataset of its own. It needs dbt-core and dbt-bigquery 1.12, named by
// STATIONFLOW_DBT, and the programs of make build.
package dbtequal

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/local/staged"
)

// Datasets of the models.
const (
	coreDataset   = "prod_by_dbt"
	nativeDataset = "prod_by_runner"
)

// withoutUnitTests saves their time where the data is another and the models
// are the same.
var withoutUnitTests = []string{"--exclude", "test_type:unit"}

// A comparison is both tools after the same history.
type comparison struct {
	*testing.T
	w            *staged.Warehouse
	day          expect.Reference
	core, native *tool
}

func TestNative_EqualsDbtCore(t *testing.T) {
	dbt := os.Getenv("STATIONFLOW_DBT")
	if dbt == "" {
		t.Skip("set STATIONFLOW_DBT to the dbt of a Python environment with local/dbtequal/requirements.txt installed")
	}
	day, err := expect.ReferenceDay()
	check(t, err)
	w := staged.Start(t, coreDataset, nativeDataset)
	core, native := tools(t, w, dbt, map[string]string{"timezone": day.Location.String(), "today": day.Now.Format(time.DateOnly)})
	c := &comparison{T: t, w: w, day: day, core: core, native: native}

	arrived := day.Now.Add(-2 * time.Hour)
	w.Append(arrived, day.Records...)
	c.build("first run")
	for table, rows := range day.Tables {
		for _, dataset := range []string{coreDataset, nativeDataset} {
			c.report(dataset+"."+table+" of the reference day", expect.Diff(rows, w.Dashboard(dataset, table)))
		}
	}

	c.compareFreshness()

	random := staged.NewGenerator(1, staged.Within(day.Now.Add(-72*time.Hour), day.Now))
	w.Append(arrived.Add(20*time.Minute), append(day.Records[:10:10], random.Records(250)...)...) // ten of them again
	w.Append(arrived.Add(11*time.Minute), random.Records(40)...)                                  // nine minutes before the newest
	c.build("second run: new, redelivered and late rows", withoutUnitTests...)

	edges := staged.NewGenerator(2, staged.Around(time.Date(2026, 11, 22, 0, 0, 0, 0, day.Location),
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)))
	edges.Offsets = random.Offsets
	w.Append(arrived.Add(40*time.Minute), append(w.Records[:60:60], edges.Records(120)...)...)
	edges.Moments = staged.Within(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), day.Now)
	w.Append(arrived.Add(32*time.Minute), edges.Records(40)...)
	c.build("third run: clock changes, and events of any age", withoutUnitTests...)

	w.Append(arrived.Add(60*time.Minute),
		expect.Record{Topic: "incidents", TopicID: "broken", Offset: 0, Event: event.Incident{ID: "b", Type: "t", Station: "S", Location: "L",
			Timestamp: day.Now.Add(-time.Hour), Severity: "Severe", Duration: -5}},
		expect.Record{Topic: "train_arrivals", TopicID: "broken", Offset: 0, Event: event.TrainMovement{ID: "b", Station: "S",
			Timestamp: day.Now.Add(-time.Hour), Passengers: 1, DockNumber: 1, WagonCount: 1, Direction: "Up"}})
	c.fail("broken data")
}

// build has both tools build, which must succeed, and compares all they made.
func (c *comparison) build(when string, flags ...string) {
	c.Helper()
	c.native.succeed("compile")
	core, native := c.core.succeed("build", flags...), c.native.succeed("build", flags...)
	c.Logf("%s: dbt-core %.1f s and %.2f s of CPU, native %.1f s and %.2f s of CPU: %.1f times as fast, 1/%.0f of the CPU", when,
		core.wall.Seconds(), core.cpu.Seconds(), native.wall.Seconds(), native.cpu.Seconds(),
		core.wall.Seconds()/native.wall.Seconds(), core.cpu.Seconds()/native.cpu.Seconds())
	c.compareSQL(when)
	for name, r := range c.core.results() {
		if strings.HasPrefix(name, "model.") {
			c.report(when+": "+name, differences(c.w, coreDataset, nativeDataset, strings.TrimPrefix(name, "model.")))
		}
		if ran := c.native.results()[name]; strings.HasPrefix(name, "unit_test.") && (r.Status != "pass" || ran.Status != "pass") {
			c.Errorf("%s: %s: %s by dbt-core, %s by the runner: %s", when, name, r.Status, ran.Status, text(ran.Message))
		}
	}
	c.compareVerdicts(when)
	for table, want := range expect.Dashboards(c.w.Records, c.day.Now, c.day.Location, 5*time.Minute) {
		c.report(when+": "+table, expect.Diff(want, c.w.Dashboard(nativeDataset, table)))
	}
}

// fail has both tools build what one test of severity error refuses.
func (c *comparison) fail(when string) {
	c.Helper()
	if _, ok := c.core.call("build", withoutUnitTests...); ok {
		c.Errorf("%s: dbt-core's build succeeded", when)
	}
	if _, ok := c.native.call("build", withoutUnitTests...); ok {
		c.Errorf("%s: the runner's build succeeded", when)
	}
	c.compareVerdicts(when)
	core, native := c.core.results(), c.native.results()
	if got := core["test.incidents_hourly_adds_up"].Status; got != "fail" {
		c.Errorf("%s: the test of the broken row answered %q", when, got)
	}
	// dbt-core skips what comes after the models whose test failed. The runner
	// keeps those models from being published too, and with a view the table
	// behind it, and all that shows its rows.
	held := map[string]bool{}
	for name, r := range core {
		if strings.HasPrefix(name, "model.") && r.Status == "skipped" {
			held[name] = true
		}
		if r.Status == "fail" {
			for _, read := range c.core.reads(r.ID) {
				held[read] = true
			}
		}
	}
	for name, r := range native {
		isOfHours := !strings.HasPrefix(name, "model.stg_") && name != "model.recent_disturbances" // it reads the sources
		if strings.HasPrefix(name, "model.") && (r.Status == "skipped") != (held[name] || isOfHours) {
			c.Errorf("%s: %s: the runner says %s; held back by dbt-core's failures: %v", when, name, r.Status, held[name])
		}
	}
}

// compareFreshness compares which sources have a limit and keep it.
func (c *comparison) compareFreshness() {
	c.Helper()
	for _, tool := range []*tool{c.core, c.native} {
		tool.call("source freshness") // fails when a source is too old, as these may be
	}
	core, native := c.core.freshness(), c.native.freshness()
	if len(core) == 0 || !maps.Equal(core, native) {
		c.Errorf("freshness: dbt-core says %v, the runner %v", core, native)
	}
}

// compareSQL compares what was compiled: the files, and what each tool says
// that it ran. Only dbt's own generic tests may be worded otherwise.
func (c *comparison) compareSQL(when string) {
	c.Helper()
	core, native := c.core.compiled(), c.native.compiled()
	maps.DeleteFunc(core, func(path, _ string) bool { return strings.Contains(path, "/_unit_tests.yml/") })
	for _, path := range slices.Sorted(maps.Keys(core)) {
		sql, ok := native[path]
		switch {
		case !ok:
			c.Errorf("%s: the runner compiled no %s", when, path)
		case sql != core[path] && !isBuiltin(path):
			c.Errorf("%s: %s: %s", when, path, firstDifference(core[path], sql))
		}
	}
	for path := range native {
		if _, ok := core[path]; !ok {
			c.Errorf("%s: only the runner compiled %s", when, path)
		}
	}
	// What a model remembers from run to run the runner writes into its SQL, where
	// dbt-core asks: the tables tell whether both are the same.
	remembers := func(name string) bool { return name == "model.station_hours" }
	ran := c.native.results()
	for name, r := range c.core.results() {
		if strings.HasPrefix(name, "model.") && !remembers(name) && r.SQL != ran[name].SQL {
			c.Errorf("%s: %s ran other SQL: %s", when, name, firstDifference(r.SQL, ran[name].SQL))
		}
	}
}

func isBuiltin(path string) bool {
	name := path[strings.LastIndex(path, "/")+1:]
	return slices.ContainsFunc([]string{"unique_", "not_null_", "accepted_values_", "relationships_"}, func(kind string) bool { return strings.HasPrefix(name, kind) })
}

func firstDifference(core, native string) string {
	a, b := strings.Split(core, "\n"), strings.Split(native, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("line %d of %d and %d:\n  dbt-core %q\n  native   %q", i+1, len(a), len(b), at(a, i), at(b, i))
		}
	}
	return "none"
}

func at(lines []string, i int) string {
	if i >= len(lines) {
		return "(no line)"
	}
	return lines[i]
}

// compareVerdicts compares the tests that dbt-core ran: their status and the
// number of rows they found. Those it skipped, because a model they read was
// not built, the runner may run on the contents that it kept.
func (c *comparison) compareVerdicts(when string) {
	c.Helper()
	native := c.native.results()
	tests := 0
	for name, want := range c.core.results() {
		if !strings.HasPrefix(name, "test.") || want.Status == "skipped" {
			continue
		}
		tests++
		got, ok := native[name]
		switch {
		case !ok:
			c.Errorf("%s: the runner did not run %s", when, name)
		case got.Status != want.Status || *got.Failures != *want.Failures:
			c.Errorf("%s: %s: dbt-core says %s and %d rows, the runner %s and %d rows (%s)", when, name,
				want.Status, *want.Failures, got.Status, *got.Failures, text(got.Message))
		}
	}
	if tests == 0 {
		c.Errorf("%s: dbt-core ran no test", when)
	}
}

func text(message *string) string {
	if message == nil {
		return ""
	}
	return *message
}

// report writes the first few of many differences.
func (c *comparison) report(of string, differences []string) {
	c.Helper()
	for i, difference := range differences {
		if i == 5 {
			c.Errorf("%s: and %d more", of, len(differences)-i)
			return
		}
		c.Errorf("%s: %s", of, difference)
	}
}
