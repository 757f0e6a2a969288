package cli

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
)

// askWarehouse asks for the staging dataset, which costs nothing.
func askWarehouse(ctx context.Context, config bqconfig.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client, err := bigquery.NewClient(ctx, config.Project, config.RESTOptions()...)
	if err != nil {
		return fmt.Errorf("connecting to BigQuery in project %s: log in with `gcloud auth application-default login` (%w)", config.Project, err)
	}
	defer func() { _ = client.Close() }()
	if _, err := client.Dataset(config.StagingDataset).Metadata(ctx); err != nil {
		return fmt.Errorf("reading dataset %s of project %s (%w): deploy it as docs/deploy.md says, or correct GOOGLE_CLOUD_PROJECT and STAGING_DATASET", config.StagingDataset, config.Project, asked(err))
	}
	return nil
}
