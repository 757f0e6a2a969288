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
	if want := "The audit at " + hour.Add(-time.Hour).Format("15:04") + " did not find every record of 1 of 2 partitions."; state.Overall.State != status.Behind || state.Overall.Note != want {
		t.Errorf("the page says %+v, want %s", state.Overall, want)
	}
	audit(hour, "true", "true")
	c.Billed(view.Component)
	for range 3 {
		state, _ = c.look()
	}
	if want := "The audit at " + hour.Format("15:04") + " found every record."; state.Overall.State != status.Flowing || state.Overall.Note != want {
		t.Errorf("the page says %+v, want %s", state.Overall, want)
	}
	if n := len(c.Billed(view.Component)); n != 1 {
		t.Errorf("it asked %d times, want once", n)
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
