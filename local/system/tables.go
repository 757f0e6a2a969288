package system

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/audit"
	"github.com/stationflow/stationflow/sql"
	"github.com/stationflow/stationflow/terraform"
)

// createTables makes the datasets, the staging tables, the views with one row
// for each record, and the tables over the lake, as Terraform does and from the
// same schemas. partitions is by what the staging tables are partitioned. What
// exists is kept, and gets the columns that it lacks.
func createTables(ctx context.Context, client *bigquery.Client, staging, prod, partitions string, lake []*lakeTable) error {
	for _, dataset := range []string{staging, prod} {
		if err := client.Dataset(dataset).Create(ctx, nil); err != nil && !exists(err) {
			return fmt.Errorf("creating dataset %s: %w", dataset, err)
		}
	}
	for _, table := range append(event.Topics(), "quarantine") {
		schema, err := tableSchema(table)
		if err != nil {
			return err
		}
		metadata := &bigquery.TableMetadata{Schema: schema, TimePartitioning: &bigquery.TimePartitioning{
			Type: bigquery.TimePartitioningType(partitions), Field: "ingested_at",
		}}
		added, err := addColumns(ctx, client, client.Dataset(staging).Table(table), metadata)
		if err != nil {
			return err
		}
		records := client.Dataset(staging).Table(table + "_records")
		if added { // the view has the columns that the table had
			if err := records.Delete(ctx); err != nil && !missing(err) {
				return fmt.Errorf("dropping view %s.%s_records: %w", staging, table, err)
			}
		}
		view := &bigquery.TableMetadata{ViewQuery: sql.RecordsView(project + "." + staging + "." + table)}
		if err := records.Create(ctx, view); err != nil && !exists(err) {
			return fmt.Errorf("creating view %s.%s_records: %w", staging, table, err)
		}
	}
	if err := createCompleteness(ctx, client.Dataset(prod)); err != nil {
		return err
	}
	for _, table := range lake {
		schema, err := tableSchema(table.topic)
		if err != nil {
			return err
		}
		if err := table.create(ctx, client.Dataset(staging), schema); err != nil {
			return err
		}
	}
	return nil
}

// tableSchema is that of a topic's table, or of quarantine.
func tableSchema(table string) (bigquery.Schema, error) {
	text, err := terraform.TableSchema(table)
	if err != nil {
		return nil, err
	}
	schema, err := bigquery.SchemaFromJSON(text)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of table %s: %w", table, err)
	}
	return schema, nil
}

func exists(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == http.StatusConflict
}

// createCompleteness makes the table of what audit finds.
func createCompleteness(ctx context.Context, dataset *bigquery.Dataset) error {
	schema, err := bigquery.SchemaFromJSON(audit.Schema)
	if err != nil {
		return err
	}
	metadata := &bigquery.TableMetadata{Schema: schema, TimePartitioning: &bigquery.TimePartitioning{Type: bigquery.DayPartitioningType, Field: "checked_at"}}
	if err := dataset.Table(audit.Table).Create(ctx, metadata); err != nil && !exists(err) {
		return fmt.Errorf("creating table %s.%s: %w", dataset.DatasetID, audit.Table, err)
	}
	return nil
}
