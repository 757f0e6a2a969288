package event

import (
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A Type is the type of a column in an event, in Parquet and in BigQuery.
type Type uint8

// The column types. A Timestamp is a moment with microseconds, as BigQuery's.
const (
	String Type = iota + 1
	Int64
	Float64
	Timestamp
	Bytes
)

// String returns the type's GoogleSQL name.
func (t Type) String() string {
	return [...]string{"", "STRING", "INT64", "FLOAT64", "TIMESTAMP", "BYTES"}[t]
}

// A Column describes one column of a table and, for an event's own fields,
// the rules that Decode enforces.
type Column struct {
	Name        string
	Type        Type
	Nullable    bool
	Description string
	Example     string // a value as text; only fields of events have one
	As          string // the name in dbt's staging models where it is another one

	NonEmpty bool
	Min, Max *float64 // inclusive bounds
	Over     *float64 // exclusive lower bound
	OneOf    []string // all values allowed; nil allows any
}

// StagingColumns returns the columns of the topic's staging table and of its
// Parquet files: the event's fields, extra, and the record's origin. What came
// to them later is nullable and last.
func (s *Schema) StagingColumns() []Column {
	columns := append([]Column(nil), s.Columns...)
	columns = append(columns, Column{Name: "extra", Type: String, Nullable: true,
		Description: "Fields of the event that this schema does not know, as a JSON object."})
	columns = append(columns, kafkaColumns()...)
	columns = append(columns, arrivalColumns()...)
	return append(columns, Column{Name: "kafka_key", Type: Bytes, Nullable: true, Description: "The record's key as it came."}, schemaID())
}

// QuarantineColumns returns the columns of the quarantine table: the record's
// origin, its bytes, and why it was refused.
func QuarantineColumns() []Column {
	columns := append(kafkaColumns(),
		Column{Name: "key", Type: Bytes, Nullable: true, Description: "The record's key as it came."},
		Column{Name: "value", Type: Bytes, Nullable: true, Description: "The record's value as it came; NULL when it was null, or when it is kept in the lake (see detail)."},
		Column{Name: "reason", Type: String, Description: "Why the record was refused: one of the contract's reasons; or accepted, where it was tried again and is in its staging table since."},
		Column{Name: "detail", Type: String, Nullable: true, Description: "What exactly was wrong, or the URI of the value's bytes in the lake."})
	return append(append(columns, arrivalColumns()...), schemaID())
}

// QuarantineCluster returns the columns by which the quarantine table is
// clustered; a topic's table is by its Kind's Cluster.
func QuarantineCluster() []string { return []string{"kafka_topic", "reason"} }

// Accepted is what the quarantine has as the reason of a row that was added when
// a record was tried again and has become an event: its readers leave such a
// record out, whatever other rows it has there. It is not one of Reasons.
const Accepted = Reason("accepted")

func schemaID() Column {
	return Column{Name: "schema_id", Type: String, Nullable: true, Description: "The id or GUID that the record gives of its value's schema in the registry; NULL without one."}
}

// kafkaColumns say where a record came from. Topic id, partition and offset
// are its identity: readers keep one row of each.
func kafkaColumns() []Column {
	return []Column{
		{Name: "kafka_topic", Type: String, Description: "Kafka topic of the record."},
		{Name: "kafka_topic_id", Type: String, Description: "Kafka's UUID of the topic; a topic made again has another."},
		{Name: "kafka_partition", Type: Int64, Description: "Kafka partition of the record."},
		{Name: "kafka_offset", Type: Int64, Description: "Kafka offset of the record within its partition."},
		{Name: "kafka_timestamp", Type: Timestamp, Nullable: true, Description: "Kafka's timestamp of the record; NULL when it has none."},
	}
}

func arrivalColumns() []Column {
	return []Column{
		{Name: "ingested_at", Type: Timestamp, Description: "When the row was handed to the warehouse; a record that is delivered again has a later time."},
		{Name: "batch_id", Type: String, Description: "The id of the micro-batch that brought the record."},
	}
}

func columnsOf(t reflect.Type) []Column {
	columns := make([]Column, 0, t.NumField())
	for i := range t.NumField() {
		field := t.Field(i)
		column := Column{Name: field.Tag.Get("json"), Description: field.Tag.Get("desc"), Example: field.Tag.Get("example"), As: field.Tag.Get("as")}
		of := field.Type
		if of.Kind() == reflect.Pointer {
			column.Nullable, of = true, of.Elem()
		}
		column.Type = typeOf(of)
		column.setRules(field.Tag.Get("rule"))
		columns = append(columns, column)
	}
	return columns
}

func typeOf(t reflect.Type) Type {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return Timestamp
	case t.Kind() == reflect.Int64:
		return Int64
	case t.Kind() == reflect.Float64:
		return Float64
	case t.Kind() == reflect.String:
		return String
	}
	panic("event: no column type for " + t.String())
}

func (c *Column) setRules(rules string) {
	for _, rule := range strings.Split(rules, ",") {
		name, argument, _ := strings.Cut(rule, "=")
		switch name {
		case "":
		case "nonempty":
			c.NonEmpty = true
		case "min":
			c.Min = bound(argument)
		case "max":
			c.Max = bound(argument)
		case "over":
			c.Over = bound(argument)
		case "oneof":
			c.OneOf = strings.Split(argument, "|")
		default:
			panic("event: no rule " + rule)
		}
	}
}

func bound(argument string) *float64 {
	f, err := strconv.ParseFloat(argument, 64)
	if err != nil {
		panic("event: bound " + argument + " is not a number")
	}
	return &f
}
