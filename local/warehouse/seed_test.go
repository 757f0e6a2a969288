package warehouse

import (
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
)

// A file's times without a zone are UTC, as dbt's seeds have them.
func TestLoad_TimesWithoutAZoneAreUTC(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	if err := client.Dataset("s").Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	source := bigquery.NewReaderSource(strings.NewReader("2026-11-28 07:30:00,2026-11-28,2026-11-28 07:30:00\n2026-11-28T07:30:00Z,2026-11-29,2026-11-28T07:30:00\n"))
	source.Schema = bigquery.Schema{
		{Name: "moment", Type: bigquery.TimestampFieldType}, {Name: "day", Type: bigquery.DateFieldType}, {Name: "clock", Type: bigquery.DateTimeFieldType},
	}
	job, err := client.Dataset("s").Table("seed").LoaderFrom(source).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status, err := job.Wait(t.Context()); err != nil || status.Err() != nil {
		t.Fatal(err, status)
	}
	got := run(t, client, "select string(moment), cast(day as string), cast(clock as string) from s.seed where moment >= '2026-11-28' and moment < '2026-11-28 08:00:00' order by day")
	want := [][]bigquery.Value{
		{"2026-11-28 07:30:00+00", "2026-11-28", "2026-11-28 07:30:00"},
		{"2026-11-28 07:30:00+00", "2026-11-29", "2026-11-28 07:30:00"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
