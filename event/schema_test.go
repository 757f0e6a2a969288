package event

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Changing one struct tag changes one column.
func TestColumnsOf_EachTagCounts(t *testing.T) {
	number := func(f float64) *float64 { return &f }
	base := Column{Name: "n", Type: Float64, Description: "A number.", Example: "1", Min: number(0)}
	change := func(with func(c *Column)) Column {
		c := base
		with(&c)
		return c
	}
	tests := []struct {
		name string
		of   any
		want Column
	}{
		{"base", struct {
			N float64 `json:"n" rule:"min=0" desc:"A number." example:"1"`
		}{}, base},
		{"name", struct {
			N float64 `json:"m" rule:"min=0" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.Name = "m" })},
		{"name in models", struct {
			N float64 `json:"n" as:"m" rule:"min=0" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.As = "m" })},
		{"description", struct {
			N float64 `json:"n" rule:"min=0" desc:"Another." example:"1"`
		}{}, change(func(c *Column) { c.Description = "Another." })},
		{"example", struct {
			N float64 `json:"n" rule:"min=0" desc:"A number." example:"2"`
		}{}, change(func(c *Column) { c.Example = "2" })},
		{"type", struct {
			N int64 `json:"n" rule:"min=0" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.Type = Int64 })},
		{"optional", struct {
			N *float64 `json:"n" rule:"min=0" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.Nullable = true })},
		{"no rule", struct {
			N float64 `json:"n" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.Min = nil })},
		{"other bounds", struct {
			N float64 `json:"n" rule:"over=0.5,max=2" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.Min, c.Over, c.Max = nil, number(0.5), number(2) })},
		{"text", struct {
			N string `json:"n" rule:"nonempty,oneof=a|b" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.Type, c.Min, c.NonEmpty, c.OneOf = String, nil, true, []string{"a", "b"} })},
		{"timestamp", struct {
			N time.Time `json:"n" desc:"A number." example:"1"`
		}{}, change(func(c *Column) { c.Type, c.Min = Timestamp, nil })},
	}
	for _, test := range tests {
		if got := columnsOf(reflect.TypeOf(test.of)); len(got) != 1 || !reflect.DeepEqual(got[0], test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestColumnsOf_RefusesTagsItDoesNotKnow(t *testing.T) {
	for _, of := range []any{
		struct {
			N int64 `json:"n" rule:"least=0"`
		}{},
		struct {
			N int64 `json:"n" rule:"min=zero"`
		}{},
		struct {
			N int32 `json:"n"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T is taken", of)
				}
			}()
			columnsOf(reflect.TypeOf(of))
		}()
	}
}

// The contract's reasons: they are added to, and never renamed.
func TestReasons_Contract(t *testing.T) {
	const contract = "tombstone empty no_registry unknown_schema undecodable not_utf8 not_json not_object deleted " +
		"missing_field wrong_type out_of_range unknown_value bad_timestamp absurd_timestamp too_large refused_by_warehouse"
	var got []string
	for _, reason := range Reasons() {
		got = append(got, string(reason))
	}
	for reason := range strings.FieldsSeq(contract) {
		if !slices.Contains(got, reason) {
			t.Errorf("there is no reason %s any more", reason)
		}
	}
}

// The contract's fields, a star for what later producers add.
func TestSchemaOf_Contract(t *testing.T) {
	movement := "id station timestamp passengers dock_number wagon_count direction *train_number *scheduled_timestamp"
	contract := map[string]string{
		"incidents":          "id type station location timestamp severity duration",
		"equipment_failures": "id equipment station location timestamp duration",
		"train_arrivals":     movement,
		"train_departures":   movement,
		"ticket_validations": "id train_id station timestamp validations *rejected",
		"passenger_flow":     "id train_id station timestamp waiting_time ticket_check_time reduced_flow_factor *entered *exited *zone",
	}
	for topic, want := range contract {
		schema, ok := SchemaOf(topic)
		if !ok {
			t.Fatalf("no topic %s", topic)
		}
		if got := names(schema.Columns); got != want {
			t.Errorf("%s has %s, want %s", topic, got, want)
		}
		want += " *extra kafka_topic kafka_topic_id kafka_partition kafka_offset *kafka_timestamp ingested_at batch_id *kafka_key *schema_id"
		if got := names(schema.StagingColumns()); got != want {
			t.Errorf("staging of %s has %s, want %s", topic, got, want)
		}
	}
	want := "kafka_topic kafka_topic_id kafka_partition kafka_offset *kafka_timestamp *key *value reason *detail ingested_at batch_id *schema_id"
	if got := names(QuarantineColumns()); got != want {
		t.Errorf("quarantine has %s, want %s", got, want)
	}
	if _, ok := SchemaOf("tickets"); ok {
		t.Error("a topic that is none has a schema")
	}
}

func names(columns []Column) string {
	var all []string
	for _, c := range columns {
		if c.Nullable {
			c.Name = "*" + c.Name
		}
		all = append(all, c.Name)
	}
	return strings.Join(all, " ")
}

// What BigQuery demands of tables (https://cloud.google.com/bigquery/quotas,
// https://cloud.google.com/bigquery/docs/schemas) and this package of events.
func TestColumns_AreFitForBigQuery(t *testing.T) {
	tables := [][]Column{QuarantineColumns()}
	for _, topic := range Topics() {
		schema, _ := SchemaOf(topic)
		tables = append(tables, schema.StagingColumns())
		if later := slices.IndexFunc(schema.Columns, func(c Column) bool { return c.Nullable }); later >= 0 {
			for _, c := range schema.Columns[later:] {
				if !c.Nullable {
					t.Errorf("%s: %s is not optional but declared after one that is", topic, c.Name)
				}
			}
		}
		for _, c := range schema.Columns {
			if c.Example == "" {
				t.Errorf("%s: %s has no example", topic, c.Name)
			}
		}
	}
	name := regexp.MustCompile(`^[a-z][a-z0-9_]{0,299}$`)
	for _, columns := range tables {
		seen := map[string]bool{}
		for _, c := range columns {
			if !name.MatchString(c.Name) || seen[c.Name] {
				t.Errorf("column name %q", c.Name)
			}
			seen[c.Name] = true
			if n := len(c.Description); n == 0 || n > 1024 || !strings.HasSuffix(c.Description, ".") {
				t.Errorf("%s: description %q", c.Name, c.Description)
			}
		}
	}
}
