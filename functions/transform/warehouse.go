package transform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	rest "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/pause"
)

// A warehouse runs statements on BigQuery. All go through jobs.query, which
// needs no job resource of its own.
type warehouse struct {
	client   *bigquery.Client
	tables   *rest.TablesService
	dataset  *bigquery.Dataset
	timeout  time.Duration // for each statement
	maxBytes int64         // billed for each statement; 0 for no limit
	// dropsFirst: the local warehouse cannot replace a table or view.
	dropsFirst bool

	mu       sync.Mutex
	location *string // of the models' dataset, once it is known
}

// labels let a bill be split by what caused it.
var labels = map[string]string{"application": "stationflow", "component": "transform"}

// statement is a query as all are sent. It names the location: BigQuery infers
// it from the tables of most statements, but takes some scripts for ones of
// the US (https://github.com/snowplow/sql-runner/issues/173).
func (w *warehouse) statement(ctx context.Context, sql string) (*bigquery.Query, error) {
	location, err := w.where(ctx)
	if err != nil {
		return nil, err
	}
	query := w.client.Query(sql)
	query.Location, query.Labels, query.MaxBytesBilled = location, labels, w.maxBytes
	return query, nil
}

// where is the location of the models' dataset, asked for once.
func (w *warehouse) where(ctx context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.location == nil {
		metadata, err := w.dataset.Metadata(ctx)
		if err != nil {
			return "", fmt.Errorf("asking for the location of dataset %s: %w", w.dataset.DatasetID, err)
		}
		w.location = &metadata.Location
	}
	return *w.location, nil
}

// attempts bounds how often one statement is tried. Every statement that the
// runner sends can be repeated: a query, or a replacement of contents in one
// transaction.
const attempts = 3

// estimate returns the bytes that a statement would read, without running it.
func (w *warehouse) estimate(ctx context.Context, sql string) (int64, error) {
	job, err := w.dryRun(ctx, sql)
	if err != nil {
		return 0, err
	}
	return job.Statistics.TotalBytesProcessed, nil
}

// dryRun has the warehouse check a statement; that costs nothing.
func (w *warehouse) dryRun(ctx context.Context, sql string) (status *bigquery.JobStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err = w.retry(ctx, func() error {
		query, err := w.statement(ctx, sql)
		if err != nil {
			return err
		}
		query.DryRun, query.MaxBytesBilled = true, 0
		job, err := query.Run(ctx)
		if err == nil {
			status = job.LastStatus()
		}
		return err
	})
	return status, err
}

// query runs a statement and returns its rows, by column.
func (w *warehouse) query(ctx context.Context, sql string) (rows []map[string]any, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err = w.retry(ctx, func() error {
		rows, err = w.once(ctx, sql)
		return err
	})
	return rows, err
}

// retry tries again what fails for a reason that may pass.
func (w *warehouse) retry(ctx context.Context, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || attempt == attempts || !retryable(err) {
			return err
		}
		if pause.For(ctx, time.Duration(attempt)*500*time.Millisecond) != nil {
			return err
		}
	}
}

func (w *warehouse) once(ctx context.Context, sql string) ([]map[string]any, error) {
	query, err := w.statement(ctx, sql)
	if err != nil {
		return nil, err
	}
	it, err := query.Read(ctx)
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for {
		row := map[string]bigquery.Value{}
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		converted := make(map[string]any, len(row))
		for name, value := range row {
			converted[name] = value
		}
		rows = append(rows, converted)
	}
}

// retryable tells an error that may pass by itself from one that is the
// statement's own. Reasons: https://cloud.google.com/bigquery/docs/error-messages
func retryable(err error) bool {
	var answer *googleapi.Error
	if errors.As(err, &answer) {
		if answer.Code == http.StatusTooManyRequests || answer.Code >= http.StatusInternalServerError {
			return true
		}
		for _, item := range answer.Errors {
			if passing(item.Reason) {
				return true
			}
		}
	}
	var job *bigquery.Error
	return errors.As(err, &job) && passing(job.Reason) || isConflict(err)
}

// isConflict tells whether a statement was cancelled because another one was
// changing the same table:
// https://cloud.google.com/bigquery/docs/transactions#transaction_concurrency
func isConflict(err error) bool {
	return err != nil && strings.Contains(err.Error(), "due to concurrent update")
}

func passing(reason string) bool {
	switch reason {
	case "backendError", "internalError", "jobBackendError", "jobInternalError", "jobRateLimitExceeded", "rateLimitExceeded", "tableUnavailable":
		return true
	}
	return false
}
