package transformtest

import (
	"slices"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/staged"
)

// The project's tests must see wrong rows in what is published: each of these
// statements makes some.
func TestProjectTests_SeeTampering(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.Append(noon.Add(-time.Hour), staged.NewGenerator(12, staged.Within(noon.Add(-30*time.Hour), noon)).Records(400)...)
	s.run()
	runner, err := run.New(t.Context(), s.config.Config)
	check(t, err)
	defer runner.Close()
	failing := func() (names []string) {
		report, err := runner.Run(t.Context(), run.Options{NoModels: true})
		check(t, err)
		for _, test := range report.Tests {
			names = append(names, test.Name)
		}
		return names
	}
	if found := failing(); len(found) > 0 {
		t.Fatalf("before anything was tampered with: %v", found)
	}
	// Rows of the newest records are not yet certain: let there be a newer one.
	tampering := []struct{ statement, test string }{
		{"update prod_data.incidents_hourly set latest_ingested_at = timestamp_add(latest_ingested_at, interval 1 hour) where true;" +
			"delete from prod_data.incidents_hourly where severity = 'Major'", "incidents_hourly_reconciles_with_staging"},
		{"update prod_data.int_train_arrivals_hourly set arriving_passengers = arriving_passengers + 1 where true", "int_train_arrivals_hourly_reconciles_with_staging"},
		{"update prod_data.train_movements_hourly set train_departures = train_departures + 1 where station = 'Station A'", "train_movements_hourly_has_all_trains"},
		{"update prod_data.train_movements_hourly set arrivals_late = arrivals_late + 1 where true", "train_movements_hourly_adds_up"},
		{"delete from prod_data.passenger_flow_hourly where station = 'Tie A'", "passenger_flow_hourly_has_all_reports"},
		{"update prod_data.ticket_dashboard set metric_value = metric_value + 1 where metric_name = 'tickets_validated' and dimension is null", "ticket_dashboard_adds_up"},
		{"update prod_data.passenger_flow_dashboard set metric_value = null where metric_name = 'passengers_total' and dimension is null", "passenger_flow_dashboard_adds_up"},
		{"update prod_data.train_dashboard set dimension_value = 'Nowhere' where dimension = 'station' and metric_name = 'train_arrivals'", "relationships_train_dashboard_dimension_value__station__ref_train_movements_hourly_"},
		{"update prod_data.incident_dashboard set period = 'always' where period = 'all'", "accepted_values_incident_dashboard_period__all__today"},
		{"insert into prod_data.ticket_dashboard select * from prod_data.ticket_dashboard", "ticket_dashboard_has_one_row_per_key"},
	}
	for _, tamper := range tampering {
		s.Query("begin transaction; " + tamper.statement + "; commit transaction;")
	}
	found := failing()
	for _, tamper := range tampering {
		if !slices.Contains(found, tamper.test) {
			t.Errorf("%s did not see: %s", tamper.test, tamper.statement)
		}
	}
}
