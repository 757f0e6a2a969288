// Package transformtest runs the dbt project natively against the local
// warehouse and compares every dashboard figure with package expect.
package transformtest

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/transform"
	env "github.com/stationflow/stationflow/internal/warehouse"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/local/warehouse"
	"github.com/stationflow/stationflow/terraform"
)

const (
	project = "stationflow-local"
	staging = "staging_data"
	prod    = "prod_data"
)

// A system is a warehouse with empty staging tables, and the transform on it.
type system struct {
	t         testing.TB
	config    transform.Config
	client    *bigquery.Client
	transform *transform.Transformer
	appender  *appender
	records   []expect.Record // all appended, in order of arrival
	now       time.Time       // of the transform
}

func start(t testing.TB, location *time.Location, now time.Time) *system {
	t.Helper()
	w, err := warehouse.Start(t.Context(), warehouse.Config{Project: project, Engine: []string{built.Program(t, "stationflow"), warehouse.EngineCommand}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, w.Close()) })
	s := &system{t: t, now: now, config: transform.Config{
		Warehouse: env.Config{
			Project: project, StagingDataset: staging, ProdDataset: prod,
			RESTEndpoint: w.RESTURL(), GRPCEndpoint: w.GRPCAddr(),
		},
		Location: location, Wait: time.Minute, Statement: time.Minute, Run: 5 * time.Minute,
		Log: slog.New(slog.DiscardHandler),
	}}
	s.config.Now = func() time.Time { return s.now }
	s.client, err = bigquery.NewClient(t.Context(), project, s.config.Warehouse.RESTOptions()...)
	check(t, err)
	t.Cleanup(func() { check(t, s.client.Close()) })
	s.createTables()
	s.appender = newAppender(t, s.config.Warehouse)
	s.restart()
	return s
}

// restart makes the transform anew, as a new instance of the function.
func (s *system) restart() {
	s.t.Helper()
	transformer, err := transform.New(s.t.Context(), s.config)
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, transformer.Close()) })
	s.transform = transformer
}

func (s *system) createTables() {
	s.t.Helper()
	for _, dataset := range []string{staging, prod} {
		check(s.t, s.client.Dataset(dataset).Create(s.t.Context(), nil))
	}
	for _, table := range append(event.Topics(), "quarantine") {
		check(s.t, s.client.Dataset(staging).Table(table).Create(s.t.Context(), &bigquery.TableMetadata{Schema: schemaOf(s.t, table)}))
	}
}

func schemaOf(t testing.TB, table string) bigquery.Schema {
	t.Helper()
	text, err := terraform.TableSchema(table)
	check(t, err)
	schema, err := bigquery.SchemaFromJSON(text)
	check(t, err)
	return schema
}

// append puts records into staging, stamped with the time of their arrival.
func (s *system) append(ingestedAt time.Time, records ...expect.Record) {
	s.t.Helper()
	s.records = append(s.records, records...)
	for _, topic := range event.Topics() {
		var rows []map[string]any
		for _, record := range records {
			if record.Topic == topic {
				rows = append(rows, rowOf(record, ingestedAt))
			}
		}
		s.appender.append(topic, rows)
	}
}

// run transforms, which must succeed, and returns the report.
func (s *system) run() *transform.Report {
	s.t.Helper()
	report := s.transform.Run(s.t.Context())
	if report == nil || !report.OK() {
		s.t.Fatalf("the run failed: %+v", report)
	}
	return report
}

// verify compares every row of the dashboard tables with what is expected of
// the records appended so far.
func (s *system) verify(when string) {
	s.t.Helper()
	differences := s.differences()
	for i, difference := range differences {
		if i == 10 {
			s.t.Errorf("%s: and %d more", when, len(differences)-i)
			break
		}
		s.t.Errorf("%s: %s", when, difference)
	}
}

func (s *system) differences() []string {
	s.t.Helper()
	var all []string
	for table, want := range expect.Dashboards(s.records, s.now, s.config.Location, 5*time.Minute) {
		for _, difference := range expect.Diff(want, s.dashboard(table)) {
			all = append(all, table+": "+difference)
		}
	}
	return all
}

func (s *system) dashboard(table string) []expect.Row {
	s.t.Helper()
	var rows []expect.Row
	for _, row := range s.query("select period, metric_name, coalesce(dimension, ''), coalesce(dimension_value, ''), metric_value, unit, computed_at from " + prod + "." + table) {
		out := expect.Row{Period: row[0].(string), Metric: row[1].(string), Dimension: row[2].(string), DimensionValue: row[3].(string)}
		if value, ok := row[4].(float64); ok {
			out.Value = &value
		}
		if row[5] == nil || row[6] == nil {
			s.t.Errorf("%s: a row without unit or computed_at: %v", table, row)
		}
		rows = append(rows, out)
	}
	slices.SortFunc(rows, expect.Compare)
	return rows
}

func (s *system) query(sql string) [][]bigquery.Value {
	s.t.Helper()
	it, err := s.client.Query(sql).Read(context.WithoutCancel(s.t.Context()))
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	var rows [][]bigquery.Value
	for {
		var row []bigquery.Value
		err := it.Next(&row)
		if err == iterator.Done {
			return rows
		}
		check(s.t, err)
		rows = append(rows, row)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// statuses returns the models of a report with one of the statuses, sorted.
func statuses(report *transform.Report, of ...string) []string {
	var names []string
	for _, model := range report.Models {
		if slices.Contains(of, model.Status) {
			names = append(names, model.Name)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}
