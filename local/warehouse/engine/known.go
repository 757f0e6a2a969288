package engine

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goccy/bigquery-emulator/types"
	"github.com/goccy/googlesqlite"
	bigquery "google.golang.org/api/bigquery/v2"

	"github.com/stationflow/stationflow/local/warehouse"
)

// known is what the emulator knows of tables, in its database and in its form. The methods read and change it over a
// connection to SQLite.
type known struct{ *sql.Conn }

// tableID names a table as the emulator does: case matters.
type tableID struct{ project, dataset, table string }

// String is the form of the name in BigQuery's errors.
func (id tableID) String() string { return id.project + ":" + id.dataset + "." + id.table }

// storedName is the name of the table that has the rows.
func (id tableID) storedName() string { return id.project + "_" + id.dataset + "_" + id.table }

// errNotFound begins the error of a table, or a dataset, that is not there.
var errNotFound = errors.New("Not found")

// content is what the emulator knows of a table: BigQuery's resource as JSON.
func (k known) content(ctx context.Context, id tableID) (map[string]any, error) {
	var encoded string
	err := k.QueryRowContext(ctx, "SELECT metadata FROM tables WHERE projectID = ? AND datasetID = ? AND id = ?",
		encode(id.project), encode(id.dataset), encode(id.table)).Scan(&encoded)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: Table %s", errNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is known of table %s: %w", id.table, err)
	}
	value, _ := decode(encoded)
	var content map[string]any
	if err := json.Unmarshal([]byte(value.Body), &content); err != nil {
		return nil, fmt.Errorf("reading what is known of table %s: %w", id.table, err)
	}
	return content, nil
}

// encode is a text as the emulator keeps it.
func encode(text string) string {
	content, _ := json.Marshal(stored{Header: "string", Body: text}) // two texts are always JSON
	return base64.StdEncoding.EncodeToString(content)
}

// store replaces what is known of a table.
func (k known) store(ctx context.Context, id tableID, content map[string]any) error {
	text, err := json.Marshal(content)
	if err == nil {
		_, err = k.ExecContext(ctx, "UPDATE tables SET metadata = ? WHERE projectID = ? AND datasetID = ? AND id = ?",
			encode(string(text)), encode(id.project), encode(id.dataset), encode(id.table))
	}
	if err != nil {
		return fmt.Errorf("changing what is known of table %s: %w", id.table, err)
	}
	return nil
}

// resource is a table's content as BigQuery's type, with the number of its rows.
func (k known) resource(ctx context.Context, id tableID, content map[string]any) (*bigquery.Table, error) {
	table := &bigquery.Table{}
	text, err := json.Marshal(content)
	if err == nil {
		err = json.Unmarshal(text, table)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is known of table %s: %w", id.table, err)
	}
	if table.Type == "" || table.Type == "TABLE" {
		table.NumRows = k.rows(ctx, id)
	}
	return table, nil
}

// members are those of a table's resource that are not empty.
func members(table *bigquery.Table) (content map[string]any, err error) {
	text, err := json.Marshal(table)
	if err == nil {
		err = json.Unmarshal(text, &content)
	}
	return content, err
}

// rows counts a table's rows; a table that has no columns has none.
func (k known) rows(ctx context.Context, id tableID) (n uint64) {
	count := "SELECT COUNT(*) FROM `" + strings.ReplaceAll(id.storedName(), "`", "``") + "`"
	_ = k.QueryRowContext(ctx, count).Scan(&n)
	return n
}

// merge has what is given take the place of what is known.
func merge(known, given map[string]any) map[string]any {
	maps.Copy(known, given)
	return known
}

// follow makes known which tables and views a query has made and dropped, and returns what it has made. as is what else
// the query says of that.
func (k known) follow(
	ctx context.Context, changed *googlesqlite.ChangedCatalog, as *warehouse.Made,
) (made []*bigquery.Table, err error) {
	for _, spec := range changed.Table.Added {
		table, err := k.add(ctx, spec, as)
		if err != nil {
			return nil, err
		}
		made = append(made, table)
	}
	for _, spec := range changed.Table.Deleted {
		id, err := idFrom(spec)
		if err != nil {
			return nil, err
		}
		if _, err := k.ExecContext(ctx, "DELETE FROM tables WHERE projectID = ? AND datasetID = ? AND id = ?",
			encode(id.project), encode(id.dataset), encode(id.table)); err != nil {
			return nil, fmt.Errorf("forgetting table %s: %w", id.table, err)
		}
	}
	return made, nil
}

func idFrom(spec *googlesqlite.TableSpec) (tableID, error) {
	if len(spec.NamePath) != 3 {
		return tableID{}, fmt.Errorf("%q is not project, dataset and table", strings.Join(spec.NamePath, "."))
	}
	return tableID{spec.NamePath[0], spec.NamePath[1], spec.NamePath[2]}, nil
}

// add makes a new table or view known.
func (k known) add(ctx context.Context, spec *googlesqlite.TableSpec, as *warehouse.Made) (*bigquery.Table, error) {
	id, err := idFrom(spec)
	if err != nil {
		return nil, err
	}
	content, err := contentOf(id, spec, as)
	if err != nil {
		return nil, fmt.Errorf("noting table %s: %w", id.table, err)
	}
	text, err := json.Marshal(content)
	if err == nil {
		_, err = k.ExecContext(ctx, "INSERT INTO tables (id, projectID, datasetID, metadata) VALUES (?, ?, ?, ?)",
			encode(id.table), encode(id.project), encode(id.dataset), encode(string(text)))
	}
	if err != nil {
		return nil, fmt.Errorf("noting table %s: %w", id.table, err)
	}
	return k.resource(ctx, id, content)
}

// free fails where there is no such dataset, or a table of this name already.
func (k known) free(ctx context.Context, id tableID) error {
	var datasets, tables int
	err := k.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM datasets WHERE projectID = ?1 AND id = ?2),
		(SELECT COUNT(*) FROM tables WHERE projectID = ?1 AND datasetID = ?2 AND id = ?3)`,
		encode(id.project), encode(id.dataset), encode(id.table)).Scan(&datasets, &tables)
	switch {
	case err != nil:
		return fmt.Errorf("looking for dataset %s: %w", id.dataset, err)
	case datasets == 0:
		return fmt.Errorf("%w: Dataset %s:%s", errNotFound, id.project, id.dataset)
	case tables > 0:
		return fmt.Errorf("Already Exists: Table %s", id)
	}
	return nil
}

// contentOf is what is known of a new table or view.
func contentOf(id tableID, spec *googlesqlite.TableSpec, as *warehouse.Made) (map[string]any, error) {
	table := &bigquery.Table{
		Id: id.String(), Kind: "bigquery#table", Type: "TABLE", CreationTime: time.Now().UnixMilli(),
		TableReference: &bigquery.TableReference{ProjectId: id.project, DatasetId: id.dataset, TableId: id.table},
		Schema:         &bigquery.TableSchema{},
	}
	for _, column := range spec.Columns {
		field := types.TableFieldSchemaFromColumnType(column.Name, column.Type)
		if as != nil && slices.Contains(as.Required, strings.ToLower(column.Name)) {
			field.Mode = "REQUIRED"
		}
		table.Schema.Fields = append(table.Schema.Fields, field)
	}
	if spec.IsView {
		table.Type, table.View = "VIEW", &bigquery.ViewDefinition{Query: spec.Query}
	}
	content, err := members(table)
	if err != nil || as == nil {
		return content, err
	}
	given, err := members(&as.Table)
	return merge(content, given), err
}
