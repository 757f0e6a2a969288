package warehouse

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
)

func TestTables_KeepPartitioningAndClustering(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	for name, test := range map[string]struct{ ddl, want string }{
		"day":     {"(d date, k string, v int64) partition by d cluster by k, v", `{"field":"d","type":"DAY"} - ["k","v"]`},
		"hour":    {"partition by timestamp_trunc(seen, hour) cluster by k as select current_timestamp() as seen, 'x' as k", `{"field":"seen","type":"HOUR"} - ["k"]`},
		"dated":   {"(seen timestamp, n int64) partition by date(seen) options (partition_expiration_days = 2.5, require_partition_filter = true)", `{"expirationMs":"216000000","field":"seen","requirePartitionFilter":true,"type":"DAY"} - -`},
		"month":   {"(seen datetime) partition by datetime_trunc(seen, month)", `{"field":"seen","type":"MONTH"} - -`},
		"arrival": {"(n int64) partition by _partitiondate", `{"type":"DAY"} - -`},
		"ranges":  {"(n int64) partition by range_bucket(n, generate_array(0, 100, 10))", `- {"field":"n","range":{"end":"100","interval":"10","start":"0"}} -`},
		"of_sql":  {"partition by timestamp_trunc(seen, month) as select current_timestamp() as seen", `{"field":"seen","type":"MONTH"} - -`},
		"none":    {"(n int64, s struct<a int64, b string>)", "- - -"},
	} {
		for _, create := range []string{"create table ", "create or replace table "} {
			run(t, client, create+"s."+name+" "+test.ddl)
			if got := partitioning(t, w, name); got != test.want {
				t.Errorf("%s%s: %s, want %s", create, name, got, test.want)
			}
		}
	}
	run(t, client, "create table if not exists s.day (d date, k string) partition by date_trunc(d, month)")
	run(t, client, "create table s.later (a int64); create table s.scripted (d date) partition by d")
	if got := partitioning(t, w, "day") + partitioning(t, w, "scripted"); !strings.Contains(got, `["k","v"]{"field":"d","type":"DAY"}`) {
		t.Errorf("a table that was there, and one of a script: %s", got)
	}
	table := client.Dataset("s").Table("api")
	if err := table.Create(t.Context(), &bigquery.TableMetadata{
		Schema:           bigquery.Schema{{Name: "at", Type: bigquery.TimestampFieldType, Required: true}, {Name: "k", Type: bigquery.StringFieldType}},
		TimePartitioning: &bigquery.TimePartitioning{Type: bigquery.HourPartitioningType, Field: "at"}, Clustering: &bigquery.Clustering{Fields: []string{"k"}},
		Description: "by the API",
	}); err != nil {
		t.Fatal(err)
	}
	got, err := table.Metadata(t.Context())
	if err != nil || got.TimePartitioning == nil || got.TimePartitioning.Field != "at" || got.Clustering == nil || got.Description != "by the API" {
		t.Errorf("by the API: %+v %v", got, err)
	}
}

// partitioning is how tables.get describes a table of dataset s.
func partitioning(t *testing.T, w *Warehouse, table string) string {
	t.Helper()
	answer, err := http.Get(w.RESTURL() + "/" + tableName("s", table))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		TimePartitioning, RangePartitioning map[string]any
		Clustering                          struct{ Fields []string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	show := func(v any, empty bool) string {
		if empty {
			return "-"
		}
		text, _ := json.Marshal(v)
		return string(text)
	}
	return fmt.Sprint(show(got.TimePartitioning, got.TimePartitioning == nil), " ", show(got.RangePartitioning, got.RangePartitioning == nil), " ",
		show(got.Clustering.Fields, got.Clustering.Fields == nil))
}

func TestTables_RequiredColumnsRefuseNull(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	schema := bigquery.Schema{
		{Name: "a", Type: bigquery.IntegerFieldType, Required: true}, {Name: "b", Type: bigquery.StringFieldType},
		{Name: "r", Type: bigquery.RecordFieldType, Schema: bigquery.Schema{{Name: "x", Type: bigquery.FloatFieldType}, {Name: "l", Type: bigquery.BytesFieldType, Repeated: true}}},
	}
	createTable(t, client, "api", schema)
	run(t, client, "create table s.ddl (a int64 not null, b string, r struct<x float64, l array<bytes>>)")
	for _, name := range []string{"api", "ddl"} {
		metadata, err := client.Dataset("s").Table(name).Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(schema, metadata.Schema); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		run(t, client, "insert into s."+name+" (a) values (1)")
		for _, sql := range []string{
			"insert into s.%s (b) values ('x')", "insert into s.%s (a) select null", "update s.%s set a = null where true",
		} {
			if _, err := tryRun(t.Context(), client, fmt.Sprintf(sql, name)); err == nil || !strings.Contains(err.Error(), "Required field a cannot be null") {
				t.Errorf("%s: %v", fmt.Sprintf(sql, name), err)
			}
		}
		if got := run(t, client, "select a, b from s."+name); fmt.Sprint(got) != "[[1 <nil>]]" {
			t.Errorf("%s: the table holds %v", name, got)
		}
		nullable := run(t, client, "select is_nullable from s.INFORMATION_SCHEMA.COLUMNS where table_name = '"+name+"' and column_name = 'a'")
		if fmt.Sprint(nullable) != "[[NO]]" {
			t.Errorf("%s: is_nullable %v", name, nullable)
		}
	}
	if err := client.Dataset("s").Table("api").Create(t.Context(), &bigquery.TableMetadata{Schema: schema}); !hasCode(err, http.StatusConflict) {
		t.Errorf("creating it again: %v", err)
	}
}

func TestTables_OfTheDefaultDataset(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	for _, sql := range []string{
		"create table t (a int64 not null) cluster by a", "create table if not exists t (a int64)", "insert into t (a) values (1)",
		"create or replace table u as select a from t", "create view v as select a from t", "select * from v", "drop view v", "drop table t", "drop table if exists t",
	} {
		q := client.Query(sql)
		q.DefaultDatasetID = "s"
		if _, err := q.Read(t.Context()); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if got := run(t, client, "select table_name from s.INFORMATION_SCHEMA.TABLES"); fmt.Sprint(got) != "[[u]]" {
		t.Errorf("the dataset has %v", got)
	}
}

// What OPTIONS says tables.get shows.
func TestTables_KeepOptions(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	const options = `options (description = """It's "x"\\n""", labels = [('a', 'b'), ('c', "d")], expiration_timestamp = timestamp_add(current_timestamp(), interval 24 hour))`
	for name, statement := range map[string]string{
		"t": "create or replace table s.t partition by d " + options + " as select current_date() as d",
		"v": "create or replace view s.v " + options + " as select 1 as n",
	} {
		run(t, client, statement)
		got, err := client.Dataset("s").Table(name).Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left := time.Until(got.ExpirationTime)
		if got.Description != "It's \"x\"\\n" || fmt.Sprint(got.Labels) != "map[a:b c:d]" || left < 23*time.Hour || left > 25*time.Hour {
			t.Errorf("%s: %q %v %v", name, got.Description, got.Labels, got.ExpirationTime)
		}
	}
}
