package warehouse

import (
	"context"
	"maps"
	"strings"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const defaultStream = "/streams/_default"

// streams are the write streams that clients created. They live as long as the process. The gate guards them.
//
// The emulator must never see a stream that it does not know: it would then block for ever.
type streams struct {
	created map[string]*createdStream
}

// createdStream is the state of a stream that BigQuery keeps and the emulator does not.
type createdStream struct {
	path      string // of its table
	stream    *storagepb.WriteStream
	next      int64 // offset of the next row
	finalized bool
	committed bool
}

// pending says that the emulator alone holds the stream's rows.
func (c *createdStream) pending() bool {
	return c.stream.GetType() == storagepb.WriteStream_PENDING && !c.committed
}

// pending says that one of the streams is.
func (s *streams) pending() bool {
	for _, c := range s.created {
		if c.pending() {
			return true
		}
	}
	return false
}

// forgetPending drops the streams whose rows went with the emulator's process: who goes on with one is told.
func (s *streams) forgetPending() {
	maps.DeleteFunc(s.created, func(_ string, c *createdStream) bool { return c.pending() })
}

// target is where one request's rows go.
type target struct {
	table    *table
	upstream string         // the emulator's stream
	created  *createdStream // nil for a table's default stream
}

// find resolves a stream's name, or fails with NotFound or InvalidArgument.
func (s *streams) find(ctx context.Context, tables *tables, name string) (*target, error) {
	if name == "" {
		return nil, status.Error(codes.InvalidArgument, "no write_stream: the first request of a connection must name one")
	}
	if path, ok := strings.CutSuffix(name, defaultStream); ok {
		t, err := tables.find(ctx, path)
		if err != nil {
			return nil, err
		}
		return &target{table: t, upstream: t.stream.GetName()}, nil
	}
	created := s.created[name]
	if created == nil {
		return nil, streamFault(codes.NotFound, storagepb.StorageError_STREAM_NOT_FOUND, name, "unknown write stream")
	}
	if created.finalized {
		return nil, streamFault(codes.InvalidArgument, storagepb.StorageError_STREAM_FINALIZED, name, "finalized write stream")
	}
	t, err := tables.find(ctx, created.path)
	if err != nil {
		return nil, err
	}
	if created.pending() {
		return &target{table: t, upstream: name, created: created}, nil
	}
	return &target{table: t, upstream: t.stream.GetName(), created: created}, nil
}

// checkOffset compares the offset that a client expects with the stream's.
func (t *target) checkOffset(offset *wrapperspb.Int64Value) error {
	switch {
	case offset == nil:
		return nil
	case t.created == nil:
		return status.Error(codes.InvalidArgument, "a table's default stream takes no offset")
	case offset.GetValue() < t.created.next:
		return streamFault(codes.AlreadyExists, storagepb.StorageError_OFFSET_ALREADY_EXISTS, t.created.stream.GetName(), "offset already written")
	case offset.GetValue() > t.created.next:
		return streamFault(codes.OutOfRange, storagepb.StorageError_OFFSET_OUT_OF_RANGE, t.created.stream.GetName(), "offset beyond the end of the stream")
	}
	return nil
}

// streamFault is a status with the detail that BigQuery's clients look for.
func streamFault(code codes.Code, storage storagepb.StorageError_StorageErrorCode, entity, message string) error {
	st := status.New(code, message+": "+entity)
	detailed, err := st.WithDetails(&storagepb.StorageError{Code: storage, Entity: entity, ErrorMessage: message})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}

// CreateWriteStream makes a committed or a pending stream. Buffered ones are refused: the emulator would write their
// rows again at each flush.
func (s *writeServer) CreateWriteStream(
	ctx context.Context, request *storagepb.CreateWriteStreamRequest,
) (*storagepb.WriteStream, error) {
	kind := request.GetWriteStream().GetType()
	if kind != storagepb.WriteStream_COMMITTED && kind != storagepb.WriteStream_PENDING {
		return nil, status.Errorf(codes.Unimplemented, "the local warehouse has no streams of type %s", kind)
	}
	if err := s.gate.enter(ctx, statements); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	if _, err := s.tables.find(ctx, request.GetParent()); err != nil {
		return nil, err
	}
	stream, err := s.emulator.write.CreateWriteStream(context.WithoutCancel(ctx), request)
	if err != nil {
		return nil, err
	}
	if s.streams.created == nil {
		s.streams.created = map[string]*createdStream{}
	}
	s.streams.created[stream.GetName()] = &createdStream{path: request.GetParent(), stream: stream}
	return stream, nil
}

// GetWriteStream describes a created stream or a table's default stream.
func (s *writeServer) GetWriteStream(
	ctx context.Context, request *storagepb.GetWriteStreamRequest,
) (*storagepb.WriteStream, error) {
	if err := s.gate.enter(ctx, statements); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	if path, ok := strings.CutSuffix(request.GetName(), defaultStream); ok {
		t, err := s.tables.find(ctx, path)
		if err != nil {
			return nil, err
		}
		stream := proto.CloneOf(t.stream)
		stream.Name = request.GetName()
		return stream, nil
	}
	created := s.streams.created[request.GetName()]
	if created == nil {
		return nil, streamFault(codes.NotFound, storagepb.StorageError_STREAM_NOT_FOUND, request.GetName(), "unknown write stream")
	}
	return created.stream, nil
}

// FinalizeWriteStream ends a stream: it takes no more rows.
func (s *writeServer) FinalizeWriteStream(
	ctx context.Context, request *storagepb.FinalizeWriteStreamRequest,
) (*storagepb.FinalizeWriteStreamResponse, error) {
	if err := s.gate.enter(ctx, statements); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	created := s.streams.created[request.GetName()]
	if created == nil {
		return nil, streamFault(codes.NotFound, storagepb.StorageError_STREAM_NOT_FOUND, request.GetName(), "unknown write stream")
	}
	created.finalized = true
	return &storagepb.FinalizeWriteStreamResponse{RowCount: created.next}, nil
}

// BatchCommitWriteStreams writes the rows of pending streams. Unlike BigQuery's, it is atomic per stream only.
func (s *writeServer) BatchCommitWriteStreams(
	ctx context.Context, request *storagepb.BatchCommitWriteStreamsRequest,
) (*storagepb.BatchCommitWriteStreamsResponse, error) {
	if err := s.gate.enter(ctx, statements); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	if faults := s.streams.committable(request.GetWriteStreams()); len(faults) > 0 {
		return &storagepb.BatchCommitWriteStreamsResponse{StreamErrors: faults}, nil
	}
	for _, name := range request.GetWriteStreams() {
		s.tables.meter.grew(s.streams.created[name].path)
	}
	answer, err := s.emulator.write.BatchCommitWriteStreams(context.WithoutCancel(ctx), request)
	if err != nil {
		return nil, err
	}
	if len(answer.GetStreamErrors()) == 0 {
		answer.CommitTime = timestamppb.New(time.Now())
		for _, name := range request.GetWriteStreams() {
			s.streams.created[name].committed = true
		}
	}
	return answer, nil
}

// committable says why streams cannot be committed: BigQuery commits all of them or none.
func (s *streams) committable(names []string) []*storagepb.StorageError {
	var faults []*storagepb.StorageError
	for _, name := range names {
		fault := storagepb.StorageError_STORAGE_ERROR_CODE_UNSPECIFIED
		switch created := s.created[name]; {
		case created == nil:
			fault = storagepb.StorageError_STREAM_NOT_FOUND
		case created.stream.GetType() != storagepb.WriteStream_PENDING:
			fault = storagepb.StorageError_INVALID_STREAM_TYPE
		case !created.finalized:
			fault = storagepb.StorageError_INVALID_STREAM_STATE
		case created.committed:
			fault = storagepb.StorageError_STREAM_ALREADY_COMMITTED
		default:
			continue
		}
		faults = append(faults, &storagepb.StorageError{Code: fault, Entity: name, ErrorMessage: fault.String()})
	}
	return faults
}
