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
	"github.com/stationflow/stationflow/functions/transform"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
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
		}, Clustering: &bigquery.Clustering{Fields: event.QuarantineCluster()}}
		if of, ok := event.SchemaOf(table); ok {
			metadata.Clustering.Fields = []string{of.Cluster}
		}
		added, err := addColumns(ctx, client, client.Dataset(staging).Table(table), metadata)
		if err != nil {
			return err
		}
		records := client.Dataset(staging).Table(table + "_records")
		view := &bigquery.TableMetadata{ViewQuery: sql.RecordsView(project + "." + staging + "." + table)}
		kept, err := records.Metadata(ctx)
		if err != nil && !bqconfig.IsMissing(err) {
			return fmt.Errorf("reading view %s.%s_records: %w", staging, table, err)
		}
		if added || err == nil && kept.ViewQuery != view.ViewQuery { // the view has the columns that the table had, or an earlier version made it
			if err := records.Delete(ctx); err != nil && !bqconfig.IsMissing(err) {
				return fmt.Errorf("dropping view %s.%s_records: %w", staging, table, err)
			}
		}
		if err := records.Create(ctx, view); err != nil && !exists(err) {
			return fmt.Errorf("creating view %s.%s_records: %w", staging, table, err)
		}
	}
	if err := createBeside(ctx, client, client.Dataset(prod).Table(audit.Table), "checked_at", bigquery.DayPartitioningType, audit.Schema); err != nil {
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

// createCanaries makes the tables of canaries, in staging and beside the marts.
func createCanaries(ctx context.Context, client *bigquery.Client, staging, prod, partitions string) error {
	schema, err := terraform.TableSchema(event.CanaryTopic)
	if err != nil {
		return err
	}
	by := bigquery.TimePartitioningType(partitions)
	if err := createBeside(ctx, client, client.Dataset(staging).Table(event.CanaryTopic), "ingested_at", by, schema); err != nil {
		return err
	}
	return createBeside(ctx, client, client.Dataset(prod).Table(transform.CanaryTable), "published_at", bigquery.DayPartitioningType, transform.CanarySchema)
}

// createBeside makes a table that no topic and no model has.
func createBeside(ctx context.Context, client *bigquery.Client, table *bigquery.Table, field string, by bigquery.TimePartitioningType, text []byte) error {
	schema, err := bigquery.SchemaFromJSON(text)
	if err != nil {
		return fmt.Errorf("reading the schema of table %s: %w", table.TableID, err)
	}
	metadata := &bigquery.TableMetadata{Schema: schema, TimePartitioning: &bigquery.TimePartitioning{Type: by, Field: field}}
	err = table.Create(ctx, metadata)
	if exists(err) { // an earlier version may have made it
		_, err := addColumns(ctx, client, table, metadata)
		return err
	}
	if err != nil {
		return fmt.Errorf("creating table %s.%s: %w", table.DatasetID, table.TableID, err)
	}
	return nil
}
