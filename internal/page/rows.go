package page

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/page/view"
)

// Tables are the names of the dashboard tables, in the order of the page.
var Tables = [...]string{
	"passenger_flow_dashboard",
	"ticket_dashboard",
	"train_dashboard",
	"incident_dashboard",
	"equipment_failure_dashboard",
}

// A Row is one row of a dashboard table. A nil pointer is NULL, which is not
// the same as zero: a nil MetricValue means that no record reports the field.
type Row struct {
	Table          string    `json:"-"`
	Period         string    `json:"period"` // all or today
	MetricName     string    `json:"metric_name"`
	Dimension      *string   `json:"dimension"` // nil in the row of the total
	DimensionValue *string   `json:"dimension_value"`
	MetricValue    *float64  `json:"metric_value"`
	Unit           *string   `json:"unit"`
	ComputedAt     time.Time `json:"computed_at"`
}

//go:embed rows.sql
var rowsSQL string

// A source reads the dashboard tables of one dataset.
type source struct {
	client   *bigquery.Client
	dataset  string // prod_data when empty
	maxBytes int64  // that a statement may read; 0 for no limit
}

// rows returns the rows of all tables. It reads one table a statement, so that
// a table that no transform has made yet hides only itself.
func (s source) rows(ctx context.Context) ([]Row, error) {
	var all []Row
	for _, table := range Tables {
		rows, err := s.table(ctx, table)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", table, err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

func (s source) table(ctx context.Context, table string) ([]Row, error) {
	// Neither a destination nor a priority is set: then the client uses
	// jobs.query, one short round trip, and no result table is left behind.
	query := s.client.Query(strings.ReplaceAll(rowsSQL, "{table}", table))
	query.DefaultDatasetID = cmp.Or(s.dataset, "prod_data")
	query.MaxBytesBilled, query.Labels = s.maxBytes, map[string]string{"component": view.Component}
	found, err := query.Read(ctx)
	if bqconfig.IsMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	var rows []Row
	for {
		var read queried
		switch err := found.Next(&read); {
		case errors.Is(err, iterator.Done):
			return rows, nil
		case err != nil:
			return nil, err
		}
		rows = append(rows, read.row(table))
	}
}

// queried is a Row as the BigQuery client scans it.
type queried struct {
	Period         string               `bigquery:"period"`
	MetricName     string               `bigquery:"metric_name"`
	Dimension      bigquery.NullString  `bigquery:"dimension"`
	DimensionValue bigquery.NullString  `bigquery:"dimension_value"`
	MetricValue    bigquery.NullFloat64 `bigquery:"metric_value"`
	Unit           bigquery.NullString  `bigquery:"unit"`
	ComputedAt     time.Time            `bigquery:"computed_at"`
}

func (q queried) row(table string) Row {
	row := Row{
		Table:          table,
		Period:         q.Period,
		MetricName:     q.MetricName,
		Dimension:      stringOrNil(q.Dimension),
		DimensionValue: stringOrNil(q.DimensionValue),
		Unit:           stringOrNil(q.Unit),
		ComputedAt:     q.ComputedAt,
	}
	if q.MetricValue.Valid {
		row.MetricValue = &q.MetricValue.Float64
	}
	return row
}

func stringOrNil(s bigquery.NullString) *string {
	if !s.Valid {
		return nil
	}
	return &s.StringVal
}
