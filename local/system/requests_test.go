package system

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/functions/transform"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	dbtrun "github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/warehouse"
)

// The time until the system is ready is mostly that of requests to the
// warehouse's engine, one after the other. There are 14 tables, 7 views of
// records and 16 models that are made twice.
func TestStart_AsksTheEngineSeldom(t *testing.T) {
	w, err := warehouse.Start(t.Context(), warehouse.Config{Project: project,
		Engine: []string{built.Program(t, "stationflow"), warehouse.EngineCommand}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	config := bqconfig.Config{Project: project, StagingDataset: "staging_data", ProdDataset: "prod_data",
		RESTEndpoint: w.RESTURL(), GRPCEndpoint: w.GRPCAddr()}
	client, err := bigquery.NewClient(t.Context(), project, config.RESTOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	var before int64
	within := func(what string, most int64) {
		t.Helper()
		now := w.Stats().Requests
		if t.Logf("%s: %d requests", what, now-before); now-before > most {
			t.Errorf("%s: %d requests to the engine, more than %d", what, now-before, most)
		}
		before = now
	}
	if err := createTables(t.Context(), client, config.StagingDataset, config.ProdDataset, "HOUR", lakeTables(config, bucket)); err != nil {
		t.Fatal(err)
	}
	within("a start", 50)
	transformer, err := transform.New(t.Context(), transform.Config{
		Config: dbtrun.Config{Files: dbt.Files, Warehouse: config, Location: time.UTC, Statement: time.Minute, Log: slog.New(slog.DiscardHandler)},
		Wait:   time.Minute, Run: 5 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = transformer.Close() })
	if report := transformer.Run(t.Context()); report == nil || !report.OK() {
		t.Fatalf("the run failed: %+v", report)
	}
	within("the first transform", 220) // two for each relation to give it its description
}
