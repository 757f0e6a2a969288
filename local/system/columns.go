package system

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
)

// addColumns gives a table of an earlier version the columns that it lacks, as
// Terraform does in place, and reports whether it lacked some. The local BigQuery
// cannot alter a table, so this one is made again from a copy. A start that ends
// in the middle loses nothing: the next one goes on from the copy.
func addColumns(ctx context.Context, client *bigquery.Client, table *bigquery.Table, as *bigquery.TableMetadata) (added bool, err error) {
	kept := client.Dataset(table.DatasetID).Table(table.TableID + "_before")
	has, err := columnsOf(ctx, table)
	if err != nil {
		return false, err
	}
	was, err := columnsOf(ctx, kept)
	if err != nil {
		return false, err
	}
	name, copied := table.DatasetID+"."+table.TableID, kept.DatasetID+"."+kept.TableID
	if has != nil && len(has) < len(as.Schema) {
		if was != nil { // it may lack rows
			if err := kept.Delete(ctx); err != nil {
				return false, fmt.Errorf("adding columns to %s: %w", name, err)
			}
		}
		if err := execute(ctx, client, "create table "+copied+" as select * from "+name); err != nil {
			return false, fmt.Errorf("adding columns to %s: %w", name, err)
		}
		if err := table.Delete(ctx); err != nil {
			return false, fmt.Errorf("adding columns to %s: %w", name, err)
		}
		was = has
	}
	if err := table.Create(ctx, as); err != nil && !exists(err) {
		return false, fmt.Errorf("creating table %s: %w", name, err)
	}
	if was == nil {
		return false, nil
	}
	columns := "`" + strings.Join(was, "`, `") + "`"
	if err := execute(ctx, client, fmt.Sprintf("begin transaction; delete from %s where true; insert into %s (%s) select %s from %s; commit transaction",
		name, name, columns, columns, copied)); err != nil {
		return false, fmt.Errorf("adding columns to %s: %w", name, err)
	}
	if err := kept.Delete(ctx); err != nil {
		return false, fmt.Errorf("adding columns to %s: %w", name, err)
	}
	return true, nil
}

// columnsOf returns the names of a table's columns, nil if there is no table.
func columnsOf(ctx context.Context, table *bigquery.Table) (names []string, err error) {
	metadata, err := table.Metadata(ctx)
	if bqconfig.IsMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s.%s: %w", table.DatasetID, table.TableID, err)
	}
	for _, field := range metadata.Schema {
		names = append(names, field.Name)
	}
	return names, nil
}

func execute(ctx context.Context, client *bigquery.Client, statement string) error {
	_, err := client.Query(statement).Read(ctx)
	return err
}
