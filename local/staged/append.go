package staged

import (
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/managedwriter"
	"cloud.google.com/go/bigquery/storage/managedwriter/adapt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/stationflow/stationflow/event"
	env "github.com/stationflow/stationflow/internal/warehouse"
	"github.com/stationflow/stationflow/local/expect"
)

// An appender writes rows to staging tables through the Storage Write API.
type appender struct {
	t       testing.TB
	tables  env.Config
	client  *managedwriter.Client
	streams map[string]*stream
}

type stream struct {
	managed *managedwriter.ManagedStream
	message protoreflect.MessageDescriptor
}

func newAppender(t testing.TB, config env.Config) *appender {
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

// append writes the rows, each a value by column; what is nil is NULL.
func (a *appender) append(table string, rows []map[string]any) {
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
	switch e := record.Event.(type) {
	case event.Incident:
		fill(row, "id", e.ID, "type", e.Type, "station", e.Station, "location", e.Location,
			"timestamp", e.Timestamp.UnixMicro(), "severity", e.Severity, "duration", e.Duration)
	case event.EquipmentFailure:
		fill(row, "id", e.ID, "equipment", e.Equipment, "station", e.Station, "location", e.Location,
			"timestamp", e.Timestamp.UnixMicro(), "duration", e.Duration)
	case event.TrainMovement:
		fill(row, "id", e.ID, "station", e.Station, "timestamp", e.Timestamp.UnixMicro(), "passengers", e.Passengers,
			"dock_number", e.DockNumber, "wagon_count", e.WagonCount, "direction", e.Direction, "train_number", deref(e.TrainNumber))
		if e.ScheduledTimestamp != nil {
			row["scheduled_timestamp"] = e.ScheduledTimestamp.UnixMicro()
		}
	case event.TicketValidation:
		fill(row, "id", e.ID, "train_id", e.TrainID, "station", e.Station, "timestamp", e.Timestamp.UnixMicro(),
			"validations", e.Validations, "rejected", deref(e.Rejected))
	case event.PassengerFlow:
		fill(row, "id", e.ID, "train_id", e.TrainID, "station", e.Station, "timestamp", e.Timestamp.UnixMicro(),
			"waiting_time", e.WaitingTime, "ticket_check_time", e.TicketCheckTime, "reduced_flow_factor", e.ReducedFlowFactor,
			"entered", deref(e.Entered), "exited", deref(e.Exited), "zone", deref(e.Zone))
	default:
		panic(fmt.Sprintf("no event: %T", e))
	}
	return row
}

func fill(row map[string]any, pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		row[pairs[i].(string)] = pairs[i+1]
	}
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
