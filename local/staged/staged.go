// Package staged is a local warehouse whose staging tables a test fills, with
// events of its own or with random ones: for tests of what transforms them.
// It needs the programs of make build.
package staged

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/event"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/local/warehouse"
	"github.com/stationflow/stationflow/terraform"
)

// Names that every such warehouse has.
const (
	Project = "stationflow-local"
	Staging = "staging_data"
	Prod    = "prod_data"
)

// A Warehouse has staging tables, empty at first. Its methods end the test on
// any failure.
type Warehouse struct {
	Config  bqconfig.Config
	Client  *bigquery.Client
	Records []expect.Record // all appended, in order of arrival

	t        testing.TB
	appender *appender

	mu     sync.Mutex
	billed map[string][]warehouse.Metered // by component
}

// Start starts a warehouse with the dataset of the staging tables and those
// of the models, which are empty. It ends with the test.
func Start(t testing.TB, models ...string) *Warehouse {
	t.Helper()
	w := &Warehouse{t: t, billed: map[string][]warehouse.Metered{}}
	started, err := warehouse.Start(t.Context(), warehouse.Config{
		Project: Project, Engine: []string{built.Program(t, "stationflow"), warehouse.EngineCommand}, Metered: w.meter,
	})
	check(t, err)
	t.Cleanup(func() { check(t, started.Close()) })
	w.Config = bqconfig.Config{
		Project: Project, StagingDataset: Staging, ProdDataset: Prod,
		RESTEndpoint: started.RESTURL(), GRPCEndpoint: started.GRPCAddr(),
	}
	w.Client, err = bigquery.NewClient(t.Context(), Project, w.Config.RESTOptions()...)
	check(t, err)
	t.Cleanup(func() { check(t, w.Client.Close()) })
	for _, dataset := range append([]string{Staging}, models...) {
		check(t, w.Client.Dataset(dataset).Create(t.Context(), nil))
	}
	for _, table := range append(event.Topics(), "quarantine") {
		check(t, w.Client.Dataset(Staging).Table(table).Create(t.Context(), TableOf(t, table)))
	}
	w.appender = newAppender(t, w.Config)
	return w
}

// TableOf is a staging table as Terraform makes it.
func TableOf(t testing.TB, table string) *bigquery.TableMetadata {
	t.Helper()
	deployment, err := terraform.ReadDeployment()
	check(t, err)
	return &bigquery.TableMetadata{Schema: schemaOf(t, table), TimePartitioning: &bigquery.TimePartitioning{
		Type: bigquery.TimePartitioningType(deployment.StagingPartitions), Field: "ingested_at",
	}}
}

func schemaOf(t testing.TB, table string) bigquery.Schema {
	t.Helper()
	text, err := terraform.TableSchema(table)
	check(t, err)
	schema, err := bigquery.SchemaFromJSON(text)
	check(t, err)
	return schema
}

// Append puts records into staging, stamped with the time of their arrival.
func (w *Warehouse) Append(ingestedAt time.Time, records ...expect.Record) {
	w.t.Helper()
	w.Records = append(w.Records, records...)
	for _, topic := range event.Topics() {
		var rows []map[string]any
		for _, record := range records {
			if record.Topic == topic {
				rows = append(rows, rowOf(record, ingestedAt))
			}
		}
		w.appender.write(topic, rows)
	}
}

// meter keeps what a labelled query was billed by.
func (w *Warehouse) meter(m warehouse.Metered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	component := m.Labels["component"]
	w.billed[component] = append(w.billed[component], m)
}

// Billed returns what a component's queries since the last call were billed by.
func (w *Warehouse) Billed(component string) []warehouse.Metered {
	w.mu.Lock()
	defer w.mu.Unlock()
	billed := w.billed[component]
	delete(w.billed, component)
	return billed
}

// Context is that of the test.
func (w *Warehouse) Context() context.Context { return w.t.Context() }

// Query returns the rows of a query.
func (w *Warehouse) Query(sql string) [][]bigquery.Value {
	w.t.Helper()
	it, err := w.Client.Query(sql).Read(context.WithoutCancel(w.t.Context()))
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	var rows [][]bigquery.Value
	for {
		var row []bigquery.Value
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return rows
		}
		check(w.t, err)
		rows = append(rows, row)
	}
}

// Dashboard returns the rows of a dashboard table, in the order of
// expect.Compare. Every row must have a unit and the time it was computed.
func (w *Warehouse) Dashboard(dataset, table string) []expect.Row {
	w.t.Helper()
	var rows []expect.Row
	for _, row := range w.Query("select period, metric_name, coalesce(dimension, ''), coalesce(dimension_value, ''), metric_value, unit, computed_at from " + dataset + "." + table) {
		out := expect.Row{Period: row[0].(string), Metric: row[1].(string), Dimension: row[2].(string), DimensionValue: row[3].(string)}
		if value, ok := row[4].(float64); ok {
			out.Value = &value
		}
		if row[5] == nil || row[6] == nil {
			w.t.Errorf("%s: a row without unit or computed_at: %v", table, row)
		}
		rows = append(rows, out)
	}
	slices.SortFunc(rows, expect.Compare)
	return rows
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
