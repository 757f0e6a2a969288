package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"github.com/apache/arrow-go/v18/arrow"
	bigquery "google.golang.org/api/bigquery/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What is kept for clients that read: sessions in memory, as they were when they were made. The oldest go first.
const (
	maxSessions     = 16
	maxSessionBytes = 128 << 20
	sessionLife     = 6 * time.Hour
	rowsPerMessage  = 2000
)

// readServer is the Storage Read API, over tables and over the results of queries. A session has one stream, which a
// client may read from any offset and as often as it wants.
type readServer struct {
	storagepb.UnimplementedBigQueryReadServer
	rest *rest
	gate *gate

	mu       sync.Mutex
	sessions []*readSession // oldest first
}

type readSession struct {
	proto  *storagepb.ReadSession
	fields []*bigquery.TableFieldSchema
	rows   []json.RawMessage
	bytes  int
	arrow  *arrow.Schema // nil for Avro
}

// CreateReadSession reads the rows of a table, or of a query's result, for a session of one stream.
func (s *readServer) CreateReadSession(
	ctx context.Context, request *storagepb.CreateReadSessionRequest,
) (*storagepb.ReadSession, error) {
	wanted := request.GetReadSession()
	if wanted.GetTableModifiers().GetSnapshotTime() != nil {
		return nil, status.Error(codes.Unimplemented, "the local warehouse keeps no history of a table: read it without snapshot_time")
	}
	session, err := s.open(ctx, wanted)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s/locations/us/sessions/%s", request.GetParent(), newJobID())
	session.proto = &storagepb.ReadSession{
		Name: name, Table: wanted.GetTable(), DataFormat: wanted.GetDataFormat(), ReadOptions: wanted.GetReadOptions(),
		ExpireTime: timestamppb.New(time.Now().Add(sessionLife)), Streams: []*storagepb.ReadStream{{Name: name + "/streams/0"}},
		EstimatedRowCount: int64(len(session.rows)), EstimatedTotalBytesScanned: int64(session.bytes),
	}
	if err := session.describe(); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.keep(session)
	return session.proto, nil
}

// open reads what the session is to hold.
func (s *readServer) open(ctx context.Context, wanted *storagepb.ReadSession) (*readSession, error) {
	parts := strings.Split(wanted.GetTable(), "/")
	if len(parts) != 6 {
		return nil, status.Errorf(codes.InvalidArgument, "%q is no table: write projects/PROJECT/datasets/DATASET/tables/TABLE", wanted.GetTable())
	}
	options := wanted.GetReadOptions()
	session := &readSession{}
	if j := s.rest.resultOf(parts[3], parts[5]); j != nil {
		switch {
		case j.schema == nil:
			return nil, status.Errorf(codes.NotFound, "Not found: Job %s:%s has no result", parts[1], parts[5])
		case options.GetRowRestriction() != "":
			return nil, status.Error(codes.Unimplemented, "the local warehouse takes a row_restriction of tables only, not of a query's result")
		}
		session.fields, session.rows = j.schema.Fields, j.rows
		return session, session.choose(options.GetSelectedFields())
	}
	sql := "SELECT * FROM `" + parts[1] + "." + parts[3] + "." + parts[5] + "`"
	if condition := options.GetRowRestriction(); condition != "" {
		sql += " WHERE (" + condition + ")"
	}
	if err := s.gate.enter(ctx, statements); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.gate.leave()
	modes, err := s.rest.fields(ctx, bigquery.TableReference{ProjectId: parts[1], DatasetId: parts[3], TableId: parts[5]})
	if err != nil {
		return nil, grpcError(err)
	}
	result, err := s.rest.runner.send(context.WithoutCancel(ctx), parts[1], query{SQL: sql}, true)
	if err != nil {
		return nil, grpcError(err)
	}
	session.fields, session.rows = result.Schema.Fields, result.Rows
	for i, f := range session.fields {
		if i < len(modes) && modes[i].Mode == "REQUIRED" {
			f.Mode = "REQUIRED"
		}
	}
	return session, session.choose(options.GetSelectedFields())
}

func grpcError(fault *apiError) error {
	switch fault.code {
	case http.StatusNotFound:
		return status.Error(codes.NotFound, fault.message)
	case http.StatusServiceUnavailable:
		return status.Error(codes.Unavailable, fault.message)
	}
	return status.Error(codes.InvalidArgument, fault.message)
}

