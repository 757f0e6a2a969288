package cli

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/quarantine"
)

// The columns line up over all groups, and the rows fit a terminal.
func TestQuarantine_Columns(t *testing.T) {
	at := time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC)
	example := quarantine.Example{Partition: 3, Offset: 1042, Detail: bigquery.NullString{StringVal: "no station", Valid: true}}
	groups := []quarantine.Group{
		{Topic: "incidents", Reason: "empty", Records: 1, First: at, Last: at, Tried: at, Examples: []quarantine.Example{example}},
		{Topic: "ticket_validations", Reason: "refused_by_warehouse", Records: 1234567, First: at, Last: at.Add(time.Hour), Tried: at.Add(2 * time.Hour)},
	}
	var out strings.Builder
	if err := (&quarantineCommand{streams: Streams{Out: &out}}).printGroups(groups); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`TOPIC               REASON                RECORDS  FIRST (UTC)  LAST
incidents           empty                 1        11-22 07:30  11-22 07:30
  incidents/3/1042  no station
ticket_validations  refused_by_warehouse  1234567  11-22 07:30  11-22 08:30
  last tried 2026-11-22 09:30 UTC
`, out.String()); diff != "" {
		t.Error(diff)
	}
}
