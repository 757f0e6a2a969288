package dashboard_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/warehouse"
)

// startWarehouse runs a BigQuery without any table of the dashboard.
func startWarehouse(t *testing.T) *bigquery.Client {
	t.Helper()
	local, err := warehouse.Start(t.Context(), warehouse.Config{Project: "stationflow-test", Engine: []string{built.Program(t, "stationflow"), warehouse.EngineCommand}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = local.Close() })
	client, err := bigquery.NewClient(t.Context(), "stationflow-test", option.WithEndpoint(local.RESTURL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Dataset("prod_data").Create(t.Context(), &bigquery.DatasetMetadata{}); err != nil {
		t.Fatal(err)
	}
	return client
}

func run(t *testing.T, client *bigquery.Client, sql string) {
	t.Helper()
	if _, err := client.Query(sql).Read(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// The tables are read through BigQuery's API as they are; one that is not
// there yet has no rows, and hides no other.
func TestRefresh_ReadsTheWarehouse(t *testing.T) {
	t.Parallel()
	client := startWarehouse(t)
	shown := dashboard.New(dashboard.Config{Client: client})
	mustRefresh(t, shown) // before any table is there

	const columns = "period string, metric_name string, dimension string, dimension_value string, metric_value float64, unit string, computed_at timestamp"
	run(t, client, "create table prod_data.ticket_dashboard ("+columns+")")
	run(t, client, "create table prod_data.train_dashboard ("+columns+")")
	computed := time.Date(2026, 11, 22, 11, 0, 10, 0, time.UTC)
	run(t, client, fmt.Sprintf(`insert into prod_data.ticket_dashboard
		select 'all', 'tickets_validated', cast(null as string), cast(null as string), 12.0, 'tickets', timestamp '%[1]s' union all
		select 'all', 'tickets_rejected', cast(null as string), cast(null as string), cast(null as float64), 'tickets', timestamp '%[1]s' union all
		select 'all', 'tickets_validated', 'station', 'Nord', 0.5, 'tickets', timestamp '%[1]s'`, computed.Format(time.DateTime)+"+00"))
	mustRefresh(t, shown)

	var answer struct {
		Tables map[string][]dashboard.Row `json:"tables"`
	}
	if err := json.Unmarshal([]byte(get(t, shown.Handler(), "/api/tables")), &answer); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range answer.Tables["ticket_dashboard"] {
		if !row.ComputedAt.Equal(computed) || row.Period != "all" || *row.Unit != "tickets" {
			t.Errorf("%+v: want period all, unit tickets and computed_at %s", row, computed)
		}
		value, _ := json.Marshal(row.MetricValue)
		by, _ := json.Marshal([]*string{row.Dimension, row.DimensionValue})
		got[row.MetricName+string(by)] = string(value)
	}
	want := map[string]string{"tickets_validated[null,null]": "12", "tickets_rejected[null,null]": "null", `tickets_validated["station","Nord"]`: "0.5"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("ticket_dashboard holds %v, want %v", got, want)
	}
	for _, table := range []string{"train_dashboard", "incident_dashboard"} {
		if rows := answer.Tables[table]; len(rows) != 0 {
			t.Errorf("%s has %d rows, want none", table, len(rows))
		}
	}
}
