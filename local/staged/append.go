package staged

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/managedwriter"
	"cloud.google.com/go/bigquery/storage/managedwriter/adapt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/local/expect"
)

// An appender writes rows to staging tables through the Storage Write API.
type appender struct {
	t       testing.TB
	tables  bqconfig.Config
	client  *managedwriter.Client
	streams map[string]*stream
}

type stream struct {
	managed *managedwriter.ManagedStream
	message protoreflect.MessageDescriptor
}

func newAppender(t testing.TB, config bqconfig.Config) *appender {
	t.Helper()
	client, err := managedwriter.NewClient(t.Context(), config.Project, config.GRPCOptions()...)
	check(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return &appender{t: t, tables: config, client: client, streams: map[string]*stream{}}
}

func (a *appender) stream(table string) *stream {
	if s := a.streams[table]; s != nil {
		return s
	}
	schema, err := adapt.BQSchemaToStorageTableSchema(schemaOf(a.t, table))
	check(a.t, err)
	described, err := adapt.StorageSchemaToProto2Descriptor(schema, "Row")
	check(a.t, err)
	message := described.(protoreflect.MessageDescriptor)
	self := protodesc.ToDescriptorProto(message)
	managed, err := a.client.NewManagedStream(a.t.Context(),
		managedwriter.WithDestinationTable(fmt.Sprintf("projects/%s/datasets/%s/tables/%s", a.tables.Project, a.tables.StagingDataset, table)),
		managedwriter.WithSchemaDescriptor(proto.Clone(self).(*descriptorpb.DescriptorProto)))
	check(a.t, err)
	a.t.Cleanup(func() { _ = managed.Close() })
	a.streams[table] = &stream{managed: managed, message: message}
	return a.streams[table]
}

// write writes the rows, each a value by column; what is nil is NULL.
func (a *appender) write(table string, rows []map[string]any) {
	a.t.Helper()
	for len(rows) > 0 {
		some := rows[:min(len(rows), 5000)]
		rows = rows[len(some):]
		s := a.stream(table)
		var encoded [][]byte
		for _, row := range some {
			message := dynamicpb.NewMessage(s.message)
			for name, value := range row {
				if value != nil {
					message.Set(s.message.Fields().ByTextName(name), protoreflect.ValueOf(value))
				}
			}
			bytes, err := proto.Marshal(message)
			check(a.t, err)
			encoded = append(encoded, bytes)
		}
		result, err := s.managed.AppendRows(a.t.Context(), encoded)
		check(a.t, err)
		response, err := result.FullResponse(a.t.Context())
		if err != nil {
			a.t.Fatalf("appending to %s: %v: %v", table, err, response.GetRowErrors())
		}
	}
}

// rowOf is a record's row of staging.
func rowOf(record expect.Record, ingestedAt time.Time) map[string]any {
	row := map[string]any{
		"kafka_topic": record.Topic, "kafka_topic_id": record.TopicID,
		"kafka_partition": int64(record.Partition), "kafka_offset": record.Offset,
		"ingested_at": ingestedAt.UnixMicro(), "batch_id": "b",
	}
	fields := reflect.ValueOf(record.Event)
	for i := range fields.NumField() {
		row[fields.Type().Field(i).Tag.Get("json")] = cell(fields.Field(i))
	}
	return row
}

// cell is a field's value as the warehouse takes it, nil for NULL.
func cell(field reflect.Value) any {
	if field.Kind() == reflect.Pointer {
		if field.IsNil() {
			return nil
		}
		field = field.Elem()
	}
	if at, ok := field.Interface().(time.Time); ok {
		return at.UnixMicro()
	}
	return field.Interface()
}
