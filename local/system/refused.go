package system

import (
	"context"
	"fmt"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/local/dashboard"
)

// refusals are what is known of the records in quarantine.
type refusals struct {
	reason string // the most frequent
	of     int64  // of so many records
}

// readRefused finds out why most records were refused, when there are more of
// them than at the last time and enough for the page to speak of them.
func (s *System) readRefused(ctx context.Context) error {
	valid, quarantined := s.held()
	if last := s.refused.Load(); float64(quarantined) <= dashboard.MaxRefused*float64(valid+quarantined) || last != nil && last.of == quarantined {
		return nil
	}
	rows, err := s.bigquery.Query("select reason from " + s.Endpoints.StagingDataset + ".quarantine group by 1 order by count(*) desc, 1 limit 1").Read(ctx)
	if err != nil {
		return fmt.Errorf("counting the reasons in quarantine: %w", err)
	}
	var row []bigquery.Value
	if err := rows.Next(&row); err != nil {
		return fmt.Errorf("counting the reasons in quarantine: %w", err)
	}
	reason, _ := row[0].(string)
	s.refused.Store(&refusals{reason, quarantined})
	return nil
}
