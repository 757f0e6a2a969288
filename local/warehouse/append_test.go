package warehouse

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func hasCode(err error, code int) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == code
}

var everyType = bigquery.Schema{
	{Name: "name", Type: bigquery.StringFieldType, Required: true},
	{Name: "number", Type: bigquery.IntegerFieldType},
	{Name: "ratio", Type: bigquery.FloatFieldType},
	{Name: "yes", Type: bigquery.BooleanFieldType},
	{Name: "seen_at", Type: bigquery.TimestampFieldType},
	{Name: "bytes", Type: bigquery.BytesFieldType},
}

func TestAppendRows_KeepsEveryType(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "types", everyType)
	at := time.Date(2026, 11, 22, 7, 30, 0, 123456000, time.UTC)
	rows := newRowType(t, everyType)
	writer, err := writeClient(t, w).NewManagedStream(t.Context(),
		managedwriter.WithDestinationTable(tableName("s", "types")), managedwriter.WithSchemaDescriptor(rows.schema))
	if err != nil {
		t.Fatal(err)
	}
	result, err := writer.AppendRows(t.Context(), [][]byte{
		rows.row(t, "a", 7, 0.25, true, at, []byte{0, 1, 0xff}),
		rows.row(t, "b", nil, nil, nil, nil, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := result.GetResult(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := run(t, client, "select * from s.types order by name")
	want := [][]bigquery.Value{
		{"a", int64(7), 0.25, true, at, []byte{0, 1, 0xff}},
		{"b", nil, nil, nil, nil, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := count(t, client, "select count(*) from s.types where seen_at between timestamp '2026-11-22 07:30:00' and timestamp '2026-11-22 07:30:01' and bytes = b'\\x00\\x01\\xff' and ratio < 0.5"); n != 1 {
		t.Errorf("comparing the stored values finds %d rows, want 1", n)
	}
	if got, want := w.Appended()["s.types"].Rows, int64(2); got != want {
		t.Errorf("Appended() says %d rows, want %d", got, want)
	}
}

var twoColumns = bigquery.Schema{
	{Name: "name", Type: bigquery.StringFieldType, Required: true},
	{Name: "number", Type: bigquery.IntegerFieldType},
}

// rawConnection is one AppendRows call, without a client library that retries or fills anything in.
type rawConnection struct {
	t      *testing.T
	stream storagepb.BigQueryWrite_AppendRowsClient
}

func rawClient(t *testing.T, w *Warehouse) storagepb.BigQueryWriteClient {
	t.Helper()
	conn, err := grpc.NewClient(w.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return storagepb.NewBigQueryWriteClient(conn)
}

func connect(t *testing.T, client storagepb.BigQueryWriteClient) rawConnection {
	t.Helper()
	stream, err := client.AppendRows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rawConnection{t, stream}
}

// append sends rows, with stream and schema if given, and returns the answer.
func (c rawConnection) append(stream string, schema *rowType, rows ...[]byte) *storagepb.AppendRowsResponse {
	c.t.Helper()
	data := &storagepb.AppendRowsRequest_ProtoData{Rows: &storagepb.ProtoRows{SerializedRows: rows}}
	if schema != nil {
		data.WriterSchema = &storagepb.ProtoSchema{ProtoDescriptor: schema.schema}
	}
	return c.send(&storagepb.AppendRowsRequest{WriteStream: stream, Rows: &storagepb.AppendRowsRequest_ProtoRows{ProtoRows: data}})
}

func (c rawConnection) send(request *storagepb.AppendRowsRequest) *storagepb.AppendRowsResponse {
	c.t.Helper()
	if err := c.stream.Send(request); err != nil {
		c.t.Fatal(err)
	}
	answer, err := c.stream.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

func code(answer *storagepb.AppendRowsResponse) codes.Code {
	return codes.Code(answer.GetError().GetCode())
}

func TestAppendRows_LaterRequestsGoWhereTheFirstWent(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	rows := newRowType(t, twoColumns)
	raw := rawClient(t, w)
	var connections []rawConnection
	for i := range 7 {
		table := fmt.Sprintf("t%d", i)
		createTable(t, client, table, twoColumns)
		connections = append(connections, connect(t, raw))
		connections[i].append(tableName("s", table)+"/streams/_default", &rows, rows.row(t, table, 0))
	}
	for n := 1; n < 10; n++ {
		for i, connection := range connections {
			if answer := connection.append("", nil, rows.row(t, fmt.Sprintf("t%d", i), n)); answer.GetError() != nil {
				t.Fatal(answer)
			}
		}
	}
	for i := range connections {
		sql := fmt.Sprintf("select countif(name = 't%[1]d'), count(*), sum(number) from s.t%[1]d", i)
		if diff := cmp.Diff([]bigquery.Value{int64(10), int64(10), int64(45)}, run(t, client, sql)[0]); diff != "" {
			t.Errorf("table %d: %s", i, diff)
		}
	}
}

func TestAppendRows_OneConnectionForSeveralTables(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	reversed := bigquery.Schema{twoColumns[1], twoColumns[0]} // the same field numbers, other types
	createTable(t, client, "a", twoColumns)
	createTable(t, client, "b", reversed)
	writers := writeClient(t, w, managedwriter.WithMultiplexing(), managedwriter.WithMultiplexPoolLimit(1))
	var all sync.WaitGroup
	for table, schema := range map[string]bigquery.Schema{"a": twoColumns, "b": reversed} {
		rows := newRowType(t, schema)
		all.Go(func() {
			stream, err := writers.NewManagedStream(t.Context(), managedwriter.WithType(managedwriter.DefaultStream),
				managedwriter.WithDestinationTable(tableName("s", table)), managedwriter.WithSchemaDescriptor(rows.schema))
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 20 {
				values := map[string][]any{"a": {"a", n}, "b": {n, "b"}}[table]
				result, err := stream.AppendRows(t.Context(), [][]byte{rows.row(t, values...)})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := result.GetResult(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, table := range []string{"a", "b"} {
		sql := fmt.Sprintf("select countif(name = '%[1]s'), count(*), sum(number) from s.%[1]s", table)
		if diff := cmp.Diff([]bigquery.Value{int64(20), int64(20), int64(190)}, run(t, client, sql)[0]); diff != "" {
			t.Errorf("table %s: %s", table, diff)
		}
	}
}

func TestAppendRows_RemembersTheSchemaOfEachTable(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	reversed := bigquery.Schema{twoColumns[1], twoColumns[0]}
	createTable(t, client, "a", twoColumns)
	createTable(t, client, "b", reversed)
	a, b := newRowType(t, twoColumns), newRowType(t, reversed)
	connection := connect(t, rawClient(t, w))
	for i, answer := range []*storagepb.AppendRowsResponse{
		connection.append(tableName("s", "a")+"/streams/_default", &a, a.row(t, "a", 1)),
		connection.append(tableName("s", "b")+"/streams/_default", &b, b.row(t, 1, "b")),
		connection.append(tableName("s", "a")+"/streams/_default", nil, a.row(t, "a", 2)),
		connection.append("", nil, a.row(t, "a", 3)),
		connection.append(tableName("s", "b")+"/streams/_default", nil, b.row(t, 2, "b")),
	} {
		if answer.GetError() != nil {
			t.Errorf("request %d: %v", i, answer.GetError())
		}
	}
	for table, want := range map[string]int64{"a": 3, "b": 2} {
		if n := count(t, client, "select countif(name = '"+table+"') from s."+table); n != want {
			t.Errorf("table %s has %d of its rows, want %d", table, n, want)
		}
	}
}

func TestAppendRows_NamesTheRowsAtFault(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	schema := append(twoColumns[:2:2], &bigquery.FieldSchema{Name: "seen_at", Type: bigquery.TimestampFieldType})
	createTable(t, client, "t", schema)
	rows := newRowType(t, schema)
	good := rows.row(t, "good", 1)
	bad := [][]byte{
		rows.row(t, "no \xff utf8", 1),
		append(good[:len(good):len(good)], 0x0a),       // cut off
		{0x10, 0x01},                                   // without the required name
		append(good[:len(good):len(good)], 0x08, 0x01), // a number where the name belongs
		append(good[:len(good):len(good)], 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), // the year 292278
		rows.row(t, strings.Repeat("x", maxUpstreamBytes), 1),
	}
	connection := connect(t, rawClient(t, w))
	request := [][]byte{good}
	var want []int64
	for _, row := range bad {
		want = append(want, int64(len(request)))
		request = append(request, row, good)
	}
	answer := connection.append(tableName("s", "t")+"/streams/_default", &rows, request...)
	var got []int64
	for _, fault := range answer.GetRowErrors() {
		got = append(got, fault.GetIndex())
		if fault.GetCode() != storagepb.RowError_FIELDS_ERROR || fault.GetMessage() == "" {
			t.Errorf("fault %v", fault)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || code(answer) != codes.InvalidArgument {
		t.Errorf("%v: %s", answer.GetError(), diff)
	}
	if answer := connection.append("", nil, good); answer.GetError() != nil {
		t.Errorf("the next request on the connection: %v", answer)
	}
	if n := count(t, client, "select count(*) from s.t"); n != 1 {
		t.Errorf("%d rows, want the one of the good request", n)
	}
}

func TestAppendRows_AnswersTheCallersFaults(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", twoColumns)
	run(t, client, "create view s.v as select * from s.t")
	rows := newRowType(t, twoColumns)
	extra := newRowType(t, append(twoColumns[:2:2], &bigquery.FieldSchema{Name: "more", Type: bigquery.StringFieldType}))
	other := newRowType(t, bigquery.Schema{twoColumns[0], {Name: "number", Type: bigquery.BytesFieldType}})
	without := newRowType(t, twoColumns[1:])
	raw := rawClient(t, w)
	connection := connect(t, raw)
	table := tableName("s", "t") + "/streams/_default"
	offset := &storagepb.AppendRowsRequest{WriteStream: table, Offset: wrapperspb.Int64(0),
		Rows: &storagepb.AppendRowsRequest_ProtoRows{ProtoRows: &storagepb.AppendRowsRequest_ProtoData{
			WriterSchema: &storagepb.ProtoSchema{ProtoDescriptor: rows.schema}, Rows: &storagepb.ProtoRows{}}}}
	for name, test := range map[string]struct {
		answer *storagepb.AppendRowsResponse
		code   codes.Code
	}{
		"no table at all":        {connect(t, raw).append("", &rows, rows.row(t, "a", 1)), codes.InvalidArgument},
		"no schema":              {connect(t, raw).append(table, nil, rows.row(t, "a", 1)), codes.InvalidArgument},
		"unknown table":          {connection.append(tableName("s", "nope")+"/streams/_default", &rows, rows.row(t, "a", 1)), codes.NotFound},
		"unknown dataset":        {connection.append(tableName("nope", "t")+"/streams/_default", &rows, rows.row(t, "a", 1)), codes.NotFound},
		"unknown stream":         {connection.append(tableName("s", "t")+"/streams/nope", &rows, rows.row(t, "a", 1)), codes.NotFound},
		"a view":                 {connection.append(tableName("s", "v")+"/streams/_default", &rows, rows.row(t, "a", 1)), codes.InvalidArgument},
		"a field too many":       {connection.append(table, &extra, extra.row(t, "a", 1, "x")), codes.InvalidArgument},
		"a field of other type":  {connection.append(table, &other, other.row(t, "a", []byte("x"))), codes.InvalidArgument},
		"a required one missing": {connection.append(table, &without, without.row(t, 1)), codes.InvalidArgument},
		"an offset":              {connection.send(offset), codes.InvalidArgument},
		"more than 10 MB":        {connection.append(table, &rows, repeat(rows.row(t, strings.Repeat("x", 1<<20), 1), 10)...), codes.InvalidArgument},
	} {
		if code(test.answer) != test.code {
			t.Errorf("%s: %v, want %v", name, test.answer.GetError(), test.code)
		}
	}
	st := status.FromProto(connection.append(table, &extra, extra.row(t, "a", 1, "x")).GetError())
	if details := st.Details(); len(details) != 1 ||
		details[0].(*storagepb.StorageError).GetCode() != storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS {
		t.Errorf("details of a field too many: %v", details)
	}
	if n := count(t, client, "select count(*) from s.t"); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

func repeat(row []byte, n int) [][]byte {
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = row
	}
	return rows
}

func TestAppendRows_TakesRequestsUpToTenMegabytes(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", twoColumns)
	rows := newRowType(t, twoColumns)
	row := rows.row(t, strings.Repeat("x", 1<<20), 1)
	answer := connect(t, rawClient(t, w)).append(tableName("s", "t")+"/streams/_default", &rows, repeat(row, 9)...)
	if answer.GetError() != nil {
		t.Fatal(answer.GetError())
	}
	if n := count(t, client, "select sum(length(name)) from s.t"); n != 9<<20 {
		t.Errorf("%d bytes arrived, want %d", n, 9<<20)
	}
}

func TestAppendRows_SeesThatATableWasMadeAnew(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	connection := connect(t, rawClient(t, w))
	stream := tableName("s", "t") + "/streams/_default"
	createTable(t, client, "t", twoColumns)
	rows := newRowType(t, twoColumns)
	connection.append(stream, &rows, rows.row(t, "a", 1))
	if err := client.Dataset("s").Table("t").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer := connection.append("", nil, rows.row(t, "a", 1)); code(answer) != codes.NotFound {
		t.Errorf("after the table was dropped: %v", answer)
	}
	run(t, client, "create table s.t (number string, name string)")
	if answer := connection.append("", nil, rows.row(t, "a", 1)); code(answer) != codes.InvalidArgument {
		t.Errorf("after the table was made with other types: %v", answer)
	}
	run(t, client, "create or replace table s.t (number int64, name string, more string)")
	if answer := connection.append("", nil, rows.row(t, "a", 1)); answer.GetError() != nil {
		t.Error(answer)
	}
	if diff := cmp.Diff([][]bigquery.Value{{int64(1), "a", nil}}, run(t, client, "select * from s.t")); diff != "" {
		t.Error(diff)
	}
}

func TestCreatedStreams_HaveOffsetsAndEnd(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", twoColumns)
	rows := newRowType(t, twoColumns)
	raw := rawClient(t, w)
	for _, kind := range []storagepb.WriteStream_Type{storagepb.WriteStream_COMMITTED, storagepb.WriteStream_PENDING} {
		stream, err := raw.CreateWriteStream(t.Context(), &storagepb.CreateWriteStreamRequest{
			Parent: tableName("s", "t"), WriteStream: &storagepb.WriteStream{Type: kind}})
		if err != nil {
			t.Fatal(err)
		}
		connection := connect(t, raw)
		at := func(offset int64) *storagepb.AppendRowsResponse {
			return connection.send(&storagepb.AppendRowsRequest{
				WriteStream: stream.GetName(), Offset: wrapperspb.Int64(offset),
				Rows: &storagepb.AppendRowsRequest_ProtoRows{ProtoRows: &storagepb.AppendRowsRequest_ProtoData{
					WriterSchema: &storagepb.ProtoSchema{ProtoDescriptor: rows.schema},
					Rows:         &storagepb.ProtoRows{SerializedRows: repeat(rows.row(t, "a", 1), 2)},
				}}})
		}
		for _, step := range []struct {
			offset int64
			code   codes.Code
		}{{0, codes.OK}, {2, codes.OK}, {2, codes.AlreadyExists}, {5, codes.OutOfRange}} {
			if answer := at(step.offset); code(answer) != step.code || step.code == codes.OK && answer.GetAppendResult().GetOffset().GetValue() != step.offset {
				t.Errorf("%s: append at %d: %v, want %v", kind, step.offset, answer, step.code)
			}
		}
		done, err := raw.FinalizeWriteStream(t.Context(), &storagepb.FinalizeWriteStreamRequest{Name: stream.GetName()})
		if err != nil || done.GetRowCount() != 4 {
			t.Errorf("%s: finalizing: %v, %v", kind, done, err)
		}
		if answer := at(4); code(answer) != codes.InvalidArgument {
			t.Errorf("%s: append after the end: %v", kind, answer)
		}
		commit := &storagepb.BatchCommitWriteStreamsRequest{Parent: tableName("s", "t"), WriteStreams: []string{stream.GetName()}}
		for i, wantFault := range []bool{kind != storagepb.WriteStream_PENDING, true} {
			answer, err := raw.BatchCommitWriteStreams(t.Context(), commit)
			if err != nil || (len(answer.GetStreamErrors()) > 0) != wantFault {
				t.Errorf("%s: commit %d: %v, %v", kind, i+1, answer, err)
			}
		}
	}
	if n := count(t, client, "select count(*) from s.t"); n != 8 {
		t.Errorf("%d rows, want 8", n)
	}
}

func TestClose_EndsOpenStreamsSoThatClientsComeBack(t *testing.T) {
	w, stop := start(t, "")
	createTable(t, restClient(t, w), "t", twoColumns)
	rows := newRowType(t, twoColumns)
	connection := connect(t, rawClient(t, w))
	connection.append(tableName("s", "t")+"/streams/_default", &rows, rows.row(t, "a", 1))
	stop()
	if _, err := connection.stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the open stream ended with %v, want Unavailable", err)
	}
}
