package audit

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/ledger"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// The table that Terraform makes has the columns that are written.
func TestRow_IsTheTables(t *testing.T) {
	table, err := bigquery.SchemaFromJSON(Schema)
	if err != nil {
		t.Fatal(err)
	}
	want, err := bigquery.InferSchema(Row{})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range table {
		field.Description = ""
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Error(diff)
	}
}

func account(partition, staging int64) ledger.Account {
	return ledger.Account{Place: ledger.Place{Topic: "incidents", TopicID: "x", Partition: partition}, InKafka: true, First: 10, Next: 10 + staging, Staging: staging}
}

// Each partition with records has a row, with its own problems; what is no
// partition's has one of its own.
func TestRowsOf(t *testing.T) {
	missing := ledger.Finding{Kind: ledger.Missing, Place: account(1, 0).Place, First: 11, Last: 11, Records: 1, Text: "1 record is missing"}
	report := &ledger.Report{
		Partitions: []ledger.Account{account(0, 5), account(1, 0), account(2, 0)},
		Problems:   []ledger.Finding{missing, {Kind: ledger.BadObject, In: "x", Text: "object x is somebody else's"}},
	}
	rows := rowsOf(report, noon.Add(-time.Hour), noon)
	var got []string
	for _, row := range rows {
		got = append(got, strings.Join([]string{row.Topic, literal(row.Partition), literal(row.First), literal(row.Last), literal(row.Complete), row.ProblemText}, " "))
	}
	want := []string{"incidents 0 10 14 true ", "incidents 1 10 9 false incidents/1 offset 11: 1 record is missing", " 0 0 -1 false object x is somebody else's"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A text cannot end the statement that it is written by.
func TestInsert_Quotes(t *testing.T) {
	text := Insert("prod_data", []Row{{CheckedAt: noon, Topic: "a", ProblemText: "it's 'so'\\\n); drop table x; --", Complete: true}})
	if !strings.Contains(text, `'it\'s \'so\'\\\n); drop table x; --'`) || strings.Count(text, "\n") != 1 || !strings.Contains(text, "timestamp '2026-11-22 12:00:00.000000+00'") {
		t.Error(text)
	}
	if names := strings.Count(strings.SplitN(text, ")", 2)[0], ",") + 1; names != reflect.TypeFor[Row]().NumField() {
		t.Errorf("%d columns", names)
	}
}

func TestFromEnv_Mistakes(t *testing.T) {
	environment := map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b", "KAFKA_BOOTSTRAP_SERVERS": "k:9092"}
	getenv := func(name string) string { return environment[name] }
	if config, err := FromEnv(getenv); err != nil || config.Period != 3*time.Hour || len(config.Kafka.Topics) != len(event.Topics()) {
		t.Fatal(config, err)
	}
	for name, value := range map[string]string{"AUDIT_PERIOD": "3", "AUDIT_IN_FLIGHT": "-1s", "KAFKA_START": "soon", "LAKE_BUCKET": "", "KAFKA_BOOTSTRAP_SERVERS": ""} {
		before := environment[name]
		environment[name] = value
		if _, err := FromEnv(getenv); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
		environment[name] = before
	}
}
