package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"golang.org/x/sync/errgroup"
	rest "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// definitionLabel keeps, with each table and view, digests of what it was
// made from. A relation without it is made again.
const definitionLabel = "stationflow-definition"

// A stored relation is what the dataset holds under a name.
type stored struct {
	isView      bool
	partitioned string // column the table is partitioned by
	definition  string
	ends        time.Time // zero for never
	labels      map[string]string
	description string
	// identity changes when anybody makes the relation again, or changes its
	// columns, its SQL or its definition; "" unless it was inspected.
	identity string
}

// isDressed reports whether a relation has options that making it again takes
// away.
func (s stored) isDressed() bool { return !s.ends.IsZero() || len(s.labels) > 1 || s.description != "" }

// relations lists what the dataset holds, by name, and inspects those that
// are named, some at a time. All of it is free of charge.
func (w *warehouse) relations(ctx context.Context, inspected []string, threads int) (map[string]stored, error) {
	listing, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	found := map[string]stored{}
	err := w.retry(listing, func() error {
		clear(found)
		return w.tables.List(w.dataset.ProjectID, w.dataset.DatasetID).MaxResults(1000).Pages(listing, func(page *rest.TableList) error {
			for _, table := range page.Tables {
				relation := stored{isView: table.Type == "VIEW", definition: table.Labels[definitionLabel]}
				if by := table.TimePartitioning; by != nil {
					relation.partitioned = timePartition(by.Field, by.Type)
				} else if by := table.RangePartitioning; by != nil && by.Range != nil {
					relation.partitioned = rangePartition(by.Field, by.Range.Start, by.Range.End, by.Range.Interval)
				}
				found[table.TableReference.TableId] = relation
			}
			return nil
		})
	})
	if err != nil {
		return nil, w.explain(fmt.Errorf("listing the tables of %s: %w", w.dataset.DatasetID, err))
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(threads)
	missing := func(name string) bool { _, exists := found[name]; return !exists }
	for _, name := range slices.DeleteFunc(slices.Clone(inspected), missing) { // all of them before the first is inspected
		group.Go(func() error {
			relation, err := w.inspect(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if found[name] = relation; isNotFound(err) {
				delete(found, name)
				return nil
			}
			return err
		})
	}
	return found, group.Wait()
}

// inspect reads what a relation is, free of charge.
func (w *warehouse) inspect(ctx context.Context, name string) (stored, error) {
	metadata, err := w.metadata(ctx, name)
	if err != nil {
		return stored{}, fmt.Errorf("reading what %s is: %w", name, err)
	}
	found := stored{
		isView: metadata.Type == bigquery.ViewTable, definition: metadata.Labels[definitionLabel],
		ends: metadata.ExpirationTime, labels: metadata.Labels, description: metadata.Description,
	}
	if by := metadata.TimePartitioning; by != nil {
		found.partitioned = timePartition(by.Field, string(by.Type))
	} else if by := metadata.RangePartitioning; by != nil && by.Range != nil {
		found.partitioned = rangePartition(by.Field, by.Range.Start, by.Range.End, by.Range.Interval)
	}
	var columns []project.Column
	if !found.isView { // a view's follow from its SQL
		columns = columnsIn(metadata.Schema)
	}
	found.identity = project.Digest(metadata.Type, found.definition, found.partitioned, metadata.CreationTime.UTC(), metadata.ViewQuery, columns)
	return found, nil
}

// timePartition and rangePartition tell a partitioning from others, as
// project.Partition does.
func timePartition(field, kind string) string {
	return (&project.Partition{Field: field, Granularity: strings.ToLower(cmp.Or(kind, "day"))}).String()
}

func rangePartition(field string, start, end, interval int64) string {
	return (&project.Partition{Field: field, DataType: "int64", Range: &project.Range{Start: start, End: end, Interval: interval}}).String()
}

func (w *warehouse) metadata(ctx context.Context, table string) (metadata *bigquery.TableMetadata, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err = w.retry(ctx, func() error {
		metadata, err = w.dataset.Table(table).Metadata(ctx, bigquery.WithMetadataView(bigquery.BasicMetadataView))
		return err
	})
	return metadata, err
}

// columns returns the columns of a table, in their order.
func (w *warehouse) columns(ctx context.Context, table string) ([]project.Column, error) {
	metadata, err := w.metadata(ctx, table)
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	return columnsIn(metadata.Schema), nil
}

func columnsIn(schema bigquery.Schema) []project.Column {
	columns := make([]project.Column, len(schema))
	for i, field := range schema {
		columns[i] = project.Column{Name: field.Name, Type: typeName(field)}
	}
	return columns
}

// typeName is a column's type in GoogleSQL.
func typeName(field *bigquery.FieldSchema) string {
	kind := strings.ToLower(string(field.Type))
	kind = cmp.Or(usualNames[kind], kind)
	if kind == "record" {
		fields := make([]string, len(field.Schema))
		for i, inner := range field.Schema {
			fields[i] = quoted(inner.Name) + " " + typeName(inner)
		}
		kind = "struct<" + strings.Join(fields, ", ") + ">"
	}
	if field.Repeated {
		kind = "array<" + kind + ">"
	}
	return kind
}

// update changes a relation's options.
func (w *warehouse) update(ctx context.Context, table string, update bigquery.TableMetadataToUpdate) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err := w.retry(ctx, func() error {
		_, err := w.dataset.Table(table).Update(ctx, update, "")
		return err
	})
	if err != nil {
		return fmt.Errorf("setting the options of %s: %w", table, err)
	}
	return nil
}

// A making says how one of a model's relations is made.
type making struct {
	model      *project.Model
	table      string
	isView     bool
	statement  string
	definition string
	ends       time.Time // zero for never
	when       string    // a statement before, which fails unless it may go on
}

// create creates or replaces a relation and notes its definition. After a crash
// in between it has no definition, and is made again.
func (r *run) create(ctx context.Context, m making) error {
	r.mu.Lock()
	found, exists := r.relations[m.table]
	r.mu.Unlock()
	var script []string
	if m.when != "" {
		script = append(script, m.when)
	}
	partitioned := ""
	if !m.isView {
		partitioned = partitionOf(m.model)
	}
	replaceable := found.isView == m.isView && strings.EqualFold(found.partitioned, partitioned) // BigQuery's rule
	if exists && !replaceable {
		if m.isView && !found.isView && found.definition != "" { // made by a run: it may hold what nothing else does
			script = append(script, fmt.Sprintf("create table if not exists %s as\nselect * from %s", r.project.RelationOf(m.table+keptSuffix), r.project.RelationOf(m.table)))
		}
		script = append(script, dropping(found.isView, r.project.RelationOf(m.table)))
	}
	if err := r.send(ctx, strings.Join(append(script, m.statement), ";\n\n")); err != nil {
		return err
	}
	update := basics(m.model, m.ends)
	update.SetLabel(definitionLabel, m.definition)
	if err := r.warehouse.update(ctx, m.table, update); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.relations[m.table] = stored{isView: m.isView, partitioned: partitioned, definition: m.definition, ends: m.ends}
	return nil
}

// remove drops a table or view, free of charge, if it is there.
func (w *warehouse) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err := w.retry(ctx, func() error { return w.dataset.Table(name).Delete(ctx) })
	if isNotFound(err) {
		return nil
	}
	return err
}

