package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/goccy/bigquery-emulator/types"
	"github.com/goccy/googlesqlite"
	bigquery "google.golang.org/api/bigquery/v2"

	"github.com/stationflow/stationflow/local/warehouse"
)

// queries answers jobs.query in place of the emulator, with its driver for GoogleSQL and in its form. The emulator reads
// all that it knows of the project before each request, and again for each table that is made, with six statements in
// GoogleSQL: 9 of the 10 ms of a small query. It also notes a job, which somebody would have to delete.
type queries struct {
	project  string
	database *database
}

func (q *queries) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request warehouse.EngineQuery
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	if project := r.PathValue("project"); project != q.project {
		fail(w, http.StatusNotFound, fmt.Errorf("project %s is not found", project))
		return
	}
	answer, err := q.run(r.Context(), request)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	reply(w, answer)
}

// guarded turns a panic of the emulator's driver, which has them over some values, into an error.
func guarded(err *error) {
	if fault := recover(); fault != nil {
		*err = fmt.Errorf("%v", fault)
	}
}

// result is the answer to a query.
type result struct {
	Schema *bigquery.TableSchema `json:"schema"`
	Rows   []row                 `json:"rows"`
	Made   []*bigquery.Table     `json:"made,omitempty"`
}

type row struct {
	F []cell `json:"f"`
}

type cell struct {
	V any `json:"v"`
}

// run runs a query in a transaction of its own, which is rolled back for a dry run and after a failure.
func (q *queries) run(ctx context.Context, request warehouse.EngineQuery) (_ *result, err error) {
	defer guarded(&err)
	conn, err := q.database.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	known := known{conn.sqlite}
	if made := request.Made; made != nil && made.Table.TableReference != nil {
		ref := made.Table.TableReference
		if err := known.free(ctx, tableID{ref.ProjectId, ref.DatasetId, ref.TableId}); err != nil {
			return nil, err
		}
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // which it is not after Commit
	path := []string{q.project}
	if request.DefaultDataset != nil && request.DefaultDataset.DatasetId != "" {
		path = append(path, request.DefaultDataset.DatasetId)
	}
	if err := conn.complete(path); err != nil {
		return nil, err
	}
	rows, changed, err := conn.query(ctx, tx, request.SQL)
	if err != nil {
		return nil, err
	}
	answer, err := read(rows)
	if err != nil || request.DryRun {
		return answer, err
	}
	if answer.Made, err = known.follow(ctx, changed, request.Made); err != nil {
		return nil, err
	}
	return answer, tx.Commit()
}

// query runs a query in a transaction of the connection, and returns which tables it made or dropped.
func (c *connection) query(ctx context.Context, tx *sql.Tx, statement string) (rows *sql.Rows, changed *googlesqlite.ChangedCatalog, err error) {
	query := func() (_ *googlesqlite.ChangedCatalog, err error) {
		if rows, err = tx.QueryContext(ctx, statement); err == nil {
			changed, err = googlesqlite.ChangedCatalogFromRows(rows)
		}
		return changed, err
	}
	if !drops(statement) {
		_, err = query()
		return rows, changed, err
	}
	known, err := c.catalog()
	if err != nil {
		return nil, nil, err
	}
	err = known.cheaply(query)
	return rows, changed, err
}

// read reads all rows, and closes them: only then the driver has done all that the statements ask for.
func read(rows *sql.Rows) (answer *result, err error) {
	defer func() {
		if closed := rows.Close(); err == nil && closed != nil {
			err = closed
		}
	}()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, fmt.Errorf("reading the columns of the result: %w", err)
	}
	answer = &result{Schema: &bigquery.TableSchema{Fields: []*bigquery.TableFieldSchema{}}, Rows: []row{}}
	for _, column := range columns {
		kind, err := googlesqlite.UnmarshalDatabaseTypeName(column.DatabaseTypeName())
		if err != nil {
			return nil, fmt.Errorf("reading the type of column %s: %w", column.Name(), err)
		}
		answer.Schema.Fields = append(answer.Schema.Fields, types.TableFieldSchemaFromColumnType(column.Name(), kind))
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("reading a row: %w", err)
		}
		cells := make([]cell, len(values))
		for i, value := range values {
			cells[i] = cellOf(value, answer.Schema.Fields[i])
			cells[i].V = micros(cells[i].V, answer.Schema.Fields[i])
		}
		answer.Rows = append(answer.Rows, row{cells})
	}
	return answer, rows.Err()
}

// cellOf is a value in the API's form. The driver gives an ARRAY and a STRUCT as slices, of which only the column's type
// tells which is which.
func cellOf(value any, field *bigquery.TableFieldSchema) cell {
	if value == nil {
		if field.Mode == "REPEATED" {
			return cell{[]cell{}}
		}
		return cell{}
	}
	list := reflect.ValueOf(value)
	isList := list.Kind() == reflect.Slice || list.Kind() == reflect.Array
	switch {
	case isList && field.Mode == "REPEATED":
		element := *field
		element.Mode = "NULLABLE"
		cells := make([]cell, list.Len())
		for i := range cells {
			cells[i] = cellOf(list.Index(i).Interface(), &element)
		}
		return cell{cells}
	case isList && field.Type == "RECORD":
		cells := make([]cell, min(list.Len(), len(field.Fields)))
		for i := range cells {
			cells[i] = cellOf(list.Index(i).Interface(), field.Fields[i])
		}
		return cell{row{cells}}
	}
	return cell{fmt.Sprint(value)}
}

// micros is a TIMESTAMP of a result's column in microseconds since 1970; anything else stays as it is.
func micros(value any, field *bigquery.TableFieldSchema) any {
	text, ok := value.(string)
	if !ok || field.Type != "TIMESTAMP" {
		return value
	}
	at, err := googlesqlite.TimeFromTimestampValue(text)
	if err != nil {
		return value
	}
	return strconv.FormatInt(at.UnixMicro(), 10)
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the gateway may be gone
}

// fail answers with an error in the form of the emulator's.
func fail(w http.ResponseWriter, code int, err error) {
	var answer struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	answer.Error.Code, answer.Error.Message = code, err.Error()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // the gateway may be gone
}
