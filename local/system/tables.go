package system

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/terraform"
)

// createTables makes the datasets and the staging tables as Terraform does,
// from the same schemas. What exists is kept.
func createTables(ctx context.Context, client *bigquery.Client, staging, prod string) error {
	for _, dataset := range []string{staging, prod} {
		if err := client.Dataset(dataset).Create(ctx, nil); err != nil && !exists(err) {
			return fmt.Errorf("creating dataset %s: %w", dataset, err)
		}
	}
	for _, table := range append(event.Topics(), "quarantine") {
		text, err := terraform.TableSchema(table)
		if err != nil {
			return err
		}
		schema, err := bigquery.SchemaFromJSON(text)
		if err != nil {
			return fmt.Errorf("reading the schema of table %s: %w", table, err)
		}
		metadata := &bigquery.TableMetadata{Schema: schema, TimePartitioning: &bigquery.TimePartitioning{Field: "ingested_at"}}
		if err := client.Dataset(staging).Table(table).Create(ctx, metadata); err != nil && !exists(err) {
			return fmt.Errorf("creating table %s.%s: %w", staging, table, err)
		}
	}
	return nil
}

func exists(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == http.StatusConflict
}
