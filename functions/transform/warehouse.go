package transform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/functions/transform/project"
)

// A warehouse runs statements on BigQuery. All go through jobs.query, which
// needs no job resource of its own.
type warehouse struct {
	client  *bigquery.Client
	dataset *bigquery.Dataset
	timeout time.Duration // for each statement
	// dropsFirst: the local warehouse cannot replace a table or view.
	dropsFirst bool
}

// attempts bounds how often one statement is tried. Every statement that the
// runner sends can be repeated: a query, or a replacement of contents in one
// transaction.
const attempts = 3

// query runs a statement and returns its rows, by column.
func (w *warehouse) query(ctx context.Context, sql string) ([]map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		rows, err := w.once(ctx, sql)
		if err == nil || attempt == attempts || !retryable(err) {
			return rows, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Duration(attempt) * 500 * time.Millisecond):
		}
	}
}

func (w *warehouse) once(ctx context.Context, sql string) ([]map[string]any, error) {
	it, err := w.client.Query(sql).Read(ctx)
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
		return strings.Contains(answer.Message, "due to concurrent update")
	}
	var job *bigquery.Error
	if errors.As(err, &job) {
		return passing(job.Reason) || strings.Contains(job.Message, "due to concurrent update")
	}
	return false
}

func passing(reason string) bool {
	switch reason {
	case "backendError", "internalError", "jobBackendError", "jobRateLimitExceeded", "rateLimitExceeded", "tableUnavailable":
		return true
	}
	return false
}

// definitionLabel keeps, with each table and view, a digest of what it was
// made from. A table without it is made anew.
const definitionLabel = "stationflow-definition"

// A stored relation is what the dataset holds under a name.
type stored struct {
	exists      bool
	isView      bool
	partitioned string // column the table is partitioned by
	definition  string
}

func (w *warehouse) look(ctx context.Context, name string) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	metadata, err := w.dataset.Table(name).Metadata(ctx, bigquery.WithMetadataView(bigquery.BasicMetadataView))
	var answer *googleapi.Error
	switch {
	case errors.As(err, &answer) && answer.Code == http.StatusNotFound:
		return stored{}, nil
	case err != nil:
		return stored{}, fmt.Errorf("looking at table %s: %w", name, err)
	}
	found := stored{exists: true, isView: metadata.Type == bigquery.ViewTable, definition: metadata.Labels[definitionLabel]}
	if metadata.TimePartitioning != nil {
		found.partitioned = metadata.TimePartitioning.Field
	}
	return found, nil
}

// describe writes the definition and the model's description to a relation.
func (w *warehouse) describe(ctx context.Context, model *project.Model, definition string) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	update := bigquery.TableMetadataToUpdate{Description: model.Description}
	update.SetLabel(definitionLabel, definition)
	if _, err := w.dataset.Table(model.Name).Update(ctx, update, ""); err != nil {
		return fmt.Errorf("describing table %s: %w", model.Name, err)
	}
	return nil
}
