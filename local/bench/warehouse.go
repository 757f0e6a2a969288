package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/descriptorpb"
)

// A warehouse speaks the Storage Write API of default streams. It keeps the
// rows as they come, in one file a table, to be read after the measurement.
type warehouse struct {
	storagepb.UnimplementedBigQueryWriteServer
	folder  string
	server  *grpc.Server
	address string

	mu     sync.Mutex
	tables map[string]*rowsFile
}

// A rowsFile holds a table's rows, each behind its length.
type rowsFile struct {
	mu     sync.Mutex
	schema *descriptorpb.DescriptorProto
	path   string
	file   *os.File
	buffer *bufio.Writer
	prefix []byte
}

func startWarehouse(folder string) (*warehouse, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the warehouse: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("starting the warehouse: %w", err)
	}
	w := &warehouse{folder: folder, server: grpc.NewServer(), address: listener.Addr().String(), tables: map[string]*rowsFile{}}
	storagepb.RegisterBigQueryWriteServer(w.server, w)
	go func() { _ = w.server.Serve(listener) }() // ends with Close
	return w, nil
}

// Close ends the server; what it took can be read from then on.
func (w *warehouse) Close() error {
	w.server.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	var faults []error
	for _, t := range w.tables {
		faults = append(faults, t.buffer.Flush(), t.file.Close())
	}
	return errors.Join(faults...)
}

// GetWriteStream describes a default stream, whichever it is.
func (w *warehouse) GetWriteStream(_ context.Context, r *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	return &storagepb.WriteStream{Name: r.Name, Location: "local"}, nil
}

// AppendRows takes every row: the first request of a connection names the
// table and brings the schema for those that follow.
func (w *warehouse) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	var t *rowsFile
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if schema := request.GetProtoRows().GetWriterSchema().GetProtoDescriptor(); schema != nil {
			if t, err = w.table(request.WriteStream, schema); err != nil {
				return err
			}
		}
		if t == nil {
			return status.Error(codes.InvalidArgument, "the first request names no table and schema")
		}
		if err := t.add(request.GetProtoRows().GetRows().GetSerializedRows()); err != nil {
			return status.Errorf(codes.Internal, "keeping rows: %v", err)
		}
		if err := stream.Send(&storagepb.AppendRowsResponse{
			Response: &storagepb.AppendRowsResponse_AppendResult_{AppendResult: &storagepb.AppendRowsResponse_AppendResult{}},
		}); err != nil {
			return err
		}
	}
}

// table returns the file of the table that the stream writes to.
func (w *warehouse) table(stream string, schema *descriptorpb.DescriptorProto) (*rowsFile, error) {
	part := strings.Split(stream, "/") // projects/P/datasets/D/tables/T/…
	if len(part) < 6 {
		return nil, status.Errorf(codes.InvalidArgument, "no stream has the name %q", stream)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if t, known := w.tables[part[5]]; known {
		return t, nil
	}
	t := &rowsFile{schema: schema, path: filepath.Join(w.folder, filepath.Base(part[5]))}
	var err error
	if t.file, err = os.Create(t.path); err != nil {
		return nil, status.Errorf(codes.Internal, "keeping rows: %v", err)
	}
	t.buffer = bufio.NewWriterSize(t.file, 1<<20)
	w.tables[part[5]] = t
	return t, nil
}

func (t *rowsFile) add(rows [][]byte) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range rows {
		t.prefix = binary.AppendUvarint(t.prefix[:0], uint64(len(row)))
		_, _ = t.buffer.Write(t.prefix)
		_, err = t.buffer.Write(row) // which also returns an earlier error
	}
	return err
}

// rows calls do with every row of the table. The row is valid until do
// returns.
func (t *rowsFile) rows(do func(row []byte) error) error {
	file, err := os.Open(t.path)
	if err != nil {
		return err
	}
	defer file.Close()
	buffered := bufio.NewReaderSize(file, 1<<20)
	var row []byte
	for {
		size, err := binary.ReadUvarint(buffered)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", t.path, err)
		}
		if uint64(cap(row)) < size {
			row = make([]byte, size)
		}
		row = row[:size]
		if _, err := io.ReadFull(buffered, row); err != nil {
			return fmt.Errorf("reading %s: %w", t.path, err)
		}
		if err := do(row); err != nil {
			return err
		}
	}
}
