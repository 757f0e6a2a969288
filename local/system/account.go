package system

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/sql"
)

// ledgerRows is how many rows the ledger may have to read at the end of a run
// (some 10 µs a row here); beyond that it says so and leaves the statement to
// the user.
const ledgerRows = 500_000

// countKept counts the rows that an earlier run left in the staging tables.
func (s *System) countKept(ctx context.Context) error {
	if s.options.DataDir == "" {
		return nil
	}
	for _, table := range append(event.Topics(), "quarantine") {
		columns := "count(*)"
		if table == "quarantine" {
			columns += ", countif(reason = 'tombstone')"
		}
		rows, err := s.bigquery.Query("select " + columns + " from " + s.Endpoints.StagingDataset + "." + table).Read(ctx)
		if err != nil {
			return fmt.Errorf("counting the rows of %s: %w", table, err)
		}
		var row []bigquery.Value
		if err := rows.Next(&row); err != nil {
			return fmt.Errorf("counting the rows of %s: %w", table, err)
		}
		if table == "quarantine" {
			s.kept.quarantined += row[0].(int64)
			s.kept.tombstones += row[1].(int64)
		} else {
			s.kept.valid += row[0].(int64)
		}
	}
	return nil
}

// account says at the end what became of the records, once the parts before
// the warehouse have drained.
func (s *System) account(ctx context.Context) error {
	valid, quarantined := s.held()
	if rows := valid + quarantined; rows > ledgerRows {
		fmt.Fprintf(s.out, "%d rows in staging: run sql/ops/ledger.sql to account for them\n", rows)
		return nil
	}
	ledger, err := s.ledger(ctx)
	if err == nil {
		err = s.broker.look()
	}
	if err != nil { // the records are where they are; only the summary is missing
		fmt.Fprintf(s.out, "the records could not be counted: %v\n", err)
		return nil
	}
	produced := s.broker.produced()
	fmt.Fprintf(s.out, "accounted for %d of %d records in Kafka: %d in staging, %d in quarantine, %d rows redelivered\n",
		ledger.records, produced, ledger.staged, ledger.quarantined, ledger.redelivered)
	if s.missing = produced - ledger.records; s.missing > 0 {
		fmt.Fprintf(s.out, "warning: %d records had not arrived when the system stopped\n", s.missing)
	}
	return nil
}

type ledger struct{ records, staged, quarantined, redelivered int64 }

func (s *System) ledger(ctx context.Context) (ledger, error) {
	var sum ledger
	rows, err := s.bigquery.Query(strings.ReplaceAll(sql.Ledger, "staging_data.", s.Endpoints.StagingDataset+".")).Read(ctx)
	if err != nil {
		return sum, fmt.Errorf("reading the ledger: %w", err)
	}
	for {
		var row struct {
			Records         int64 `bigquery:"records"`
			Staged          int64 `bigquery:"staged"`
			Quarantined     int64 `bigquery:"quarantined"`
			RedeliveredRows int64 `bigquery:"redelivered_rows"`
		}
		switch err := rows.Next(&row); {
		case err == nil:
			sum.records += row.Records
			sum.staged += row.Staged
			sum.quarantined += row.Quarantined
			sum.redelivered += row.RedeliveredRows
		case errors.Is(err, iterator.Done):
			return sum, nil
		default:
			return sum, fmt.Errorf("reading the ledger: %w", err)
		}
	}
}
