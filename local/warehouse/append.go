package warehouse

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// maxRequestBytes is BigQuery's limit of one AppendRows request.
	maxRequestBytes = 10_000_000
	// maxUpstreamBytes keeps a request to the emulator, schema included, under the 4 MiB that its server takes.
	maxUpstreamBytes = 3 << 20
	// maxMessageBytes is what the gateway receives at all, so that it can answer what is too large itself.
	maxMessageBytes = 64 << 20
)

// writeServer is the Storage Write API. Every request goes upstream in a stream of its own, with table and schema
// filled in from the connection, because the emulator takes a request without a table for any table, and decodes all
// requests of a stream by the first one's schema. Failures are answered to the request concerned, and the connection
// stays open: only what cannot be answered otherwise ends it.
//
// A request is one transaction, but one of more than 3 MiB is several, in order: a failure of the emulator in the
// middle of it leaves its first rows in place, although the client sees an error. Faults of rows are found before.
type writeServer struct {
	storagepb.UnimplementedBigQueryWriteServer
	emulator *emulator
	gate     *gate
	tables   *tables
	streams  streams
	appended *appendedCounters
	latency  *histogram
	closing  context.Context
	log      *slog.Logger
}

// connection is what one AppendRows call remembers from request to request.
type connection struct {
	stream  string
	writers map[string]*writer // by stream
}

// AppendRows answers each request in order until the client or the warehouse closes the stream.
func (s *writeServer) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	requests, failed := receive(stream)
	conn := &connection{writers: map[string]*writer{}}
	for {
		select {
		case <-s.closing.Done():
			return status.Error(codes.Unavailable, "the local warehouse is closing")
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case request := <-requests:
			started := time.Now()
			answer, err := s.answer(stream.Context(), conn, request)
			if err != nil {
				return err
			}
			s.latency.observe(time.Since(started))
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
	}
}

// receive reads requests ahead by one, so that the handler can end while it waits. Its goroutine ends with the stream.
func receive(stream storagepb.BigQueryWrite_AppendRowsServer) (<-chan *storagepb.AppendRowsRequest, <-chan error) {
	requests, failed := make(chan *storagepb.AppendRowsRequest), make(chan error, 1)
	go func() {
		for {
			request, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case requests <- request:
			case <-stream.Context().Done():
				return
			}
		}
	}()
	return requests, failed
}

// answer answers one request. An error ends the connection: the client is gone.
func (s *writeServer) answer(
	ctx context.Context, conn *connection, request *storagepb.AppendRowsRequest,
) (*storagepb.AppendRowsResponse, error) {
	if name := request.GetWriteStream(); name != "" {
		conn.stream = name
	}
	if err := s.gate.enter(ctx, appends); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	// From here on the client may go, but the gate stays closed until the emulator is done.
	answer, err := s.appendNow(context.WithoutCancel(ctx), conn, request)
	if err != nil {
		answer = refusal(err)
		if status.Code(err) == codes.Internal {
			s.log.Error("appending rows failed", "stream", conn.stream, "error", err)
		}
	}
	answer.WriteStream = conn.stream
	return answer, nil
}

func (s *writeServer) appendNow(
	ctx context.Context, conn *connection, request *storagepb.AppendRowsRequest,
) (*storagepb.AppendRowsResponse, error) {
	if size := proto.Size(request); size > maxRequestBytes {
		return nil, status.Errorf(codes.InvalidArgument,
			"the request has %d bytes, more than the limit of %d: send fewer rows in each", size, maxRequestBytes)
	}
	target, err := s.streams.find(ctx, s.tables, conn.stream)
	if err != nil {
		return nil, err
	}
	w, err := conn.writer(request, target.table)
	if err != nil {
		return nil, err
	}
	rows := request.GetProtoRows().GetRows().GetSerializedRows()
	if faults := w.check(rows); len(faults) > 0 {
		answer := refusal(status.Errorf(codes.InvalidArgument,
			"Errors found while processing rows. Please refer to the row_errors field for details."))
		answer.RowErrors = faults
		return answer, nil
	}
	if err := target.checkOffset(request.GetOffset()); err != nil {
		return nil, err
	}
	s.tables.meter.grew(target.table.path) // be it in part
	for _, part := range split(rows, maxUpstreamBytes) {
		if err := s.forward(ctx, target.upstream, w, part); err != nil {
			return nil, err
		}
	}
	return s.accept(target, rows), nil
}

