package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"cloud.google.com/go/bigquery/storage/managedwriter/adapt"
	"cloud.google.com/go/civil"
	"cloud.google.com/go/storage"
	"github.com/parquet-go/parquet-go"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/stationflow/stationflow/event"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/merged"
)

// A lakeTable stands in for the table that Terraform puts over a topic's files
// in the lake, which the local warehouse does not have: a plain table into
// which the rows of new files are copied before a statement reads it.
type lakeTable struct {
	topic  string
	config bqconfig.Config
	bucket string

	mu     sync.Mutex
	copied map[string]bool // objects
}

// lakeTables are those of all topics.
func lakeTables(config bqconfig.Config, bucket string) []*lakeTable {
	var all []*lakeTable
	for _, topic := range event.Topics() {
		all = append(all, &lakeTable{topic: topic, config: config, bucket: bucket, copied: map[string]bool{}})
	}
	return all
}

// name is the table's, without the dataset.
func (l *lakeTable) name() string { return l.topic + "_lake" }

// create makes the table, empty: an earlier run's rows are copied again.
func (l *lakeTable) create(ctx context.Context, dataset *bigquery.Dataset, topic bigquery.Schema) error {
	table := dataset.Table(l.name())
	err := table.Create(ctx, &bigquery.TableMetadata{Schema: lakeSchema(topic)})
	if exists(err) {
		if err := table.Delete(ctx); err != nil {
			return fmt.Errorf("emptying table %s: %w", l.name(), err)
		}
		err = table.Create(ctx, &bigquery.TableMetadata{Schema: lakeSchema(topic)})
	}
	if err != nil {
		return fmt.Errorf("creating table %s: %w", l.name(), err)
	}
	return nil
}

// lakeSchema is that of the table over the files: no column is required, and
// the folders are columns.
func lakeSchema(topic bigquery.Schema) bigquery.Schema {
	var schema bigquery.Schema
	for _, field := range topic {
		schema = append(schema, &bigquery.FieldSchema{Name: field.Name, Type: field.Type})
	}
	return append(schema, &bigquery.FieldSchema{Name: "dt", Type: bigquery.DateFieldType}, &bigquery.FieldSchema{Name: "hour", Type: bigquery.StringFieldType})
}

// copyLake copies the lake's new files into the tables that a statement may
// read.
func copyLake(ctx context.Context, tables []*lakeTable, statement string) error {
	for _, table := range tables {
		if strings.Contains(statement, table.name()) {
			if err := table.update(ctx); err != nil {
				return fmt.Errorf("copying the lake's files into %s: %w", table.name(), err)
			}
		}
	}
	return nil
}

// update copies the files that were not yet. After an error, files that were
// copied in part are copied again: readers keep one row of each coordinate.
func (l *lakeTable) update(ctx context.Context) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	bucket := client.Bucket(l.bucket)
	var fresh []string
	sizes := map[string]int64{}
	for objects := bucket.Objects(ctx, &storage.Query{Prefix: "raw/" + l.topic + "/"}); ; {
		object, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return err
		}
		if sizes[object.Name] = object.Size; !l.copied[object.Name] {
			fresh = append(fresh, object.Name)
		}
	}
	if fresh, err = l.unmerged(ctx, bucket, fresh, sizes); err != nil {
		return err
	}
	if len(fresh) == 0 {
		return nil
	}
	rows, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer rows.end()
	for _, object := range fresh {
		if err := rows.copyObject(ctx, bucket.Object(object), object); err != nil {
			return fmt.Errorf("copying %s: %w", object, err)
		}
	}
	if err := rows.flush(ctx); err != nil {
		return err
	}
	for _, object := range fresh {
		l.copied[object] = true
	}
	return nil
}

// unmerged leaves out the files of merges whose records were all copied from the
// files that were merged.
func (l *lakeTable) unmerged(ctx context.Context, bucket *storage.BucketHandle, fresh []string, sizes map[string]int64) ([]string, error) {
	if !slices.ContainsFunc(fresh, func(name string) bool { _, _, ok := lake.ParseMerged(name); return ok }) {
		return fresh, nil
	}
	merges, err := merged.Find(ctx, bucket, sizes)
	for _, merge := range merges {
		if !slices.ContainsFunc(merge.Replaces, func(part merged.Part) bool { return !l.copied[part.Name] }) {
			for _, name := range append(merge.With, merge.Last) {
				l.copied[name] = true
			}
		}
	}
	return slices.DeleteFunc(fresh, func(name string) bool { return l.copied[name] }), err
}

// maxLakeAppend bounds the rows of one append, in bytes.
const maxLakeAppend = 2 << 20

