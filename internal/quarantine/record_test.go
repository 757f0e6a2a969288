package quarantine

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event/framing"
	"github.com/stationflow/stationflow/internal/lake"
)

const topicID = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"

func text(s string) bigquery.NullString { return bigquery.NullString{StringVal: s, Valid: s != ""} }

// However a value named its schema, it names the same one when it is tried
// again; nothing is added where it names it itself.
func TestRow_RecordNamesTheSameSchema(t *testing.T) {
	for _, c := range []struct{ id, value, header string }{
		{"", "7b7d", ""},
		{"7", "00000000077b7d", ""},         // Confluent's prefix
		{"7", "0000000000000000077b7d", ""}, // of eight bytes
		{"7", "0a01", "__value_schema_id"},
		{"8", "00000000077b7d", "__value_schema_id"}, // a header wins
		{"4294967295", "0a01", "__value_schema_id"},
		{"4294967296", "0a01", "apicurio.value.contentId"},
		{"1ed0fc5c-2a7b-4c3d-8e9f-001122334455", "0a01", "__value_schema_id"},
	} {
		value, err := hex.DecodeString(c.value)
		if err != nil {
			t.Fatal(err)
		}
		row := Row{SchemaID: text(c.id), Value: value}
		r := row.Record()
		named := framing.Of(r.Value, r.Header)
		header := ""
		for _, h := range r.Headers {
			header += h.Key
		}
		if named.SchemaID() != c.id || header != c.header || named.Fault != "" {
			t.Errorf("schema %q of value %s: it names %q by the header %q, want %q: %s", c.id, c.value, named.SchemaID(), header, c.header, named.Fault)
		}
	}
}

// Null is not empty, and a missing time is not 1970.
func TestRow_Record(t *testing.T) {
	row := Row{Partition: 3, Offset: 42}
	if r := row.Record(); r.Timestamp != -1 || r.Key != nil || r.Value != nil || r.Partition != 3 || r.Offset != 42 || r.Headers != nil {
		t.Errorf("a tombstone becomes %+v", r)
	}
	row = Row{Key: []byte{}, Value: []byte{}, Timestamp: bigquery.NullTimestamp{Timestamp: time.UnixMilli(0), Valid: true}}
	if r := row.Record(); r.Timestamp != 0 || r.Key == nil || r.Value == nil {
		t.Errorf("an empty record becomes %+v", r)
	}
}

// Only addresses of the record's own objects are read: a detail quotes what
// producers write.
func TestRow_Aside(t *testing.T) {
	value := lake.URI("b", lake.QuarantineObject("incidents", topicID, 3, 42))
	key := lake.URI("b", lake.QuarantineKeyObject("incidents", topicID, 3, 42))
	headers := lake.URI("b", lake.QuarantineHeadersObject("incidents", topicID, 3, 42))
	for _, c := range []struct {
		detail string
		want   Aside
	}{
		{"", Aside{}},
		{value, Aside{Value: value}},
		{value + " key: " + key + " headers: " + headers, Aside{value, key, headers}},
		{"key: " + key, Aside{Key: key}},
		{"field \"id\" is gs://other/secret", Aside{}},
		{lake.URI("b", lake.QuarantineObject("incidents", topicID, 3, 43)), Aside{}},
		{lake.URI("b", lake.QuarantineObject("passenger_flow", topicID, 3, 42)), Aside{}},
	} {
		row := Row{Topic: "incidents", TopicID: topicID, Partition: 3, Offset: 42, Detail: text(c.detail)}
		if got := row.Aside(); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.detail, got, c.want)
		}
	}
}

// What fits no batch goes as the bridge sent it, with the addresses.
func TestRow_Elsewhere(t *testing.T) {
	row := Row{Topic: "incidents", TopicID: topicID, Partition: 3, Offset: 42, Key: []byte("k")}
	r := row.elsewhere(Aside{Value: "gs://v", Headers: "gs://h"}, 9<<20)
	if r.ValueURI != "gs://v" || r.ValueSize != 9<<20 || string(r.Key) != "k" || string(r.Header(batch.HeaderHeadersURI)) != "gs://h" || r.Value != nil {
		t.Errorf("%+v", r)
	}
	if r := row.elsewhere(Aside{Value: "gs://v", Key: "gs://k"}, 1); r.Key != nil || string(r.Header(batch.HeaderKeyURI)) != "gs://k" {
		t.Errorf("%+v", r)
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]string{
		"incidents/3/1042": "incidents/3/1042", "t/0/0": "t/0/0", "a/2147483647/9223372036854775807": "a/2147483647/9223372036854775807",
		"incidents/3": "", "incidents/3/": "", "/3/4": "", "incidents/-1/4": "", "incidents/2147483648/4": "", "incidents/3/x": "", "a/b/3/4": "",
	} {
		got, err := ParsePlace(text)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got := fmt.Sprint(Place{"t", 1, 2}); got != "t/1/2" {
		t.Error(got)
	}
}
