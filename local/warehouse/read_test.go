package warehouse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hamba/avro/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// everyRead has a column of every type that can be read over the Storage Read API.
const everyRead = `select n, n / 4 as f, mod(n, 2) = 0 as b, concat('é', cast(n as string)) as s, b'\x00\xff' as y, numeric '-1.5' as d9, bignumeric '2.25' as d38,
	date '1969-12-30' as d, time '07:30:00.25' as t, datetime '2026-11-28 07:30:00.25' as dt, timestamp '1969-12-31 23:59:59.5+00' as ts, json '{"a":1}' as j,
	[n, 2] as l, struct(n as a, [struct('x' as c)] as r) as r, cast(null as int64) as nothing, cast([] as array<date>) as none
	from unnest(generate_array(1, 40)) n order by n`

// TestRead_GivesWhatRESTGives reads a table and a query's result with Google's client, which takes Arrow.
func TestRead_GivesWhatRESTGives(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	run(t, client, "create table s.t as "+everyRead)
	overREST := run(t, client, "select * from s.t order by n")
	if len(overREST) != 40 {
		t.Fatalf("%d rows", len(overREST))
	}
	if err := client.EnableStorageReadClient(t.Context(), option.WithEndpoint(w.GRPCAddr()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))); err != nil {
		t.Fatal(err)
	}
	job, err := client.Query(everyRead).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	results, err := job.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, it := range map[string]*bigquery.RowIterator{"a table": client.Dataset("s").Table("t").Read(t.Context()), "a result": results} {
		var rows [][]bigquery.Value
		for {
			var row []bigquery.Value
			if err := it.Next(&row); err != nil {
				if !it.IsAccelerated() || err.Error() != "no more items in iterator" {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
			rows = append(rows, row)
		}
		slices.SortFunc(rows, func(a, b []bigquery.Value) int { return int(a[0].(int64) - b[0].(int64)) })
		if diff := cmp.Diff(overREST, rows, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })); diff != "" {
			t.Errorf("%s: %.2000s", name, diff)
		}
	}
}

func readClient(t *testing.T, w *Warehouse) storagepb.BigQueryReadClient {
	t.Helper()
	conn, err := grpc.NewClient(w.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return storagepb.NewBigQueryReadClient(conn)
}

func session(t *testing.T, client storagepb.BigQueryReadClient, table string, format storagepb.DataFormat, options *storagepb.ReadSession_TableReadOptions) (*storagepb.ReadSession, error) {
	return client.CreateReadSession(t.Context(), &storagepb.CreateReadSessionRequest{
		Parent: "projects/" + testProject, ReadSession: &storagepb.ReadSession{Table: table, DataFormat: format, ReadOptions: options}, MaxStreamCount: 4,
	})
}

// received are the rows of a stream in Avro, decoded by a stock library.
func received(t *testing.T, client storagepb.BigQueryReadClient, s *storagepb.ReadSession, offset int64) []map[string]any {
	t.Helper()
	stream, err := client.ReadRows(t.Context(), &storagepb.ReadRowsRequest{ReadStream: s.GetStreams()[0].GetName(), Offset: offset})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := avro.Parse(s.GetAvroSchema().GetSchema())
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		decoder := avro.NewDecoderForSchema(schema, bytes.NewReader(part.GetAvroRows().GetSerializedBinaryRows()))
		for range part.GetRowCount() {
			var row map[string]any
			if err := decoder.Decode(&row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
	}
}

func TestRead_Avro(t *testing.T) {
	w, _ := start(t, "")
	run(t, restClient(t, w), "create schema s")
	run(t, restClient(t, w), "create table s.t as "+everyRead)
	run(t, restClient(t, w), "create table s.long as select n from unnest(generate_array(1, 2500)) n")
	client := readClient(t, w)
	s, err := session(t, client, tableName("s", "t"), storagepb.DataFormat_AVRO, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := received(t, client, s, 0)
	got := rows[slices.IndexFunc(rows, func(row map[string]any) bool { return row["n"] == int64(2) })]
	want := map[string]any{
		"n": int64(2), "f": 0.5, "b": true, "s": "é2", "y": []byte{0, 0xff}, "d9": big.NewRat(-3, 2), "d38": big.NewRat(9, 4),
		"d": time.Date(1969, 12, 30, 0, 0, 0, 0, time.UTC), "t": 7*time.Hour + 30*time.Minute + 250*time.Millisecond,
		"dt": "2026-11-28T07:30:00.250000", "ts": time.Date(1969, 12, 31, 23, 59, 59, 500000000, time.UTC), "j": `{"a":1}`,
		"l": []any{int64(2), int64(2)}, "r": map[string]any{"root_r": nil}, "nothing": nil, "none": []any{},
	}
	delete(got, "r")
	delete(want, "r")
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	long, err := session(t, client, tableName("s", "long"), storagepb.DataFormat_AVRO, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rows := received(t, client, long, 0); len(rows) != 2500 || long.GetEstimatedRowCount() != 2500 {
		t.Errorf("%d rows, %d estimated: want 2500", len(rows), long.GetEstimatedRowCount())
	}
	if again := received(t, client, long, 2490); len(again) != 10 {
		t.Errorf("from an offset on: %d rows", len(again))
	}
	chosen, err := session(t, client, tableName("s", "t"), storagepb.DataFormat_AVRO, &storagepb.ReadSession_TableReadOptions{
		SelectedFields: []string{"s", "n"}, RowRestriction: "n between 7 and 8",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(received(t, client, chosen, 0)); got != "[map[n:7 s:é7] map[n:8 s:é8]]" {
		t.Errorf("columns and rows that were chosen: %s", got)
	}
}

func TestRead_RefusesWithAReason(t *testing.T) {
	w, _ := start(t, "")
	run(t, restClient(t, w), "create schema s")
	run(t, restClient(t, w), "create table s.t as select 1 as a, interval 1 day as i")
	client := readClient(t, w)
	for name, test := range map[string]struct {
		table   string
		format  storagepb.DataFormat
		options *storagepb.ReadSession_TableReadOptions
		code    codes.Code
	}{
		"no table":           {tableName("s", "nope"), storagepb.DataFormat_ARROW, nil, codes.NotFound},
		"no result":          {tableName(resultDataset, "nope"), storagepb.DataFormat_ARROW, nil, codes.NotFound},
		"no name":            {"t", storagepb.DataFormat_ARROW, nil, codes.InvalidArgument},
		"no format":          {tableName("s", "t"), storagepb.DataFormat_DATA_FORMAT_UNSPECIFIED, &storagepb.ReadSession_TableReadOptions{SelectedFields: []string{"a"}}, codes.InvalidArgument},
		"a type of no use":   {tableName("s", "t"), storagepb.DataFormat_ARROW, nil, codes.InvalidArgument},
		"no such column":     {tableName("s", "t"), storagepb.DataFormat_ARROW, &storagepb.ReadSession_TableReadOptions{SelectedFields: []string{"x"}}, codes.InvalidArgument},
		"a broken condition": {tableName("s", "t"), storagepb.DataFormat_ARROW, &storagepb.ReadSession_TableReadOptions{RowRestriction: "nope ="}, codes.InvalidArgument},
	} {
		if _, err := session(t, client, test.table, test.format, test.options); status.Code(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	stream, err := client.ReadRows(t.Context(), &storagepb.ReadRowsRequest{ReadStream: "projects/p/locations/us/sessions/x/streams/0"})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("an unknown stream: %v", err)
	}
}