// lakeRows appends rows of Parquet files to a table.
type lakeRows struct {
	client *managedwriter.Client
	stream *managedwriter.ManagedStream
	row    protoreflect.MessageDescriptor

	pending [][]byte
	size    int
}

func (l *lakeTable) open(ctx context.Context) (*lakeRows, error) {
	own, err := tableSchema(l.topic)
	if err != nil {
		return nil, err
	}
	columns, err := adapt.BQSchemaToStorageTableSchema(lakeSchema(own))
	if err != nil {
		return nil, err
	}
	described, err := adapt.StorageSchemaToProto2Descriptor(columns, "Row")
	if err != nil {
		return nil, err
	}
	r := &lakeRows{row: described.(protoreflect.MessageDescriptor)}
	if r.client, err = managedwriter.NewClient(ctx, l.config.Project, l.config.GRPCOptions()...); err != nil {
		return nil, err
	}
	r.stream, err = r.client.NewManagedStream(ctx, managedwriter.WithSchemaDescriptor(protodesc.ToDescriptorProto(r.row)),
		managedwriter.WithDestinationTable(managedwriter.TableParentFromParts(l.config.Project, l.config.StagingDataset, l.name())))
	if err != nil {
		return nil, errors.Join(err, r.client.Close())
	}
	return r, nil
}

// end ends the connection. What was appended is durable before.
func (r *lakeRows) end() {
	_ = r.stream.Close() // io.EOF, even when all is well
	_ = r.client.Close()
}

// copyObject appends the rows of an object, of which the last may wait for flush.
func (r *lakeRows) copyObject(ctx context.Context, object *storage.ObjectHandle, name string) error {
	folder, err := folderOf(name)
	if err != nil {
		return err
	}
	reader, err := object.NewReader(ctx)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(reader)
	if err = errors.Join(err, reader.Close()); err != nil {
		return err
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	columns := file.Schema().Columns()
	for _, group := range file.RowGroups() {
		if err := r.copyGroup(ctx, group, columns, folder); err != nil {
			return err
		}
	}
	return nil
}

func (r *lakeRows) copyGroup(ctx context.Context, group parquet.RowGroup, columns [][]string, folder map[string]any) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	some := make([]parquet.Row, 256)
	for {
		n, read := rows.ReadRows(some)
		for _, row := range some[:n] {
			if err := r.add(ctx, row, columns, folder); err != nil {
				return err
			}
		}
		if errors.Is(read, io.EOF) {
			return nil
		}
		if read != nil {
			return read
		}
	}
}

func (r *lakeRows) add(ctx context.Context, row parquet.Row, columns [][]string, folder map[string]any) error {
	message := dynamicpb.NewMessage(r.row)
	for _, value := range row {
		field := r.row.Fields().ByTextName(columns[value.Column()][0])
		if field != nil && !value.IsNull() {
			message.Set(field, protoValue(field, value))
		}
	}
	for name, value := range folder {
		message.Set(r.row.Fields().ByTextName(name), protoreflect.ValueOf(value))
	}
	encoded, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	if r.size += len(encoded); r.size > maxLakeAppend {
		if err := r.flush(ctx); err != nil {
			return err
		}
		r.size = len(encoded)
	}
	r.pending = append(r.pending, encoded)
	return nil
}

// flush appends what is pending.
func (r *lakeRows) flush(ctx context.Context) error {
	if len(r.pending) == 0 {
		return nil
	}
	result, err := r.stream.AppendRows(ctx, r.pending)
	if err == nil {
		_, err = result.GetResult(ctx)
	}
	r.pending, r.size = nil, 0
	return err
}

func protoValue(field protoreflect.FieldDescriptor, value parquet.Value) protoreflect.Value {
	switch {
	case field.Kind() == protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(value.Double())
	case field.Kind() == protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes.Clone(value.ByteArray()))
	case field.Kind() == protoreflect.StringKind:
		return protoreflect.ValueOfString(string(value.ByteArray()))
	}
	return protoreflect.ValueOfInt64(value.Int64()) // a TIMESTAMP is in microseconds in both
}

// folderOf reads the columns that an object's folders are.
func folderOf(name string) (map[string]any, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 5 || !strings.HasPrefix(parts[2], "dt=") || !strings.HasPrefix(parts[3], "hour=") {
		return nil, errors.New("its name is not raw/TOPIC/dt=YYYY-MM-DD/hour=HH/FILE")
	}
	day, err := civil.ParseDate(strings.TrimPrefix(parts[2], "dt="))
	if err != nil {
		return nil, err
	}
	return map[string]any{"dt": int32(day.DaysSince(civil.DateOf(time.Unix(0, 0).UTC()))), "hour": strings.TrimPrefix(parts[3], "hour=")}, nil
}
