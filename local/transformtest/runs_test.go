package transformtest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/event"
	dbtproject "github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/staged"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// projectWith is the dbt project with some files replaced.
func projectWith(t *testing.T, replaced map[string]string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(dbt.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(dbt.Files, name)
		files[name] = &fstest.MapFile{Data: content}
		return err
	})
	check(t, err)
	for name, content := range replaced {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return files
}

func (s *system) restartWith(t *testing.T, replaced map[string]string) {
	t.Helper()
	s.config.Files = projectWith(t, replaced)
	s.restart()
}

// contents are a table's rows as one text.
func (s *system) contents(table string) string {
	s.t.Helper()
	var rows []string
	for _, row := range s.Query("select * from " + prod + "." + table) {
		rows = append(rows, fmt.Sprint(row))
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

func TestRun_FailureKeepsTheOldContents(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(6, staged.Within(noon.Add(-5*time.Hour), noon))
	s.Append(noon, g.Records(200)...)
	s.run()
	tables := []string{"train_dashboard", "train_movements_hourly"}
	before := map[string]string{}
	for _, table := range tables {
		before[table] = s.contents(table)
	}
	// The model fails while its rows are being made, in the middle of the script.
	source, err := fs.ReadFile(dbt.Files, "macros/hours.sql")
	check(t, err)
	s.restartWith(t, map[string]string{"macros/hours.sql": strings.Replace(string(source), "count(*) as records", "div(count(*), 0) as records", 1)})
	s.Append(noon, g.Records(50)...)
	report := s.transform.Run(t.Context())
	if report.OK() {
		t.Fatal("the run succeeded")
	}
	if got := statuses(report, "failed"); !slices.Equal(got, []string{"station_hours"}) {
		t.Errorf("failed: %v", got)
	}
	if got := statuses(report, "skipped"); !slices.Contains(got, "train_dashboard") || !slices.Contains(got, "train_movements_hourly") {
		t.Errorf("skipped: %v", got)
	}
	for _, table := range tables {
		if after := s.contents(table); after != before[table] {
			t.Errorf("%s changed from\n%s\nto\n%s", table, before[table], after)
		}
	}
	s.restartWith(t, nil)
	s.run()
	s.verify("after the repair")
}

func TestRun_FailingTestFailsUntilItPasses(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(7, staged.Within(noon.Add(-5*time.Hour), noon))
	s.Append(noon, g.Records(50)...)
	s.restartWith(t, map[string]string{"tests/never.sql": "select * from {{ ref('incident_dashboard') }} where metric_name = 'incidents' and dimension is null and period = 'all'",
		"tests/warns.sql": "{{ config(severity='warn') }}select * from {{ ref('incident_dashboard') }}"})
	for i := range 2 { // the second run has nothing new, and the fault is still there
		report := s.transform.Run(t.Context())
		if report.OK() || !slices.ContainsFunc(report.Tests, func(r run.TestReport) bool { return r.Name == "never" && r.Status == "failed" && r.Failures == 1 }) {
			t.Errorf("run %d: %+v", i, report)
		}
	}
	s.restartWith(t, map[string]string{"tests/warns.sql": "{{ config(severity='warn') }}select * from {{ ref('incident_dashboard') }}"})
	if report := s.run(); len(report.Tests) != 1 || report.Tests[0].Status != "warned" {
		t.Errorf("%+v", report.Tests)
	}
}

// fullRefresh makes every table again, which must succeed.
func (s *system) fullRefresh() *run.Report {
	s.t.Helper()
	runner, err := run.New(s.t.Context(), s.config.Config)
	check(s.t, err)
	defer runner.Close()
	report, err := runner.Run(s.t.Context(), run.Options{FullRefresh: true, Exclude: s.config.Exclude})
	check(s.t, err)
	if !report.OK() {
		s.t.Fatalf("a full refresh failed: %+v", report)
	}
	return report
}

func TestRun_MakesAnewWhatDoesNotFitItsDefinition(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(8, staged.Within(noon.Add(-50*time.Hour), noon))
	s.Append(noon, g.Records(150)...)
	s.run()

	s.restart()
	if got := statuses(s.run(), "created"); len(got) > 0 {
		t.Errorf("a new instance made %v again", got)
	}

	s.config.Location = zone(t, "Asia/Kolkata")
	s.restart()
	refusal := s.transform.Run(t.Context())
	if got := statuses(refusal, "failed"); !slices.Equal(got, []string{"station_hours"}) || !strings.Contains(fmt.Sprint(refusal.Models), "run with --full-refresh") {
		t.Errorf("another time zone made history again: %+v", refusal.Models)
	}
	got := statuses(s.fullRefresh(), "created") // with the views over those that are others now
	if !slices.Contains(got, "station_hours") || !slices.Contains(got, "train_dashboard") {
		t.Errorf("another time zone made %v again, want the hours and what reads them", got)
	}
	if got := statuses(s.run(), "created"); len(got) > 0 {
		t.Errorf("a run after that made %v again", got)
	}
	s.verify("another time zone")

	check(t, s.Client.Dataset(prod).Table("incidents_hourly").Delete(t.Context()))
	check(t, s.Client.Dataset(prod).Table("train_dashboard__next").Delete(t.Context()))
	s.Append(noon, g.Records(20)...)
	s.run()
	s.verify("deleted tables")
}

// The yml files say which columns a table has; the SQL must agree.
func TestModels_HaveTheDeclaredColumns(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.run()
	loaded, err := dbtproject.Load(dbt.Files, dbtproject.Target{Project: project, Dataset: prod})
	check(t, err)
	names := map[string]string{"integer": "int64", "float": "float64", "boolean": "bool"}
	for _, model := range loaded.Models {
		if !model.Stored() { // a view may leave columns undeclared
			continue
		}
		metadata, err := s.Client.Dataset(prod).Table(model.Name).Metadata(t.Context())
		check(t, err)
		stored := map[string]string{}
		for _, field := range metadata.Schema {
			kind := strings.ToLower(string(field.Type))
			if name, ok := names[kind]; ok {
				kind = name
			}
			stored[field.Name] = kind
		}
		declared := map[string]string{}
		for _, column := range model.Columns {
			declared[column.Name] = column.Type
		}
		if !maps.Equal(stored, declared) {
			t.Errorf("%s: the SQL gives %v, the yml file says %v", model.Name, stored, declared)
		}
	}
}

// Staging forgets rows after a while, the marts keep their sums: a late event
// of a date that staging no longer holds as a whole must not replace it.
func TestRun_KeepsDatesThatStagingHasPartlyForgotten(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	long, ago := noon.Add(-12*24*time.Hour), noon.Add(-20*24*time.Hour)
	g := staged.NewGenerator(22, staged.Within(long.Add(-2*time.Hour), long))
	s.Append(long, g.Records(100)...)
	s.Append(long.Add(24*time.Hour), g.Records(50)...) // of the same date, a day later
	g.Moments = staged.Within(noon.Add(-5*time.Hour), noon)
	s.Append(noon, g.Records(100)...)
	s.run()
	s.verify("before rows expired")
	for _, topic := range event.Topics() {
		s.Query(fmt.Sprintf("delete from staging_data.%s where ingested_at < timestamp '%s'", topic, long.Add(12*time.Hour).Format(time.RFC3339)))
	}
	s.run()
	s.verify("when rows had expired")

	kept := len(s.Records)
	g.Moments = staged.Within(long.Add(-2*time.Hour), long)
	s.Append(noon.Add(time.Minute), g.Records(50)...)
	s.Records = s.Records[:kept] // in staging alone
	g.Moments = staged.Within(ago.Add(-2*time.Hour), ago)
	s.Append(noon.Add(time.Minute), g.Records(50)...)
	s.run()
	s.verify("with late events of a date that is whole, and of one that is not")
}

// A source can have as many rows as before and yet others: some expired, as
// many arrived. Rows expire by days of UTC, so counts are good for one.
func TestRun_SeesNewRowsBehindTheSameCount(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(23, staged.Within(noon.Add(-50*time.Hour), noon.Add(-48*time.Hour)))
	s.Append(noon.Add(-48*time.Hour), g.Records(60)...)
	s.run()
	rows := func(topic string) int64 { return s.Query("select count(*) from staging_data." + topic)[0][0].(int64) }
	before := map[string]int64{}
	for _, topic := range event.Topics() {
		before[topic] = rows(topic)
		s.Query("delete from staging_data." + topic + " where true")
	}
	g.Moments = staged.Within(noon.Add(22*time.Hour), noon.Add(23*time.Hour))
	for left := maps.Clone(before); len(left) > 0; {
		record := g.Record()
		if left[record.Topic]--; left[record.Topic] >= 0 {
			s.Append(noon.Add(23*time.Hour), record)
		}
		maps.DeleteFunc(left, func(_ string, n int64) bool { return n <= 0 })
	}
	for topic, n := range before {
		if got := rows(topic); got != n {
			t.Fatalf("%s has %d rows, want %d as before", topic, got, n)
		}
	}
	s.now = noon.Add(24 * time.Hour)
	s.run()
	s.verify("the next day")
}