// accept counts the rows and builds the answer.
func (s *writeServer) accept(target *target, rows [][]byte) *storagepb.AppendRowsResponse {
	result := &storagepb.AppendRowsResponse_AppendResult{}
	if target.created != nil {
		result.Offset = wrapperspb.Int64(target.created.next)
		target.created.next += int64(len(rows))
	}
	s.appended.add(target.table.name, rows)
	return &storagepb.AppendRowsResponse{Response: &storagepb.AppendRowsResponse_AppendResult_{AppendResult: result}}
}

// writer returns how to read the request's rows, by its own schema or the last one of its stream.
func (c *connection) writer(request *storagepb.AppendRowsRequest, t *table) (*writer, error) {
	if request.GetArrowRows() != nil {
		return nil, status.Error(codes.Unimplemented, "the local warehouse takes proto_rows only, no arrow_rows")
	}
	known := c.writers[c.stream]
	schema := request.GetProtoRows().GetWriterSchema().GetProtoDescriptor()
	switch {
	case schema == nil && known == nil:
		return nil, status.Error(codes.InvalidArgument,
			"no writer_schema: the first request to a table must have one")
	case schema == nil && known.table == t:
		return known, nil
	case schema == nil:
		schema = known.schema
	}
	w, err := newWriter(schema, t)
	if err != nil {
		return nil, err
	}
	c.writers[c.stream] = w
	return w, nil
}

// split cuts rows into runs of at most limit bytes, or of one row.
func split(rows [][]byte, limit int) [][][]byte {
	var parts [][][]byte
	start, size := 0, 0
	for i, row := range rows {
		if size+len(row) > limit && i > start {
			parts = append(parts, rows[start:i])
			start, size = i, 0
		}
		size += len(row)
	}
	if start < len(rows) {
		parts = append(parts, rows[start:])
	}
	return parts
}

// forward sends rows upstream and waits until the emulator has committed them, or rolled back.
func (s *writeServer) forward(ctx context.Context, stream string, w *writer, rows [][]byte) error {
	call, err := s.emulator.write.AppendRows(ctx)
	if err != nil {
		return status.Errorf(codes.Unavailable, "connecting to the emulator: %v", err)
	}
	request := &storagepb.AppendRowsRequest{
		WriteStream: stream,
		Rows: &storagepb.AppendRowsRequest_ProtoRows{ProtoRows: &storagepb.AppendRowsRequest_ProtoData{
			WriterSchema: &storagepb.ProtoSchema{ProtoDescriptor: w.schema},
			Rows:         &storagepb.ProtoRows{SerializedRows: rows},
		}},
	}
	if err := call.Send(request); err != nil && !errors.Is(err, io.EOF) {
		return status.Errorf(codes.Unavailable, "sending rows to the emulator: %v", err)
	}
	if err := call.CloseSend(); err != nil {
		return status.Errorf(codes.Unavailable, "sending rows to the emulator: %v", err)
	}
	var failure error
	for {
		answer, err := call.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return failure
		case err != nil && failure == nil && status.Code(err) == codes.Unavailable:
			return status.Errorf(codes.Unavailable, "the local warehouse does not answer: %v", err)
		case err != nil && failure == nil:
			return emulatorFailure(status.Convert(err).Message())
		case err != nil:
			return failure
		case answer.GetError() != nil:
			failure = emulatorFailure(answer.GetError().GetMessage())
		}
	}
}

// emulatorFailure classifies what the emulator reports as Internal, which clients retry: a failure of the database may
// pass, anything else is the request's fault.
func emulatorFailure(message string) error {
	if strings.Contains(message, "sqlite3:") {
		return status.Error(codes.Internal, message)
	}
	return status.Error(codes.InvalidArgument, message)
}

// refusal is the answer that carries err.
func refusal(err error) *storagepb.AppendRowsResponse {
	return &storagepb.AppendRowsResponse{
		Response: &storagepb.AppendRowsResponse_Error{Error: status.Convert(err).Proto()},
	}
}
