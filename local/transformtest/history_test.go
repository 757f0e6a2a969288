package transformtest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/staged"
)

// A deployment whose marts were tables gets to views without losing what
// staging has forgotten, as docs/deploy.md says.
func TestDeploy_MartsThatWereTablesKeepTheirHistory(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.config.Exclude = []string{"tag:deep"}
	s.restart()
	long := noon.Add(-12 * 24 * time.Hour)
	g := staged.NewGenerator(62, staged.Within(long.Add(-3*time.Hour), long))
	s.Append(long, g.Records(150)...)
	s.Append(long.Add(24*time.Hour), g.Records(50)...) // of the same hours, a day later
	g.Moments = staged.Within(noon.Add(-5*time.Hour), noon)
	s.Append(noon, g.Records(100)...)
	s.run()

	marts := []string{"incidents_hourly", "equipment_failures_hourly", "int_train_arrivals_hourly", "int_train_departures_hourly",
		"ticket_validations_hourly", "int_passenger_flow_hourly", "train_movements_hourly", "incident_dashboard"}
	for _, mart := range marts { // as an earlier version has made them
		s.Query(fmt.Sprintf("create table staging_data.%[1]s as select * from prod_data.%[1]s", mart))
	}
	for _, mart := range marts {
		s.Query("drop view prod_data." + mart)
		s.Query(fmt.Sprintf("create table prod_data.%[1]s as select * from staging_data.%[1]s", mart))
		update := bigquery.TableMetadataToUpdate{}
		update.SetLabel("stationflow-definition", "before")
		_, err := s.Client.Dataset(prod).Table(mart).Update(t.Context(), update, "")
		check(t, err)
	}
	for _, table := range []string{"station_hours", "station_hours__next", "transform_lease"} {
		s.Query("drop table prod_data." + table)
	}
	for _, topic := range event.Topics() {
		s.Query(fmt.Sprintf("delete from staging_data.%s where ingested_at < timestamp '%s'", topic, long.Add(12*time.Hour).Format(time.RFC3339)))
	}
	s.restart()
	s.run()
	if len(s.differences()) == 0 {
		t.Fatal("the figures are right although staging has forgotten records")
	}
	statement, err := os.ReadFile("../../sql/ops/history.sql")
	check(t, err)
	query := s.Client.Query(string(statement))
	query.DefaultDatasetID = prod
	_, err = query.Read(t.Context())
	check(t, err)
	s.verify("with the history of the tables")

	s.Append(noon.Add(time.Minute), g.Records(50)...)
	s.run()
	s.verify("after a further run")
}
