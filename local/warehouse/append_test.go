package warehouse

import (
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/googleapi"
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
