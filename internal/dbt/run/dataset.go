package run

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// where is the location of the models' dataset, asked for once; the caller tries
// again.
func (w *warehouse) where(ctx context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.location == nil {
		metadata, err := w.dataset.Metadata(ctx)
		if err != nil {
			return "", w.explain(fmt.Errorf("asking for the location of dataset %s: %w", w.dataset.DatasetID, err))
		}
		w.location = &metadata.Location
	}
	return *w.location, nil
}

// explain adds to an error that says that the models' dataset is missing what to
// do.
func (w *warehouse) explain(err error) error {
	if !isNotFound(err) {
		return err
	}
	return fmt.Errorf("dataset %s of project %s does not exist: correct PROD_DATASET and GOOGLE_CLOUD_PROJECT, or make it with stationflow dbt build (%w)",
		w.dataset.DatasetID, w.dataset.ProjectID, err)
}

// MakeDataset makes the dataset of the models where it is missing, as dbt does:
// in the location of what the models read, for no statement can use two. made
// says whether it was missing. Where the models read no source that exists, it
// is the staging dataset's location, and where that is missing, too, BigQuery's
// default. Several processes may do so at once.
func (r *Runner) MakeDataset(ctx context.Context) (location string, made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.warehouse.timeout)
	defer cancel()
	dataset := r.warehouse.dataset
	_, found, err := r.warehouse.locationOf(ctx, dataset)
	if isInterrupted(ctx) {
		return "", false, fmt.Errorf("%w; nothing was published", ErrInterrupted)
	}
	if err != nil || found {
		return "", false, err
	}
	if location, err = r.besideSources(ctx); err != nil {
		return "", false, fmt.Errorf("making dataset %s: %w", dataset.DatasetID, err)
	}
	if made, err = r.warehouse.createDataset(ctx, dataset, location); err != nil {
		return "", false, err
	}
	location, _, err = r.warehouse.locationOf(ctx, dataset)
	return location, made, err
}

// besideSources is where the models' dataset belongs; "" for BigQuery's default.
func (r *Runner) besideSources(ctx context.Context) (string, error) {
	location, of := "", ""
	for _, dataset := range r.sourceDatasets() {
		at, found, err := r.warehouse.locationOf(ctx, dataset)
		switch {
		case err != nil:
			return "", err
		case !found:
		case of != "" && !strings.EqualFold(at, location):
			return "", fmt.Errorf("the models read dataset %s in %s and dataset %s in %s, and no statement can read both: let them read one location",
				of, location, dataset.DatasetID, at)
		default:
			location, of = at, dataset.DatasetID
		}
	}
	if of != "" {
		return location, nil
	}
	location, _, err := r.warehouse.locationOf(ctx, r.warehouse.client.Dataset(r.staging))
	return location, err
}

// sourceDatasets are those of the sources that models read.
func (r *Runner) sourceDatasets() (all []*bigquery.Dataset) {
	for _, source := range r.project.Sources {
		isRead := func(m *project.Model) bool { return slices.Contains(m.Reads, source.ID) }
		at := project.ParseRelation(source.Relation)
		isKnown := func(d *bigquery.Dataset) bool { return d.ProjectID == at.Database && d.DatasetID == at.Schema }
		if slices.ContainsFunc(r.project.Models, isRead) && !slices.ContainsFunc(all, isKnown) {
			all = append(all, r.warehouse.client.DatasetInProject(at.Database, at.Schema))
		}
	}
	return all
}

// locationOf is where a dataset is, if it is there.
func (w *warehouse) locationOf(ctx context.Context, dataset *bigquery.Dataset) (location string, found bool, err error) {
	err = w.retry(ctx, func() error {
		metadata, err := dataset.Metadata(ctx)
		if err == nil {
			location, found = metadata.Location, true
		}
		return err
	})
	if isNotFound(err) {
		return "", false, nil
	}
	if isStatus(err, http.StatusForbidden) {
		return "", false, fmt.Errorf("you may not see dataset %s of project %s: ask for the role BigQuery Metadata Viewer on it (%w)", dataset.DatasetID, dataset.ProjectID, err)
	}
	if err != nil {
		err = fmt.Errorf("asking for the location of dataset %s: %w", dataset.DatasetID, err)
	}
	return location, found, err
}

// makeDataset makes a dataset unless it is there, in the location of the
// models': no statement can use two.
func (w *warehouse) makeDataset(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	var location string
	err := w.retry(ctx, func() (err error) { location, err = w.where(ctx); return err })
	if err == nil {
		_, err = w.createDataset(ctx, w.client.Dataset(name), location)
	}
	return err
}

// createDataset makes a dataset; made is false where another has made it first.
func (w *warehouse) createDataset(ctx context.Context, dataset *bigquery.Dataset, location string) (made bool, err error) {
	err = w.retry(ctx, func() error { return dataset.Create(ctx, &bigquery.DatasetMetadata{Location: location}) })
	switch {
	case isStatus(err, http.StatusConflict):
		return false, nil
	case isStatus(err, http.StatusForbidden):
		return false, fmt.Errorf("dataset %s of project %s does not exist, and you may not make it: ask for the role BigQuery User (bigquery.datasets.create), "+
			"or name a dataset that exists in PROD_DATASET (%w)", dataset.DatasetID, dataset.ProjectID, err)
	case err != nil:
		return false, fmt.Errorf("making dataset %s of project %s: %w", dataset.DatasetID, dataset.ProjectID, err)
	}
	return true, nil
}
