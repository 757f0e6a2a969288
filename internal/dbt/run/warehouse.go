package run

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	rest "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/internal/retry"
)

// A warehouse runs statements on BigQuery, each as a job with an id of its
// own: so it is carried out once, however often it is sent, and can be
// cancelled.
type warehouse struct {
	client   *bigquery.Client
	tables   *rest.TablesService
	jobs     *rest.JobsService
	dataset  *bigquery.Dataset
	timeout  time.Duration // for each statement
	maxBytes int64         // billed for each statement; 0 for no limit

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

// attempts bounds how often one statement is tried.
const attempts = 3

// pauses are those between the attempts.
var pauses = retry.Backoff{Min: time.Second, Max: 2 * time.Second}

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
	return status, OfStatement(sql, err)
}

// query runs a statement and returns its rows, by column.
func (w *warehouse) query(ctx context.Context, sql string) (rows []map[string]any, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err = w.retry(ctx, func() error {
		rows, err = w.once(ctx, sql)
		return err
	})
	return rows, OfStatement(sql, err)
}

// retry tries again what fails for a reason that may pass.
func (w *warehouse) retry(ctx context.Context, try func() error) error {
	return retry.Do(ctx, attempts, pauses, func(err error) bool { return retryable(err) && !errors.As(err, new(unsettled)) }, try)
}

// once runs a statement, and returns when it has ended, with its rows. The
// error is unsettled when that could not be found out.
func (w *warehouse) once(ctx context.Context, sql string) (rows []map[string]any, err error) {
	query, err := w.statement(ctx, sql)
	if err != nil {
		return nil, err
	}
	query.JobID = "stationflow_transform_" + rand.Text()
	for attempt := 1; ; attempt++ {
		var hasEnded bool
		rows, hasEnded, err = w.attend(ctx, query)
		switch {
		case hasEnded:
			return rows, err
		case ctx.Err() != nil:
			return nil, w.abandon(ctx, query, err)
		case attempt == attempts || pauses.Wait(ctx, attempt-1) != nil:
			return nil, unsettled{err}
		}
	}
}

// attend submits a job, unless an earlier call has, and waits for its end.
func (w *warehouse) attend(ctx context.Context, query *bigquery.Query) (rows []map[string]any, hasEnded bool, err error) {
	job, err := query.Run(ctx)
	if isStatus(err, http.StatusConflict) { // it was submitted, and the answer lost
		job, err = w.client.JobFromIDLocation(ctx, query.JobID, query.Location)
	}
	if err != nil {
		return nil, isRefusal(err), err
	}
	if rows, err = rowsOf(ctx, job); err == nil || isRefusal(err) {
		return rows, true, err
	}
	if status, asked := job.Status(ctx); asked == nil && status.Done() && status.Err() != nil {
		return nil, true, status.Err()
	}
	return nil, false, err
}

func rowsOf(ctx context.Context, job *bigquery.Job) (rows []map[string]any, err error) {
	it, err := job.Read(ctx)
	if err != nil {
		return nil, err
	}
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

// abandon cancels the job of a statement whose time is up, or that nobody
// waits for any more. Only in the first case it waits for the job's end.
func (w *warehouse) abandon(ctx context.Context, query *bigquery.Query, err error) error {
	isUp := errors.Is(ctx.Err(), context.DeadlineExceeded)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	for attempt := 1; ; attempt++ {
		answer, failure := w.jobs.Cancel(w.client.Project(), query.JobID).Location(query.Location).Context(ctx).Do()
		switch {
		case failure == nil && (!isUp || hasEnded(answer.Job)):
			return err
		case failure != nil && (!isNotFound(failure) || attempt == attempts): // not found may mean: not yet
			return unsettled{err}
		case pause.For(ctx, 250*time.Millisecond) != nil:
			return unsettled{err}
		}
	}
}

func hasEnded(job *rest.Job) bool {
	return job != nil && job.Status != nil && job.Status.State == "DONE"
}

// unsettled is the error of a statement of which nobody knows whether it was
// carried out, or still will be.
type unsettled struct{ error }

func (u unsettled) Unwrap() error { return u.error }

// isRefusal tells an answer that says no from one that was lost on the way.
func isRefusal(err error) bool {
	var answer *googleapi.Error
	return errors.As(err, &answer) && answer.Code < http.StatusInternalServerError
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

// isConflict reports whether a statement was cancelled because another one was
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
