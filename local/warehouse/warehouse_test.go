package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"cloud.google.com/go/bigquery/storage/managedwriter/adapt"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/stationflow/stationflow/local/built"
)

const testProject = "stationflow-test"

// start runs a warehouse in dir, or in none, until the test ends or stop is called.
func start(t testing.TB, dir string) (w *Warehouse, stop func()) {
	t.Helper()
	return startConfig(t, Config{DataDir: dir})
}

func startConfig(t testing.TB, config Config) (w *Warehouse, stop func()) {
	t.Helper()
	config.Project, config.Engine = testProject, []string{built.Program(t, "stationflow"), EngineCommand}
	config.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	w, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	stop = func() {
		if closed {
			return
		}
		closed = true
		if err := w.Close(); err != nil {
			t.Errorf("closing the warehouse: %v", err)
		}
	}
	t.Cleanup(stop)
	return w, stop
}

// restClient is Google's client for the REST API.
func restClient(t testing.TB, w *Warehouse) *bigquery.Client {
	t.Helper()
	client, err := bigquery.NewClient(context.Background(), testProject,
		option.WithEndpoint(w.RESTURL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// writeClient is Google's client for the Storage Write API.
func writeClient(t testing.TB, w *Warehouse, options ...option.ClientOption) *managedwriter.Client {
	t.Helper()
	conn, err := grpc.NewClient(w.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	client, err := managedwriter.NewClient(context.Background(), testProject, append(options, option.WithGRPCConn(conn))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); conn.Close() })
	return client
}

// run runs a statement and returns its rows.
func run(t testing.TB, client *bigquery.Client, sql string) [][]bigquery.Value {
	t.Helper()
	rows, err := tryRun(t.Context(), client, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func tryRun(ctx context.Context, client *bigquery.Client, sql string) ([][]bigquery.Value, error) {
	it, err := client.Query(sql).Read(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]bigquery.Value
	for {
		var row []bigquery.Value
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// count is the result of a query of one whole number.
func count(t testing.TB, client *bigquery.Client, sql string) int64 {
	t.Helper()
	rows := run(t, client, sql)
	if len(rows) != 1 {
		t.Fatalf("%s: %d rows", sql, len(rows))
	}
	return rows[0][0].(int64)
}

// rowType builds messages for a table's rows.
type rowType struct {
	message protoreflect.MessageDescriptor
	schema  *descriptorpb.DescriptorProto
}

func newRowType(t testing.TB, schema bigquery.Schema) rowType {
	t.Helper()
	storage, err := adapt.BQSchemaToStorageTableSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	descriptor, err := adapt.StorageSchemaToProto2Descriptor(storage, "row")
	if err != nil {
		t.Fatal(err)
	}
	message := descriptor.(protoreflect.MessageDescriptor)
	normalized, err := adapt.NormalizeDescriptor(message)
	if err != nil {
		t.Fatal(err)
	}
	return rowType{message, normalized}
}

// row encodes values in the order of the columns; nil is NULL.
func (r rowType) row(t testing.TB, values ...any) []byte {
	t.Helper()
	message := dynamicpb.NewMessage(r.message)
	for i, value := range values {
		if value == nil {
			continue
		}
		if n, ok := value.(int); ok {
			value = int64(n)
		}
		if at, ok := value.(time.Time); ok {
			value = at.UnixMicro()
		}
		message.Set(r.message.Fields().Get(i), protoreflect.ValueOf(value))
	}
	encoded, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func tableName(dataset, table string) string {
	return fmt.Sprintf("projects/%s/datasets/%s/tables/%s", testProject, dataset, table)
}

// createTable makes dataset s and a table in it over REST.
func createTable(t testing.TB, client *bigquery.Client, table string, schema bigquery.Schema) {
	t.Helper()
	if err := client.Dataset("s").Create(t.Context(), nil); err != nil && !hasCode(err, 409) {
		t.Fatal(err)
	}
	if err := client.Dataset("s").Table(table).Create(t.Context(), &bigquery.TableMetadata{Schema: schema}); err != nil {
		t.Fatal(err)
	}
}