// fits reports whether a published table that no run has noted a definition of,
// made by dbt-core or just before a crash, has a model's partitions, and the
// columns that it declares.
func (r *run) fits(ctx context.Context, model *project.Model) (bool, error) {
	found := r.stored(model.Table())
	if found.identity == "" || found.isView || !strings.EqualFold(found.partitioned, partitionOf(model)) {
		return false, nil
	}
	if !model.DeclaresColumns() {
		return true, nil
	}
	there, err := r.warehouse.columns(ctx, model.Table())
	if err != nil || len(there) != len(model.Columns) {
		return false, err
	}
	for _, column := range model.Columns {
		if at := indexOf(there, column.Name); at < 0 || !sameType(there[at].Type, column.Type) {
			return false, nil
		}
	}
	return true, nil
}

// mayBeMadeAgain refuses to make a published table again whose rows may come
// from what its sources have forgotten.
func (r *run) mayBeMadeAgain(ctx context.Context, model *project.Model) error {
	found := r.stored(model.Table())
	if found.identity == "" || found.isView {
		return nil
	}
	rows, err := r.warehouse.query(ctx, "select count(*) as n from "+entire(model, r.project.Relation(model)))
	if err != nil || len(rows) == 1 && rows[0]["n"] == int64(0) {
		return err
	}
	return fmt.Errorf("the table %s has rows and was made with other settings: partition_by, cluster_by, meta or the materialization changed: "+
		"making it again may lose what its sources have forgotten: run with --full-refresh to do that, or take the change back", model.Table())
}

// partitionOf tells a model's partitioning from others; "" for none.
func partitionOf(model *project.Model) string { return model.Config.PartitionBy.String() }

func isNotFound(err error) bool { return isStatus(err, http.StatusNotFound) }

func isStatus(err error, status int) bool {
	var answer *googleapi.Error
	return errors.As(err, &answer) && answer.Code == status
}