// choose keeps the selected columns, in the table's order.
func (s *readSession) choose(selected []string) error {
	for _, row := range s.rows {
		s.bytes += len(row)
	}
	if len(selected) == 0 {
		return nil
	}
	var kept []int
	var fields []*bigquery.TableFieldSchema
	for i, f := range s.fields {
		if slices.ContainsFunc(selected, func(name string) bool { return strings.EqualFold(name, f.Name) }) {
			kept, fields = append(kept, i), append(fields, f)
		}
	}
	if len(kept) != len(selected) {
		return status.Errorf(codes.InvalidArgument, "selected_fields %v: a column is not there, or is inside of a record, which the local warehouse reads whole", selected)
	}
	rows := make([]json.RawMessage, len(s.rows))
	for i, raw := range s.rows {
		cells, err := cellsOf(raw)
		if err != nil {
			return status.Error(codes.Internal, err.Error())
		}
		var row struct {
			F []cell `json:"f"`
		}
		for _, at := range kept {
			row.F = append(row.F, cell{cells[at]})
		}
		rows[i] = encoded(row, raw)
	}
	s.fields, s.rows = fields, rows
	return nil
}

// describe adds the schema in the session's format.
func (s *readSession) describe() error {
	switch s.proto.DataFormat {
	case storagepb.DataFormat_ARROW:
		schema, err := arrowSchema(s.fields)
		if err != nil {
			return err
		}
		message, err := arrowMessage(schema)
		s.arrow = schema
		s.proto.Schema = &storagepb.ReadSession_ArrowSchema{ArrowSchema: &storagepb.ArrowSchema{SerializedSchema: message}}
		return err
	case storagepb.DataFormat_AVRO:
		text, err := avroSchema(s.fields)
		s.proto.Schema = &storagepb.ReadSession_AvroSchema{AvroSchema: &storagepb.AvroSchema{Schema: text}}
		return err
	}
	return fmt.Errorf("data_format %s: choose ARROW or AVRO", s.proto.DataFormat)
}

// keep remembers a session, and forgets the oldest beyond what is kept.
func (s *readServer) keep(session *readSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = append(s.sessions, session)
	total := 0
	for _, kept := range s.sessions {
		total += kept.bytes
	}
	for len(s.sessions) > 1 && (len(s.sessions) > maxSessions || total > maxSessionBytes) {
		total -= s.sessions[0].bytes
		s.sessions = s.sessions[1:]
	}
}

// ReadRows sends the rows of a stream from an offset on.
func (s *readServer) ReadRows(request *storagepb.ReadRowsRequest, stream storagepb.BigQueryRead_ReadRowsServer) error {
	s.mu.Lock()
	at := slices.IndexFunc(s.sessions, func(session *readSession) bool {
		return session.proto.GetStreams()[0].GetName() == request.GetReadStream()
	})
	var session *readSession
	if at >= 0 {
		session = s.sessions[at]
	}
	s.mu.Unlock()
	switch {
	case session == nil:
		return status.Errorf(codes.NotFound, "unknown read stream %s: the local warehouse remembers the last sessions only", request.GetReadStream())
	case request.GetOffset() < 0 || request.GetOffset() > int64(len(session.rows)):
		return status.Errorf(codes.OutOfRange, "offset %d: the stream has %d rows", request.GetOffset(), len(session.rows))
	}
	for start := int(request.GetOffset()); start < len(session.rows); start += rowsPerMessage {
		message, err := session.message(start, min(start+rowsPerMessage, len(session.rows)))
		if err != nil {
			return status.Errorf(codes.Internal, "encoding rows: %v", err)
		}
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	return nil
}

// message encodes the rows from start to end.
func (s *readSession) message(start, end int) (*storagepb.ReadRowsResponse, error) {
	count := int64(end - start)
	m := &storagepb.ReadRowsResponse{RowCount: count, Stats: &storagepb.StreamStats{Progress: &storagepb.StreamStats_Progress{
		AtResponseStart: float64(start) / float64(len(s.rows)), AtResponseEnd: float64(end) / float64(len(s.rows)),
	}}}
	if s.arrow != nil {
		batch, err := arrowBatch(s.arrow, s.fields, s.rows[start:end])
		m.Rows = &storagepb.ReadRowsResponse_ArrowRecordBatch{ArrowRecordBatch: &storagepb.ArrowRecordBatch{SerializedRecordBatch: batch, RowCount: count}} //nolint:staticcheck // older clients read it
		m.Schema = &storagepb.ReadRowsResponse_ArrowSchema{ArrowSchema: s.proto.GetArrowSchema()}
		return m, err
	}
	rows, err := avroRows(s.fields, s.rows[start:end])
	m.Rows = &storagepb.ReadRowsResponse_AvroRows{AvroRows: &storagepb.AvroRows{SerializedBinaryRows: rows, RowCount: count}} //nolint:staticcheck // older clients read it
	m.Schema = &storagepb.ReadRowsResponse_AvroSchema{AvroSchema: s.proto.GetAvroSchema()}
	return m, err
}

// SplitReadStream answers that a stream is not split.
func (s *readServer) SplitReadStream(context.Context, *storagepb.SplitReadStreamRequest) (*storagepb.SplitReadStreamResponse, error) {
	return &storagepb.SplitReadStreamResponse{}, nil
}
