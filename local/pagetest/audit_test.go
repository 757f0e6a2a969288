package pagetest

import (
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/internal/status"
	"github.com/stationflow/stationflow/local/staged"
)

// The page says what the last audit found, which it reads once after each.
func TestPage_TellsOfTheLastAudit(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.run()
	text, err := os.ReadFile("../../functions/audit/table.json")
	check(t, err)
	schema, err := bigquery.SchemaFromJSON(text)
	check(t, err)
	check(t, c.Client.Dataset(staged.Prod).Table("pipeline_completeness").Create(t.Context(), &bigquery.TableMetadata{Schema: schema}))
	audit := func(at time.Time, complete ...string) {
		for _, one := range complete {
			c.Query("insert into prod_data.pipeline_completeness (" + strings.Join(columns(schema), ", ") + ") select " + strings.Join(values(schema, at, one), ", "))
		}
		c.pass(time.Minute)
	}
	hour := c.clock().Truncate(time.Minute)
	audit(hour.Add(-time.Hour), "true", "false")
	state, _ := c.look()
	says(t, state, status.Behind, hour.Add(-time.Hour), " did not find every record of 1 of 2 partitions.")
	audit(hour, "true", "true")
	c.Billed(view.Component)
	for range 3 {
		state, _ = c.look()
	}
	says(t, state, status.Flowing, hour, " found every record.")
	if n := len(c.Billed(view.Component)); n != 1 {
		t.Errorf("it asked %d times, want once", n)
	}
}

// says checks what the page says of the audit of a moment, with its date or without.
func says(t *testing.T, got status.Status, state status.State, at time.Time, found string) {
	t.Helper()
	if begin := "The audit at " + at.Format("15:04"); got.Overall.State != state || !strings.HasPrefix(got.Overall.Note, begin) || !strings.HasSuffix(got.Overall.Note, found) {
		t.Errorf("the page says %+v, want %s %q with %q", got.Overall, state, begin, found)
	}
}

func columns(schema bigquery.Schema) (names []string) {
	for _, field := range schema {
		names = append(names, field.Name)
	}
	return names
}

// values are those of a row of one partition.
func values(schema bigquery.Schema, at time.Time, complete string) (all []string) {
	for _, field := range schema {
		switch {
		case field.Name == "complete":
			all = append(all, complete)
		case field.Type == bigquery.TimestampFieldType:
			all = append(all, "timestamp '"+at.UTC().Format("2006-01-02 15:04:05+00")+"'")
		case field.Type == bigquery.StringFieldType:
			all = append(all, "'x'")
		default:
			all = append(all, "0")
		}
	}
	return all
}
