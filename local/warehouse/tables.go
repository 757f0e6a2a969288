package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	bigquery "google.golang.org/api/bigquery/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// tables knows the tables that rows are appended to. The emulator reads a table's columns once per write stream and
// never again, so each entry has a stream of its own and is forgotten when a statement or request changes the table.
// The gate guards it: hold it for every call.
type tables struct {
	emulator *emulator
	gate     *gate
	known    map[string]*table // by path
	meter    *meter
}

// table is one table as it was when its stream was made.
type table struct {
	name    string // dataset.table
	path    string
	stream  *storagepb.WriteStream
	columns map[string]*bigquery.TableFieldSchema // by lower-case name
}

func newTables(e *emulator, g *gate) *tables {
	return &tables{emulator: e, gate: g, known: map[string]*table{}, meter: newMeter(e)}
}

// tablePath is a table's name in the Storage API.
func tablePath(project, dataset, id string) string {
	return "projects/" + project + "/datasets/" + dataset + "/tables/" + id
}

// find returns the table at path, or NotFound.
func (t *tables) find(ctx context.Context, path string) (*table, error) {
	if known := t.known[path]; known != nil {
		return known, nil
	}
	parts := strings.Split(path, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "datasets" || parts[4] != "tables" {
		return nil, status.Errorf(codes.InvalidArgument,
			"%q is no table: write projects/PROJECT/datasets/DATASET/tables/TABLE", path)
	}
	columns, err := t.columns(ctx, path)
	if err != nil {
		return nil, err
	}
	stream, err := t.emulator.write.CreateWriteStream(ctx, &storagepb.CreateWriteStreamRequest{
		Parent: path, WriteStream: &storagepb.WriteStream{Type: storagepb.WriteStream_COMMITTED},
	})
	if err != nil {
		return nil, fmt.Errorf("opening a write stream of %s: %w", path, err)
	}
	found := &table{name: parts[3] + "." + parts[5], path: path, stream: stream, columns: columns}
	t.known[path] = found
	return found, nil
}

func (t *tables) columns(ctx context.Context, path string) (map[string]*bigquery.TableFieldSchema, error) {
	answer, fault := t.emulator.call(ctx, http.MethodGet, "/"+path, nil)
	if fault != nil {
		return nil, status.Error(codes.Unavailable, fault.message)
	}
	var content bigquery.Table
	if answer.code == http.StatusNotFound {
		return nil, status.Errorf(codes.NotFound, "Requested entity was not found. Entity: %s", path)
	}
	if err := json.Unmarshal(answer.body, &content); err != nil || answer.code != http.StatusOK {
		return nil, fmt.Errorf("reading the columns of %s: status %d: %s", path, answer.code, answer.body)
	}
	if content.Schema == nil || content.View != nil {
		return nil, status.Errorf(codes.InvalidArgument, "%s takes no rows: it is a view or has no columns", path)
	}
	columns := make(map[string]*bigquery.TableFieldSchema, len(content.Schema.Fields))
	for _, column := range content.Schema.Fields {
		columns[strings.ToLower(column.Name)] = column
	}
	return columns, nil
}

// forget drops what is known of the table at path, or of everything below path, because it may have changed.
func (t *tables) forget(path string) {
	t.meter.forget(path)
	for known := range t.known {
		if known == path || strings.HasPrefix(known, path+"/") {
			delete(t.known, known)
		}
	}
}

// forgetAll drops what is known of every table, because the streams went with the emulator's process.
func (t *tables) forgetAll() { clear(t.known) }
