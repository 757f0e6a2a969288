package warehouse

import (
	"context"
	"errors"
	"io"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// readServer is the Storage Read API, passed through one request at a time.
type readServer struct {
	storagepb.UnimplementedBigQueryReadServer
	emulator *emulator
	gate     *gate
	opened   time.Time // when the last session was made, which the emulator alone remembers; the gate guards it
}

// CreateReadSession makes a session of one stream, all that the emulator has.
func (s *readServer) CreateReadSession(
	ctx context.Context, request *storagepb.CreateReadSessionRequest,
) (*storagepb.ReadSession, error) {
	if err := s.gate.enter(ctx, statements); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	request.MaxStreamCount = 1
	s.opened = time.Now()
	session, err := s.emulator.read.CreateReadSession(context.WithoutCancel(ctx), request)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, status.Convert(err).Message())
	}
	return session, nil
}

// ReadRows sends a whole table: the emulator holds it in memory.
func (s *readServer) ReadRows(request *storagepb.ReadRowsRequest, stream storagepb.BigQueryRead_ReadRowsServer) error {
	rows, err := s.read(stream.Context(), request)
	if err != nil {
		return err
	}
	for _, part := range rows {
		if err := stream.Send(part); err != nil {
			return err
		}
	}
	return nil
}

// read collects the answer before the client sees any of it, so that a slow client does not keep the gate.
func (s *readServer) read(ctx context.Context, request *storagepb.ReadRowsRequest) ([]*storagepb.ReadRowsResponse, error) {
	if err := s.gate.enter(ctx, statements); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	call, err := s.emulator.read.ReadRows(context.WithoutCancel(ctx), request)
	if err != nil {
		return nil, err
	}
	var rows []*storagepb.ReadRowsResponse
	for {
		part, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, status.Convert(err).Message())
		}
		rows = append(rows, part)
	}
}
