package transform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cloud.google.com/go/bigquery"
	rest "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/functions/transform/project"
)

// definitionLabel keeps, with each table and view, digests of what it was
// made from. A relation without it is made anew.
const definitionLabel = "stationflow-definition"

// A stored relation is what the dataset holds under a name.
type stored struct {
	isView      bool
	partitioned string // column the table is partitioned by
	definition  string
}

// relations lists what the dataset holds, by name: one request, free of
// charge.
func (w *warehouse) relations(ctx context.Context) (map[string]stored, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	found := map[string]stored{}
	err := w.retry(ctx, func() error {
		clear(found)
		return w.tables.List(w.dataset.ProjectID, w.dataset.DatasetID).MaxResults(1000).Pages(ctx, func(page *rest.TableList) error {
			for _, table := range page.Tables {
				relation := stored{isView: table.Type == "VIEW", definition: table.Labels[definitionLabel]}
				if table.TimePartitioning != nil {
					relation.partitioned = table.TimePartitioning.Field
				}
				found[table.TableReference.TableId] = relation
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing the tables of %s: %w", w.dataset.DatasetID, err)
	}
	return found, nil
}

// columns returns the columns of a table, in their order.
func (w *warehouse) columns(ctx context.Context, table string) ([]project.Column, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	metadata, err := w.dataset.Table(table).Metadata(ctx, bigquery.WithMetadataView(bigquery.BasicMetadataView))
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	var columns []project.Column
	for _, field := range metadata.Schema {
		columns = append(columns, project.Column{Name: field.Name, Type: typeName(field)})
	}
	return columns, nil
}

// typeName is a column's type in GoogleSQL.
func typeName(field *bigquery.FieldSchema) string {
	kind := strings.ToLower(string(field.Type))
	names := map[string]string{"integer": "int64", "float": "float64", "boolean": "bool", "record": "struct"}
	if name, ok := names[kind]; ok {
		kind = name
	}
	if field.Repeated {
		kind = "array<" + kind + ">"
	}
	return kind
}

// describe writes the definition and the model's description to a relation.
func (w *warehouse) describe(ctx context.Context, table, description, definition string) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	update := bigquery.TableMetadataToUpdate{Description: description}
	update.SetLabel(definitionLabel, definition)
	err := w.retry(ctx, func() error {
		_, err := w.dataset.Table(table).Update(ctx, update, "")
		return err
	})
	if err != nil {
		return fmt.Errorf("describing table %s: %w", table, err)
	}
	return nil
}

// make creates or replaces a relation and notes its definition. After a crash
// in between it has no definition, and is made anew.
func (r *run) make(ctx context.Context, table string, isView bool, partitioned, statement, description, definition string) error {
	r.mu.Lock()
	found, exists := r.relations[table]
	r.mu.Unlock()
	replaceable := found.isView == isView && found.partitioned == partitioned // BigQuery's rule
	if exists && (r.warehouse.dropsFirst || !replaceable) {
		kind := "table"
		if found.isView {
			kind = "view"
		}
		if _, err := r.warehouse.query(ctx, fmt.Sprintf("drop %s if exists %s", kind, r.project.RelationOf(table))); err != nil {
			return err
		}
	}
	if _, err := r.warehouse.query(ctx, statement); err != nil {
		return err
	}
	if err := r.warehouse.describe(ctx, table, description, definition); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.relations[table] = stored{isView: isView, partitioned: partitioned, definition: definition}
	return nil
}

// partitionOf is the column a model's table is partitioned by, or "".
func partitionOf(model *project.Model) string {
	if model.Config.PartitionBy == nil {
		return ""
	}
	return model.Config.PartitionBy.Field
}

// makeDataset makes a dataset unless it is there, in the location of the
// models': no statement can use two.
func (w *warehouse) makeDataset(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err := w.retry(ctx, func() error {
		location, err := w.where(ctx)
		if err != nil {
			return err
		}
		return w.client.Dataset(name).Create(ctx, &bigquery.DatasetMetadata{Location: location})
	})
	if isStatus(err, http.StatusConflict) {
		return nil
	}
	return err
}

func isNotFound(err error) bool { return isStatus(err, http.StatusNotFound) }

func isStatus(err error, status int) bool {
	var answer *googleapi.Error
	return errors.As(err, &answer) && answer.Code == status
}
