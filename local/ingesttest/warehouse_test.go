package ingesttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/stationflow/stationflow/event"
)

// A row is what a table holds: columns by name, absent ones NULL.
type row map[string]any

// A fakeWarehouse speaks the Storage Write API of default streams and keeps
// what it is given. before decides about each request; it may be changed while
// calls run.
type fakeWarehouse struct {
	storagepb.UnimplementedBigQueryWriteServer

	mu          sync.Mutex
	tables      map[string][]row // by the last part of the name
	largest     int              // bytes of the largest request
	lookedUp    int              // streams
	connections int
	lacks       map[string]string // by table: columns that it has not, by comma
	altered     map[string]bool   // tables that have got columns, which the next answer tells
	before      func(table string, rows []row) verdict
}

// A verdict is what becomes of a request. The zero verdict takes the rows.
type verdict struct {
	lose   bool            // takes the rows and breaks the connection instead of answering
	broken error           // breaks the connection with the error; takes nothing
	status codes.Code      // answers with an error; takes nothing
	refuse map[int]string  // answers with row errors; takes nothing
	mild   bool            // with row errors alone, without saying that the request failed
	hang   <-chan struct{} // answers only when it is closed
}

func startWarehouse(t *testing.T) (*fakeWarehouse, string) {
	t.Helper()
	w := &fakeWarehouse{tables: make(map[string][]row)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer() // with the default limit of 4 MiB a message
	storagepb.RegisterBigQueryWriteServer(server, w)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-stopped; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("serving the fake warehouse: %v", err)
		}
	})
	return w, listener.Addr().String()
}

// decide sets what becomes of requests from now on.
func (w *fakeWarehouse) decide(before func(table string, rows []row) verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = before
}

// once gives the verdict for the first request to the table only.
func once(table string, v verdict) func(string, []row) verdict {
	var mu sync.Mutex
	done := false
	return func(to string, _ []row) verdict {
		mu.Lock()
		defer mu.Unlock()
		if done || to != table {
			return verdict{}
		}
		done = true
		return v
	}
}

// rows returns what the table holds.
func (w *fakeWarehouse) rows(table string) []row {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]row(nil), w.tables[table]...)
}

func (w *fakeWarehouse) opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connections
}

func (w *fakeWarehouse) lookups() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lookedUp
}

func (w *fakeWarehouse) GetWriteStream(_ context.Context, r *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	w.mu.Lock()
	w.lookedUp++
	w.mu.Unlock()
	if strings.Contains(r.Name, "/missing_data/") {
		return nil, grpcstatus.Errorf(codes.NotFound, "no table %s", r.Name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := &storagepb.WriteStream{Name: r.Name, Location: "local"}
	if table := strings.Split(r.Name, "/")[5]; r.View == storagepb.WriteStreamView_FULL {
		schema, _ := event.SchemaOf(table)
		answer.TableSchema = &storagepb.TableSchema{}
		for _, column := range schema.StagingColumns() {
			if !strings.Contains(w.lacks[table], column.Name) {
				answer.TableSchema.Fields = append(answer.TableSchema.Fields, &storagepb.TableFieldSchema{Name: column.Name})
			}
		}
	}
	return answer, nil
}

// AppendRows serves one connection: the first request names the stream and
// brings the schema, for those that follow.
func (w *fakeWarehouse) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	w.mu.Lock()
	w.connections++
	w.mu.Unlock()
	var table string
	var schema protoreflect.MessageDescriptor
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if d := request.GetProtoRows().GetWriterSchema().GetProtoDescriptor(); d != nil {
			if schema, err = messageOf(d); err != nil {
				return grpcstatus.Errorf(codes.InvalidArgument, "writer schema: %v", err)
			}
			table = strings.Split(request.WriteStream, "/")[5]
		}
		if err := w.take(stream, table, schema, request); err != nil {
			return err
		}
	}
}

func (w *fakeWarehouse) take(stream storagepb.BigQueryWrite_AppendRowsServer, table string, schema protoreflect.MessageDescriptor, request *storagepb.AppendRowsRequest) error {
	rows, err := parse(schema, request.GetProtoRows().GetRows().GetSerializedRows())
	if err != nil {
		return grpcstatus.Errorf(codes.InvalidArgument, "rows: %v", err)
	}
	w.mu.Lock()
	w.largest = max(w.largest, proto.Size(request))
	before := w.before
	w.mu.Unlock()
	var v verdict
	if before != nil {
		v = before(table, rows)
	}
	if v.hang != nil {
		select {
		case <-v.hang:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
	answer := &storagepb.AppendRowsResponse{}
	if extra := w.extra(table, schema); extra != nil {
		answer.Response = &storagepb.AppendRowsResponse_Error{Error: extra}
		return stream.Send(answer)
	}
	switch {
	case v.broken != nil:
		return v.broken
	case v.status != codes.OK:
		answer.Response = &storagepb.AppendRowsResponse_Error{Error: &status.Status{Code: int32(v.status), Message: "as the test wants"}}
	case len(v.refuse) > 0:
		if !v.mild {
			answer.Response = &storagepb.AppendRowsResponse_Error{Error: &status.Status{Code: int32(codes.InvalidArgument), Message: "row errors"}}
		}
		for i, why := range v.refuse {
			answer.RowErrors = append(answer.RowErrors, &storagepb.RowError{Index: int64(i), Code: storagepb.RowError_FIELDS_ERROR, Message: why})
		}
	default:
		w.mu.Lock()
		w.tables[table] = append(w.tables[table], rows...)
		if w.altered[table] {
			delete(w.altered, table)
			answer.UpdatedSchema = &storagepb.TableSchema{}
		}
		w.mu.Unlock()
		if v.lose {
			return grpcstatus.Error(codes.Unavailable, "the answer is lost")
		}
	}
	return stream.Send(answer)
}

// extra is BigQuery's answer to rows with columns that the table has not.
func (w *fakeWarehouse) extra(table string, schema protoreflect.MessageDescriptor) *status.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, column := range strings.Split(w.lacks[table], ",") {
		if column != "" && schema.Fields().ByName(protoreflect.Name(column)) != nil {
			s, err := grpcstatus.New(codes.InvalidArgument, "Input schema has more fields than BigQuery schema, extra fields: '"+column+"'").WithDetails(
				&storagepb.StorageError{Code: storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS, Entity: table})
			if err != nil {
				panic(err)
			}
			return s.Proto()
		}
	}
	return nil
}

// alter gives the table all columns.
func (w *fakeWarehouse) alter(table string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lacks, w.altered = nil, map[string]bool{table: true}
}

func messageOf(d *descriptorpb.DescriptorProto) (protoreflect.MessageDescriptor, error) {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("row.proto"), Syntax: proto.String("proto2"), MessageType: []*descriptorpb.DescriptorProto{d},
	}, nil)
	if err != nil {
		return nil, err
	}
	return file.Messages().Get(0), nil
}

// parse reads rows as the warehouse does: required columns must be there, no
// others may be.
func parse(schema protoreflect.MessageDescriptor, encoded [][]byte) ([]row, error) {
	var rows []row
	for i, data := range encoded {
		message := dynamicpb.NewMessage(schema)
		if err := proto.Unmarshal(data, message); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		if len(message.GetUnknown()) > 0 {
			return nil, fmt.Errorf("row %d: unknown columns", i)
		}
		r := make(row)
		message.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			r[string(f.Name())] = v.Interface()
			return true
		})
		rows = append(rows, r)
	}
	return rows, nil
}
