package transformtest

import (
	"fmt"
	"slices"
	"strings"
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
	// A view is tampered with by another one over what it showed.
	other := func(view, query string) string {
		return fmt.Sprintf("create table staging_data.%[1]s_shown as select * from prod_data.%[1]s; create or replace view prod_data.%[1]s as select %[2]s",
			view, strings.ReplaceAll(query, "SHOWN", "staging_data."+view+"_shown"))
	}
	tampering := []struct{ statement, test string }{
		// Rows of the newest records are not yet certain: let there be a newer one.
		{"update prod_data.station_hours set latest_ingested_at = timestamp_add(latest_ingested_at, interval 1 hour) where topic = 'incidents';" +
			"delete from prod_data.station_hours where severity = 'Major'", "incidents_hourly_reconciles_with_staging"},
		{"update prod_data.station_hours set passengers = passengers + 1 where topic = 'train_arrivals'", "int_train_arrivals_hourly_reconciles_with_staging"},
		{other("train_movements_hourly", "* replace (train_departures + 1 as train_departures, arrivals_late + 1 as arrivals_late) from SHOWN"), "train_movements_hourly_has_all_trains train_movements_hourly_adds_up"},
		{other("passenger_flow_hourly", "* from SHOWN where station != 'Tie A'"), "passenger_flow_hourly_has_all_reports"},
		{other("ticket_dashboard", "* replace (if(metric_name = 'tickets_validated' and dimension is null, metric_value + 1, metric_value) as metric_value) from SHOWN"+
			" union all select * from SHOWN"), "ticket_dashboard_adds_up ticket_dashboard_has_one_row_per_key"},
		{other("passenger_flow_dashboard", "* replace (if(metric_name = 'passengers_total' and dimension is null, null, metric_value) as metric_value) from SHOWN"), "passenger_flow_dashboard_adds_up"},
		{other("train_dashboard", "* replace (if(dimension = 'station' and metric_name = 'train_arrivals', 'Nowhere', dimension_value) as dimension_value) from SHOWN"),
			"relationships_train_dashboard_dimension_value__station__ref_train_movements_hourly_"},
		{other("incident_dashboard", "* replace (if(period = 'all', 'always', period) as period) from SHOWN"), "accepted_values_incident_dashboard_period__all__today"},
	}
	for _, tamper := range tampering {
		for statement := range strings.SplitSeq(tamper.statement, ";") {
			s.Query(statement)
		}
	}
	found := failing()
	for _, tamper := range tampering {
		for _, test := range strings.Fields(tamper.test) {
			if !slices.Contains(found, test) {
				t.Errorf("%s did not see: %s", test, tamper.statement)
			}
		}
	}
}
